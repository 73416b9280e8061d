import { EventEmitter } from 'node:events'
import {
  Endpoint,
  checkInteger,
  checkOptions,
  checkSignal,
  closedError,
  obeySignal,
  throwLater,
  throwingLater,
  type DatagramBatch,
  type EndpointLike,
  type Link,
} from '../core/index.js'
import { AssemblyBudget } from './assembly-budget.js'
import { closeDeadlineMs } from './close-deadline.js'
import { FramePool } from './frame-pool.js'
import { FrameReceiver } from './frame-receiver.js'
import { FrameSender } from './frame-sender.js'
import type { DropReason, StreamHost } from './host.js'
import { Joiner, type JoinHost } from './joiner.js'
import { NOBODY, drawNodeId, type NodeId } from './node-id.js'
import { resolveNodeOptions, type NodeOptions, type ResolvedNodeOptions } from './node-options.js'
import { PeerTable } from './peer-table.js'
import { Peer } from './peer.js'
import { Publication } from './publication.js'
import { resolvePublicationOptions, type PublicationOptions } from './publication-options.js'
import type { Introduction } from './session.js'
import { StreamError } from './stream-error.js'
import type { Stream } from './stream.js'
import { UnsentBudget } from './unsent-memory.js'
import { FLAG } from './wire.js'
import { WorkLoop } from './work-loop.js'

/** The events of a {@link StreamNode}, with their arguments. */
export interface NodeEvents {
  /** Another node has joined this one. */
  peer: [peer: Peer]
  /** A peer has opened a stream. If nobody listens here or at the peer, it is refused. */
  stream: [stream: Stream, peer: Peer]
  /** A peer is gone. */
  peerClose: [peer: Peer, error: StreamError | undefined]
  /** The link can no longer work, or was closed; the node is closed by itself. */
  close: []
}

/** What a node counted. */
export interface NodeStatistics {
  framesReceived: number
  framesSent: number
  controlFramesSent: number
  /** Datagrams, or what was in them, that were dropped, by reason. */
  dropped: Partial<Record<DropReason, number>>
  peers: number
  /** Memory of frames that wait, and of messages that are being put together. */
  frameMemoryBytes: number
  assemblyBytes: number
  /** The rest of long messages that were taken: what frames had no room for yet. */
  unsentBytes: number
}

/**
 * A node on a {@link Link}: it joins others and is joined, and streams run between them.
 *
 * @throws Misuse.
 */
export function createNode(options: NodeOptions): StreamNode {
  return new StreamNode(resolveNodeOptions(options))
}

/** See {@link createNode}. */
export class StreamNode extends EventEmitter<NodeEvents> {
  /** What it calls itself. */
  readonly name: string
  readonly #options: ResolvedNodeOptions
  readonly #link: Link
  readonly #sender: FrameSender
  /** Where frames to groups leave. */
  readonly #groupSender: FrameSender
  readonly #host: StreamHost
  readonly #joiner: Joiner
  readonly #receiver: FrameReceiver
  readonly #loop: WorkLoop
  readonly #peers = new PeerTable()
  readonly #publications = new Set<Publication>()
  #nextGroup = 1
  readonly #dropped: Partial<Record<DropReason, number>> = {}
  #streamId: number
  #closed = false

  /** @internal */
  constructor(options: ResolvedNodeOptions) {
    super()
    this.name = options.name
    this.#options = options
    this.#streamId = options.random.uint32()
    this.#link = options.link
    const id = drawNodeId(options.name, options.random)
    const countDrop = (reason: DropReason): void => this.#countDrop(reason)
    this.#sender = new FrameSender(options.link, id, options.integrity, countDrop)
    this.#groupSender =
      options.groupLink === undefined ? this.#sender : new FrameSender(options.groupLink, id, options.integrity, countDrop)
    this.#loop = new WorkLoop(options.clock)
    this.#host = this.#makeHost(id)
    this.#joiner = new Joiner(this.#makeJoinHost(), options.random)
    this.#receiver = new FrameReceiver(this.#host, this.#peers, this.#joiner, this.#sender)
    for (const link of this.#links()) {
      link.on('batch', this.#onBatch)
      link.on('drain', this.#loop.onDrain)
      link.on('close', this.#onLinkClose)
    }
  }

  /**
   * Joins the node at `endpoint`; a peer that is joined already is given at once.
   *
   * @throws Misuse; {@link StreamError}: `ERR_CONNECT_TIMEOUT`, `ERR_CONNECT_REFUSED`, `ABORT_ERR`; `ERR_CLOSED`.
   */
  connect(endpoint: Endpoint | EndpointLike, options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Peer> {
    if (this.#closed) throw closedError('node')
    const target = Endpoint.from(endpoint)
    checkOptions('options', options, CONNECT_OPTIONS)
    const timeoutMs = checkInteger('options.timeoutMs', options.timeoutMs ?? CONNECT_TIMEOUT_MS, 1, MAX_TIMEOUT_MS)
    const { signal } = options
    checkSignal('options.signal', signal)
    const known = this.#peers.at(target)
    if (known !== undefined) return Promise.resolve(known)
    const aborted = (): StreamError => new StreamError('ABORT_ERR', 'The connect was aborted')
    if (signal?.aborted) return Promise.reject(aborted())
    const { joined, cancel } = this.#joiner.connect(target, this.#options.clock.nowMs(), timeoutMs)
    this.#loop.armTimer()
    return signal === undefined ? joined : joined.finally(obeySignal(signal, () => cancel(aborted())))
  }

  /**
   * Opens a stream to many. {@link Publication.add} makes peers its receivers.
   *
   * @throws Misuse; `ERR_CLOSED`.
   */
  openGroup(options: PublicationOptions = {}): Publication {
    if (this.#closed) throw closedError('node')
    const resolved = resolvePublicationOptions(options, {
      frameBytes: this.#options.frameBytes,
      congestionControl: this.#options.congestionControl,
      unfragmentedBytes: (group) => (group === undefined ? this.#link : this.#groupLink).unfragmentedBytes(group),
      drawPacket: () => this.#host.drawUint32(),
    })
    const publication = new Publication(this.#host, this.#nextGroup++, resolved)
    this.#publications.add(publication)
    return publication
  }

  /** The peers that are joined now. */
  peers(): Peer[] {
    return this.#peers.all()
  }

  /** Sends what streams have now, instead of at the end of the tick. */
  flush(): void {
    if (this.#closed) throw closedError('node')
    this.#loop.run()
    for (const link of this.#links()) link.flush()
  }

  /** What was counted since the node was made; a copy. Also of a closed node. */
  stats(): NodeStatistics {
    return {
      framesReceived: this.#receiver.framesReceived,
      ...this.#countSent(),
      dropped: { ...this.#dropped },
      peers: this.#peers.size,
      frameMemoryBytes: this.#host.pool.takenBytes,
      assemblyBytes: this.#host.budget.takenBytes,
      unsentBytes: this.#host.unsent.takenBytes,
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Closes all streams and publications within `deadlineMs`, leaves all peers, and lets go of the link. Harmless to repeat. */
  async close(options: { deadlineMs?: number } = {}): Promise<void> {
    const deadlineMs = closeDeadlineMs(options)
    if (this.#closed) return
    // Together, so that none takes another's time. Peers are left when all are over: they are receivers of publications.
    const publications = [...this.#publications].map((publication) => publication.close({ deadlineMs }))
    await Promise.all([...publications, ...this.peers().map((peer) => peer.closeStreams({ deadlineMs }))])
    this.destroy()
  }

  /** Leaves all peers and lets go of the link, without waiting for anything. */
  destroy(): void {
    if (this.#closed) return
    for (const publication of this.#publications) publication.destroy(new StreamError('ERR_CLOSED', 'The node was closed'))
    for (const peer of this.peers()) peer.leave()
    for (const link of this.#links()) if (!link.closed) link.flush()
    this.#end(new StreamError('ERR_CLOSED', 'The node was closed'))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** May the timers of the node keep the process alive? They do until `unref`. The link has a reference of its own. */
  ref(): this {
    this.#loop.ref()
    return this
  }

  unref(): this {
    this.#loop.unref()
    return this
  }

  readonly #onBatch = (batch: DatagramBatch): void => this.#loop.receive(batch, this.#receiver)

  readonly #onLinkClose = (): void => this.#end(new StreamError('ERR_CLOSED', 'The link was closed'))

  get #groupLink(): Link {
    return this.#options.groupLink ?? this.#link
  }

  #links(): Link[] {
    return this.#groupLink === this.#link ? [this.#link] : [this.#link, this.#groupLink]
  }

  #countSent(): { framesSent: number; controlFramesSent: number } {
    const [one, other] = [this.#sender.counters, this.#groupSender.counters]
    if (one === other) return one
    return {
      framesSent: one.framesSent + other.framesSent,
      controlFramesSent: one.controlFramesSent + other.controlFramesSent,
    }
  }

  #admit(introduction: Introduction, nowMs: number, isInvited: boolean): Peer {
    const frameBytes = Math.min(this.#options.frameBytes, introduction.frameBytes)
    const peer = new Peer(this.#host, { ...introduction, frameBytes }, this.#options.congestionControl(), nowMs)
    this.#peers.add(peer)
    if (!isInvited) throwingLater(() => this.emit('peer', peer))
    return peer
  }

  #offerStream(stream: Stream): boolean {
    try {
      return this.emit('stream', stream, stream.peer as Peer)
    } catch (error) {
      throwLater(error)
      return true
    }
  }

  #onPeerClosed(peer: Peer, error: StreamError | undefined): void {
    this.#peers.delete(peer)
    this.#loop.forget(peer)
    queueMicrotask(() => throwingLater(() => this.emit('peerClose', peer, error)))
  }

  #end(error: StreamError): void {
    if (this.#closed) return
    for (const publication of this.#publications) publication.destroy(error)
    for (const peer of this.peers()) peer.destroy(error)
    this.#joiner.abort(error)
    this.#closed = true
    this.#loop.stop()
    this.#receiver.stop()
    for (const link of this.#links()) {
      link.off('batch', this.#onBatch)
      link.off('drain', this.#loop.onDrain)
      link.off('close', this.#onLinkClose)
    }
    process.nextTick(() => this.emit('close'))
  }

  #forgetPublication(publication: Publication): void {
    this.#publications.delete(publication)
    this.#loop.schedule(publication, Infinity)
    this.#loop.forget(publication)
  }

  /** Modulo 2^32, without 0. */
  #takeStreamId(): number {
    this.#streamId = (this.#streamId + 1) >>> 0 || 1
    return this.#streamId
  }

  #countDrop(reason: DropReason): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1
  }

  #makeHost(id: NodeId): StreamHost {
    const options = this.#options
    return {
      id,
      integrity: options.integrity,
      pool: new FramePool(options.frameBytes, options.maxFrameMemoryBytes),
      budget: new AssemblyBudget(options.maxAssemblyBytes),
      unsent: new UnsentBudget(options.maxFrameMemoryBytes),
      maxMessageBytes: options.maxMessageBytes,
      maxStreams: options.maxStreamsPerPeer,
      keepAliveMs: options.keepAliveMs,
      peerTimeoutMs: options.peerTimeoutMs,
      nowMs: () => options.clock.nowMs(),
      timestamp: (nowMs) => Math.round(nowMs * 1000) >>> 0 || 1,
      sendFrame: (frame, endpoint) => this.#sender.sendFrame(frame, endpoint),
      sendProbe: (frameBytes, receiver, endpoint) => this.#sender.sendProbe(frameBytes, receiver, endpoint),
      unfragmentedBytes: (endpoint) => this.#link.unfragmentedBytes(endpoint),
      sendControl: (frame, flags, receiver, endpoint) => this.#sender.sendControl(frame, flags, receiver, endpoint),
      sendToGroup: (frame, group) => this.#groupSender.sendFrame(frame, group),
      sendControlToGroup: (frame, group) => this.#groupSender.sendControl(frame, FLAGS_TO_GROUP, NOBODY, group),
      repairHistoryBytes: options.repairHistoryBytes,
      forgetPublication: (publication) => this.#forgetPublication(publication as Publication),
      touch: (stream) => this.#loop.touch(stream as Stream | Publication),
      schedule: (item, deadlineMs) => this.#loop.schedule(item, deadlineMs),
      drawUint32: () => options.random.uint32(),
      takeStreamId: () => this.#takeStreamId(),
      flushLater: (peer) => this.#loop.flushLater(peer as Peer),
      countDrop: (reason) => this.#countDrop(reason),
      offerStream: (stream) => this.#offerStream(stream as Stream),
      onPeerClosed: (peer, error) => this.#onPeerClosed(peer as Peer, error),
    }
  }

  #makeJoinHost(): JoinHost {
    const isFull = (): boolean => this.#peers.size >= this.#options.maxPeers
    return {
      name: this.#options.name,
      frameBytes: this.#options.frameBytes,
      get isFull() {
        return isFull()
      },
      timestamp: (nowMs) => this.#host.timestamp(nowMs),
      schedule: (item, deadlineMs) => this.#loop.schedule(item, deadlineMs),
      sendControl: (frame, flags, receiver, endpoint) => this.#sender.sendControl(frame, flags, receiver, endpoint),
      countDrop: (reason) => this.#countDrop(reason),
      peerAt: (endpoint) => this.#peers.at(endpoint),
      peerOf: (id) => this.#peers.find(id.place, id.life),
      admit: (introduction, nowMs, isInvited) => this.#admit(introduction, nowMs, isInvited),
    }
  }
}

const CONNECT_OPTIONS: ReadonlySet<string> = new Set(['timeoutMs', 'signal'])
const FLAGS_TO_GROUP = FLAG.control | FLAG.opener
const CONNECT_TIMEOUT_MS = 5000
const MAX_TIMEOUT_MS = 2 ** 31 - 1
