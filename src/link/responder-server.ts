import { Endpoint, type EndpointLike, type Payload, type ReceiveBatch, type Timer } from '../core/index.js'
import { Announcer } from './announcer.js'
import { BaseLink, NOBODY } from './base-link.js'
import type { IncomingRequest } from './incoming-request.js'
import type { KindLinkStatistics } from './link-events.js'
import type { ResolvedResponderServer } from './options/link-options.js'
import { payloadBuffer } from './payload.js'
import { PeerTable } from './peer-table.js'
import type { DatagramSocket, LinkPlatform, SourceOptions } from './platform.js'

/** What a responding server counts besides. */
export interface ResponderStatistics extends KindLinkStatistics {
  /** Clients remembered now. */
  clients: number
  /** Datagrams of announcements that had not gone when the link was closed. */
  announcementsDiscarded: number
}

/**
 * A server that answers whoever asks, and learns by that to whom it can announce: every client heard of in the last `activeMs`, or the
 * last one. The table is bounded by `maxClients`.
 *
 * It receives even while nobody listens to it, in order to learn; from the first listener or iteration on, only for them.
 */
export class ResponderServerLink extends BaseLink {
  readonly #socket: DatagramSocket
  readonly #options: ResolvedResponderServer
  readonly #clients: PeerTable
  readonly #announcer: Announcer
  #last: Endpoint | undefined
  /** Our addresses that clients have asked; their tags in the table are one higher than their places here. */
  readonly #sources: SourceOptions[] = []
  #lastLocalAddress: string | undefined
  #lastTag = 0
  #timer: Timer | undefined
  #discarded = 0

  /** @internal */
  constructor(options: ResolvedResponderServer, platform: LinkPlatform, socket: DatagramSocket) {
    super(options, platform, socket)
    this.#socket = socket
    this.#options = options
    this.#clients = new PeerTable(options.maxClients, platform.random.uint32())
    this.#announcer = new Announcer((payload, endpoint) => this.sendPayload(payload, endpoint))
    socket.on('drain', () => {
      if (!this.closed) this.#announcer.goOn()
    })
    this.addInput(socket, (batch, i) => {
      this.#heard(batch.endpoint(i))
      if (!this.closed) this.#noteLocalAddress((batch as Partial<ReceiveBatch>).destination?.call(batch, i))
      return true
    })
  }

  /** The local endpoint. */
  address(): Endpoint {
    this.checkOpen()
    return this.#socket.address()
  }

  /** Clients heard of in the last `activeMs`, at most `maxClients`; the last one first. */
  clients(): Endpoint[] {
    this.checkOpen()
    this.#expire()
    return this.#clients.endpoints()
  }

  /**
   * Sends a copy of `payload` to every active client, or the last one, as `announceTo` says. Where the queue is too short for all of
   * them, the others follow as it empties.
   *
   * @returns False when the queue is full, and too many announcements wait already: nothing was queued; 'drain' follows.
   */
  announce(payload: Payload): boolean {
    this.checkOpen()
    this.#expire()
    const bytes = payloadBuffer(payload, this.maxPayloadBytes)
    const newest = this.#clients.newest
    if (newest === undefined) return true
    return this.#announcer.announce(bytes, this.#options.announceTo === 'last' ? [newest] : this.#clients.endpoints())
  }

  override stats(): ResponderStatistics {
    return { ...super.stats(), clients: this.#clients.count, announcementsDiscarded: this.#discarded }
  }

  protected target(endpoint: Endpoint | EndpointLike | undefined): Endpoint | typeof NOBODY {
    return endpoint === undefined ? (this.#clients.newest ?? NOBODY) : Endpoint.from(endpoint)
  }

  protected responseTarget(request: IncomingRequest): Endpoint {
    return request.endpoint
  }

  protected override get receivesUntilHeard(): boolean {
    return true
  }

  protected override beforeClose(): void {
    this.#timer?.cancel()
    this.#discarded = this.#announcer.discard()
  }

  #heard(endpoint: Endpoint): void {
    const nowMs = this.surroundings.clock.nowMs()
    // Most batches come from one peer; it is refreshed all the same.
    if (endpoint === this.#last && this.#clients.newest === endpoint) {
      this.#clients.heard(endpoint, nowMs)
      return
    }
    this.#last = endpoint
    const isNew = this.#clients.heard(endpoint, nowMs, (displaced) => this.tell('peerlost', displaced, 'displaced'))
    if (!isNew) return
    this.tell('peer', endpoint)
    if (this.closed) return
    if (this.#clients.count === 1) this.targetFound()
    this.#wait()
  }

  /** A client is answered from the address that it asked, whichever of ours the kernel would choose. */
  protected override sourceFor(target: Endpoint | undefined): SourceOptions | undefined {
    if (this.#sources.length === 0 || target === undefined) return undefined
    return this.#sources[this.#clients.tagOf(target) - 1]
  }

  /** Of the client that was heard of last. Undefined where the server is bound to one address. */
  #noteLocalAddress(address: string | undefined): void {
    if (address === undefined) return
    if (address !== this.#lastLocalAddress) {
      this.#lastLocalAddress = address
      this.#lastTag = this.#tagFor(address)
    }
    this.#clients.tag(this.#lastTag)
  }

  #tagFor(address: string): number {
    const known = this.#sources.findIndex(({ source }) => source.address === address)
    if (known >= 0) return known + 1
    const source = Endpoint.of(address, 0)
    if (source.isMulticast || this.#sources.length >= MAX_LOCAL_ADDRESSES) return 0
    return this.#sources.push({ source })
  }

  /** Sleeps until the client that was silent for longest may have to be forgotten. */
  #wait(): void {
    const oldest = this.#clients.oldestHeardMs
    if (this.#timer !== undefined || oldest === undefined) return
    const inMs = oldest + this.#options.activeMs - this.surroundings.clock.nowMs()
    this.#timer = this.surroundings.clock.setTimer(
      () => {
        this.#timer = undefined
        this.#expire()
        this.#wait()
      },
      Math.max(0, inMs) + EXPIRY_SLACK_MS,
    )
    this.#timer.unref()
  }

  #expire(): void {
    const sinceMs = this.surroundings.clock.nowMs() - this.#options.activeMs
    this.#clients.expire(sinceMs, (endpoint) => this.tell('peerlost', endpoint, 'silent'))
  }
}

export async function openResponderServer(
  options: ResolvedResponderServer,
  platform: LinkPlatform,
): Promise<ResponderServerLink> {
  const { localAddress } = options
  const isAny = localAddress === '*'
  const local = isAny ? undefined : await platform.resolve(localAddress, options.localPort)
  const socket = await platform.openUnicast({
    options,
    family: local === undefined ? 'both' : local.isIpv4 ? 'IPv4' : local.isAny ? 'both' : 'IPv6',
    localAddress: local?.address,
    tellsDestination: local === undefined || local.isAny,
  })
  return new ResponderServerLink(options, platform, socket)
}

/** Clients come in crowds; those that fall silent within this time of one another are forgotten together. */
const EXPIRY_SLACK_MS = 5
/** More addresses than a host has; what is asked at others is answered from where the kernel chooses. */
const MAX_LOCAL_ADDRESSES = 1024
