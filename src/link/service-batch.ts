import type { DatagramBatch, Endpoint, IterableBatch } from '../core/index.js'

/** Which of a service's sockets. */
export interface ServicePlace {
  readonly cast: 'unicast' | 'multicast'
  readonly family: 'IPv4' | 'IPv6'
  /** Is it the secured twin? */
  readonly secured: boolean
}

/** A batch as the service's sockets hand it out: some know of the interface and the destination. */
export type ObservedBatch = DatagramBatch &
  IterableBatch & {
    interfaceIndex?(i: number): number
    destination?(i: number): string | undefined
  }

/** What a service observes: datagrams that came to one of its sockets, and how. It lives as long as the batch of that socket. */
export class ServiceBatch implements DatagramBatch, IterableBatch {
  /** The socket, the same for all datagrams of a batch. */
  readonly place: ServicePlace
  readonly #source: ObservedBatch
  readonly #isOwn: (endpoint: Endpoint) => boolean

  /** @internal */
  constructor(source: ObservedBatch, place: ServicePlace, isOwn: (endpoint: Endpoint) => boolean) {
    this.place = place
    this.#source = source
    this.#isOwn = isOwn
  }

  get count(): number {
    return this.#source.count
  }

  get bytes(): number {
    return this.#source.bytes
  }

  payload(i: number): Buffer {
    return this.#source.payload(i)
  }

  copy(i: number): Buffer {
    return this.#source.copy(i)
  }

  truncated(i: number): boolean {
    return this.#source.truncated(i)
  }

  endpoint(i: number): Endpoint {
    return this.#source.endpoint(i)
  }

  /** Index of the interface that datagram `i` came in by; 0 where a secured socket does not tell. */
  interfaceIndex(i: number): number {
    return this.#source.interfaceIndex?.(i) ?? 0
  }

  /** The address or group that datagram `i` was sent to; undefined where a secured socket does not tell. */
  destination(i: number): string | undefined {
    return this.#source.destination?.(i)
  }

  /** Did this service send datagram `i`: from one of this host's addresses, and one of its own ports? */
  isOwn(i: number): boolean {
    return this.#isOwn(this.#source.endpoint(i))
  }

  retain(): this {
    this.#source.retain()
    return this
  }

  release(): void {
    this.#source.release()
  }

  /** @internal */
  get isLent(): boolean {
    return this.#source.isLent
  }

  get isRetained(): boolean {
    return this.#source.isRetained
  }

  /** @internal */
  beginStep(): void {
    this.#source.beginStep()
  }

  /** @internal */
  endStep(): void {
    this.#source.endStep()
  }
}
