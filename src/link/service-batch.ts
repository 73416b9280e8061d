import { BatchView, type Endpoint, type OwnedBatch } from '../core/index.js'

/** Which of a service's sockets. */
export interface ServicePlace {
  readonly cast: 'unicast' | 'multicast'
  readonly family: 'IPv4' | 'IPv6'
  /** Is it the secured twin? */
  readonly secured: boolean
}

/** A batch as the service's sockets hand it out: some know of the interface and the destination. */
export type ObservedBatch = OwnedBatch & {
  interfaceIndex?(i: number): number
  destination?(i: number): string | undefined
}

/** What a service observes: datagrams that came to one of its sockets, and how. It lives as long as the batch of that socket. */
export class ServiceBatch extends BatchView<ObservedBatch> {
  /** The socket, the same for all datagrams of a batch. */
  readonly place: ServicePlace
  readonly #isOwn: (endpoint: Endpoint) => boolean

  /** @internal */
  constructor(source: ObservedBatch, place: ServicePlace, isOwn: (endpoint: Endpoint) => boolean) {
    super(source)
    this.place = place
    this.#isOwn = isOwn
  }

  get count(): number {
    return this.source.count
  }

  get bytes(): number {
    return this.source.bytes
  }

  /** Index of the interface that datagram `i` came in by; 0 where a secured socket does not tell. */
  interfaceIndex(i: number): number {
    return this.source.interfaceIndex?.(i) ?? 0
  }

  /** The address or group that datagram `i` was sent to; undefined where a secured socket does not tell. */
  destination(i: number): string | undefined {
    return this.source.destination?.(i)
  }

  /** Did this service send datagram `i`: from one of this host's addresses, and one of its own ports? */
  isOwn(i: number): boolean {
    return this.#isOwn(this.source.endpoint(i))
  }

  protected override at(i: number): number {
    return i
  }
}
