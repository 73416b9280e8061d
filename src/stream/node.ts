import { EventEmitter } from 'node:events'
import {
  Endpoint,
  checkInteger,
  checkOptions,
  closedError,
  throwLater,
  type Clock,
  type DatagramBatch,
  type EndpointLike,
  type Link,
  type Timer,
} from '../core/index.js'
import { readUint32 } from './bytes.js'
import { decodeControl, encodeControl, type ControlFrame } from './control-frame.js'
import { DeadlineQueue, type Scheduled } from './deadline-queue.js'
import { FramePool } from './frame-pool.js'
import { headerDefect, readReceiver, readSender, writeHeader } from './header.js'
import type { DropReason, StreamHost } from './host.js'
import { Joiner } from './joiner.js'
import { drawNodeId, nodeKey, type NodeId } from './node-id.js'
import { resolveNodeOptions, type NodeOptions, type ResolvedNodeOptions } from './node-options.js'
import { Peer } from './peer.js'
import { StreamError } from './stream-error.js'
import { checkSignal } from './stream-options.js'
import type { Stream } from './stream.js'
import { DATA, DATA_HEADER_BYTES, FLAG, HEADER, MAX_NAK_RANGES, NAK, NAK_RANGE_BYTES, TYPE } from './wire.js'

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
  readonly #clock: Clock
  readonly #id: NodeId
  readonly #host: StreamHost
  readonly #joiner: Joiner
  readonly #deadlines = new DeadlineQueue<Scheduled>()
  readonly #peers = new Map<number, Peer>()
  readonly #peersByEndpoint = new Map<string, Peer>()
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES)
  readonly #counters = { framesReceived: 0, framesSent: 0, controlFramesSent: 0 }
  readonly #dropped: Partial<Record<DropReason, number>> = {}
  #assemblyBytes = 0
  #touched: Stream[] = []
  /** Peers whose frames wait for the link, or whose pace allows more. */
  readonly #waiting = new Set<Peer>()
  #isBusy = false
  #isTickScheduled = false
  #timer: Timer | undefined
  #timerMs = Infinity
  #strangerTokens = MAX_STRANGERS_PER_SECOND
  #strangerMs = 0
  #lastSenderLife = 0
  #lastPeer: Peer | undefined
  #isReferenced = true
  #closed = false

  /** @internal */
  constructor(options: ResolvedNodeOptions) {
    super()
    this.name = options.name
    this.#options = options
    this.#link = options.link
    this.#clock = options.clock
    this.#id = drawNodeId(options.name, options.random)
    this.#host = this.#makeHost()
    this.#joiner = new Joiner(this.#makeJoinHost(), options.random)
    this.#link.on('batch', this.#onBatch)
    this.#link.on('drain', this.#onLinkDrain)
    this.#link.on('close', this.#onLinkClose)
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
    if (signal !== undefined) checkSignal('options.signal', signal)
    const known = this.#peersByEndpoint.get(target.toString())
    if (known !== undefined) return Promise.resolve(known)
    const aborted = (): StreamError => new StreamError('ABORT_ERR', 'The connect was aborted')
    if (signal?.aborted) return Promise.reject(aborted())
    const { joined, cancel } = this.#joiner.connect(target, this.#clock.nowMs(), timeoutMs)
    this.#armTimer()
    if (signal === undefined) return joined
    const abort = (): void => cancel(aborted())
    signal.addEventListener('abort', abort, { once: true })
    return joined.finally(() => signal.removeEventListener('abort', abort))
  }

  /** The peers that are joined now. */
  peers(): Peer[] {
    return [...this.#peers.values()]
  }

  /** Sends what streams have now, instead of at the end of the tick. */
  flush(): void {
    if (this.#closed) throw closedError('node')
    if (!this.#isBusy) this.#work(this.#clock.nowMs(), undefined)
    this.#link.flush()
  }

  /** What was counted since the node was made; a copy. Also of a closed node. */
  stats(): NodeStatistics {
    return {
      ...this.#counters,
      dropped: { ...this.#dropped },
      peers: this.#peers.size,
      frameMemoryBytes: this.#host.pool.takenBytes,
      assemblyBytes: this.#assemblyBytes,
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Closes all streams within `deadlineMs`, leaves all peers, and lets go of the link. Harmless to repeat. */
  async close(options: { deadlineMs?: number } = {}): Promise<void> {
    if (this.#closed) return
    await Promise.all(this.peers().map((peer) => peer.close(options)))
    this.destroy()
  }

  /** Leaves all peers and lets go of the link, without waiting for anything. */
  destroy(): void {
    if (this.#closed) return
    for (const peer of this.peers()) peer.leave()
    if (!this.#link.closed) this.#link.flush()
    this.#end(new StreamError('ERR_CLOSED', 'The node was closed'))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** May the timers of the node keep the process alive? They do until `unref`. The link has a reference of its own. */
  ref(): this {
    this.#isReferenced = true
    this.#timerMs = Infinity
    this.#armTimer()
    return this
  }

  unref(): this {
    this.#isReferenced = false
    this.#timer?.unref()
    return this
  }

  readonly #onBatch = (batch: DatagramBatch): void => {
    this.#work(this.#clock.nowMs(), batch)
  }

  readonly #onLinkDrain = (): void => {
    this.#work(this.#clock.nowMs(), undefined)
  }

  readonly #onLinkClose = (): void => this.#end(new StreamError('ERR_CLOSED', 'The link was closed'))

  readonly #onTimer = (): void => {
    this.#timerMs = Infinity
    this.#work(this.#clock.nowMs(), undefined)
  }

  readonly #onTick = (): void => {
    this.#isTickScheduled = false
    if (!this.#closed && !this.#isBusy) this.#work(this.#clock.nowMs(), undefined)
  }

  /** Everything the node does: takes what has come, does what is due, says what there is to say. */
  #work(nowMs: number, batch: DatagramBatch | undefined): void {
    if (this.#closed) return
    this.#isBusy = true
    try {
      this.#workThrough(nowMs, batch)
    } finally {
      this.#isBusy = false
    }
    if (this.#touched.length > 0) this.#scheduleTick()
    this.#armTimer()
  }

  #workThrough(nowMs: number, batch: DatagramBatch | undefined): void {
    if (batch !== undefined) this.#receive(batch, nowMs)
    for (let due = this.#deadlines.takeDue(nowMs); due !== undefined; due = this.#deadlines.takeDue(nowMs)) due.onDeadline(nowMs)
    if (this.#waiting.size > 0) {
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const peer of waiting) this.#flushPeer(peer, nowMs)
    }
    // What a handler does here may touch streams again; every round sends, and window and pace end it.
    for (let rounds = 0; this.#touched.length > 0 && rounds < MAX_ROUNDS; rounds++) this.#settleTouched(nowMs)
  }

  #receive(batch: DatagramBatch, nowMs: number): void {
    const { count } = batch
    for (let i = 0; i < count && !this.#closed; i++) {
      if (batch.truncated(i)) this.#countDrop('truncated')
      else this.#receiveFrame(batch.payload(i), batch.endpoint(i), nowMs)
    }
  }

  #receiveFrame(frame: Buffer, endpoint: Endpoint, nowMs: number): void {
    const { integrity } = this.#options
    const defect = headerDefect(frame, integrity.mode, integrity.trailerBytes)
    if (defect !== undefined) return this.#countDrop(defect)
    if (!integrity.verify(frame)) return this.#countDrop('integrity')
    this.#counters.framesReceived++
    const end = frame.length - integrity.trailerBytes
    const flags = frame[HEADER.flags]!
    const receiverLife = readUint32(frame, HEADER.receiverLife)
    if (receiverLife !== this.#id.life || readUint32(frame, HEADER.receiverPlace) !== this.#id.place) {
      return this.#receiveForOthers(frame, end, endpoint, nowMs)
    }
    const life = readUint32(frame, HEADER.senderLife)
    let peer = this.#lastPeer
    if (life !== this.#lastSenderLife || peer === undefined || readUint32(frame, HEADER.senderPlace) !== peer.id.place) {
      peer = this.#peers.get(nodeKey(readUint32(frame, HEADER.senderPlace), life))
      if (peer === undefined) return this.#receiveFromUnknown(frame, end, endpoint, nowMs)
      this.#lastPeer = peer
      this.#lastSenderLife = life
    }
    if (endpoint !== peer.endpoint && !endpoint.equals(peer.endpoint)) return this.#countDrop('wrongEndpoint')
    peer.lastHeardMs = nowMs
    if ((flags & FLAG.control) === 0) this.#receiveData(peer, frame, flags, end, nowMs)
    else this.#receiveControl(peer, frame, flags, end, nowMs)
  }

  #receiveData(peer: Peer, frame: Buffer, flags: number, end: number, nowMs: number): void {
    if (end < DATA_HEADER_BYTES) return this.#countDrop('short')
    const stream = peer.find(readUint32(frame, DATA.stream), (flags & FLAG.opener) !== 0)
    if (stream === undefined) return this.#countDrop('unknownStream')
    const isNumbered = (flags & FLAG.numbered) !== 0
    if (isNumbered === (stream.kind === 'fireAndForget')) return this.#countDrop('wrongKind')
    if (!stream.isTouched) this.#touch(stream)
    stream.confirm()
    if (!isNumbered) {
      if ((flags & FLAG.piece) !== 0) return this.#countDrop('malformed')
      return stream.receiving.onUnnumbered(frame, end)
    }
    const packet = readUint32(frame, DATA.packet)
    if ((flags & FLAG.piece) !== 0) {
      return stream.receiving.onPiece(packet, frame[HEADER.type]!, readUint32(frame, DATA.timestamp), frame, end, nowMs)
    }
    stream.receiving.onData(packet, frame[HEADER.type]!, readUint32(frame, DATA.timestamp), frame, end, nowMs)
  }

  #receiveControl(peer: Peer, bytes: Buffer, flags: number, end: number, nowMs: number): void {
    const frame = this.#decode(bytes, end)
    if (frame === undefined) return
    switch (frame.type) {
      case TYPE.ping:
        return peer.sendControl({ type: TYPE.pong, timestamp: frame.timestamp })
      case TYPE.pong:
        return peer.onPong(frame.timestamp, nowMs)
      case TYPE.probe:
        // What has arrived is what counts, whatever it says.
        return peer.sendControl({ type: TYPE.probeAck, frameBytes: bytes.length })
      case TYPE.probeAck:
        return peer.onProbeAck(frame.frameBytes, nowMs)
      case TYPE.bye:
        return peer.destroy(new StreamError('ERR_PEER_LEFT', `${peer.endpoint.toString()} has left`))
      case TYPE.stranger:
        return this.#onStranger(frame, readSender(bytes), peer.endpoint)
      case TYPE.hello:
      case TYPE.challenge:
      case TYPE.welcome:
      case TYPE.refuse:
        return this.#onJoining(frame, readSender(bytes), peer.endpoint, nowMs)
      default:
        return peer.onStreamControl(frame, (flags & FLAG.opener) !== 0, nowMs)
    }
  }

  /** A frame to nobody is a hello; one to another life of ours is told so. */
  #receiveForOthers(bytes: Buffer, end: number, endpoint: Endpoint, nowMs: number): void {
    const receiver = readReceiver(bytes)
    if (receiver.life === 0 && (bytes[HEADER.flags]! & FLAG.control) !== 0) {
      const frame = this.#decode(bytes, end)
      if (frame === undefined) return
      if (frame.type === TYPE.hello) return this.#joiner.onHello(frame, readSender(bytes), endpoint, nowMs)
    }
    this.#countDrop('otherLife')
    this.#answerStranger(bytes, receiver, endpoint, nowMs)
  }

  #receiveFromUnknown(bytes: Buffer, end: number, endpoint: Endpoint, nowMs: number): void {
    if ((bytes[HEADER.flags]! & FLAG.control) !== 0) {
      const type = bytes[HEADER.type]!
      if (type === TYPE.challenge || type === TYPE.welcome || type === TYPE.refuse || type === TYPE.stranger) {
        const frame = this.#decode(bytes, end)
        if (frame === undefined) return
        if (frame.type === TYPE.stranger) return this.#onStranger(frame, readSender(bytes), endpoint)
        return this.#onJoining(frame, readSender(bytes), endpoint, nowMs)
      }
      if (type === TYPE.bye) return this.#countDrop('unknownPeer')
    }
    this.#countDrop('unknownPeer')
    // It may have been admitted there by a hello of ours whose welcome is still under way.
    if (!this.#joiner.isAsking(endpoint)) this.#answerStranger(bytes, this.#id, endpoint, nowMs)
  }

  #onJoining(frame: ControlFrame, sender: NodeId, endpoint: Endpoint, nowMs: number): void {
    if (frame.type === TYPE.hello) this.#joiner.onHello(frame, sender, endpoint, nowMs)
    else this.#joiner.onAnswer(frame, sender, endpoint, nowMs)
  }

  /** Whom we send to says that it is not, or no longer, joined with us. */
  #onStranger(frame: { readonly place: number; readonly life: number }, sender: NodeId, endpoint: Endpoint): void {
    const peer = this.#peers.get(nodeKey(frame.place, frame.life))
    if (peer === undefined || !peer.endpoint.equals(endpoint)) return this.#countDrop('unexpectedAnswer')
    const isSame = sender.life === frame.life && sender.place === frame.place
    peer.destroy(
      isSame
        ? new StreamError('ERR_PEER_LEFT', `${endpoint.toString()} has left`)
        : new StreamError('ERR_PEER_RESTARTED', `${endpoint.toString()} has started anew`),
    )
  }

  #answerStranger(bytes: Buffer, meant: NodeId, endpoint: Endpoint, nowMs: number): void {
    // No answer to an answer, so that two strangers do not go on for ever.
    if ((bytes[HEADER.flags]! & FLAG.control) !== 0 && bytes[HEADER.type] === TYPE.stranger) return
    const earned = ((nowMs - this.#strangerMs) * MAX_STRANGERS_PER_SECOND) / 1000
    this.#strangerTokens = Math.min(MAX_STRANGERS_PER_SECOND, this.#strangerTokens + earned)
    this.#strangerMs = nowMs
    if (this.#strangerTokens < 1) return
    this.#strangerTokens--
    this.#sendControl({ type: TYPE.stranger, ...meant }, FLAG.control, readSender(bytes), endpoint)
  }

  #decode(bytes: Buffer, end: number): ControlFrame | undefined {
    const type = bytes[HEADER.type]!
    const frame = decodeControl(bytes, type, end)
    if (frame === undefined) this.#countDrop(KNOWN_TYPES.has(type) ? 'malformed' : 'unknownType')
    return frame
  }

  #settleTouched(nowMs: number): void {
    const touched = this.#touched
    this.#touched = []
    for (const stream of touched) {
      stream.isTouched = false
      stream.settle(nowMs)
      if (stream.hasWork && !stream.isQueued) {
        stream.isQueued = true
        peerOf(stream).sendQueue.push(stream)
      }
    }
    for (const stream of touched) if (peerOf(stream).sendQueue.length > 0) this.#flushPeer(peerOf(stream), nowMs)
    for (const stream of touched) this.#deadlines.schedule(stream, stream.nextDeadlineMs())
  }

  #flushPeer(peer: Peer, nowMs: number): void {
    if (peer.closed || this.#waiting.has(peer)) return
    if (!peer.flush(nowMs)) this.#waiting.add(peer)
  }

  #touch(stream: Stream): void {
    if (stream.isTouched || stream.closed) return
    stream.isTouched = true
    this.#touched.push(stream)
    if (!this.#isBusy) this.#scheduleTick()
  }

  #scheduleTick(): void {
    if (this.#isTickScheduled) return
    this.#isTickScheduled = true
    process.nextTick(this.#onTick)
  }

  #armTimer(): void {
    const dueMs = this.#deadlines.nextMs
    if (this.#closed || dueMs >= this.#timerMs) return
    this.#timer?.cancel()
    this.#timerMs = dueMs
    this.#timer = this.#clock.setTimer(this.#onTimer, Math.max(0, dueMs - this.#clock.nowMs()))
    if (!this.#isReferenced) this.#timer.unref()
  }

  #sendControl(frame: ControlFrame, flags: number, receiver: NodeId, endpoint: Endpoint): void {
    const { integrity } = this.#options
    writeHeader(this.#scratch, flags, frame.type, integrity.mode, this.#id, receiver)
    const end = encodeControl(this.#scratch, frame)
    const bytes = this.#scratch.subarray(0, end + integrity.trailerBytes)
    integrity.seal(bytes)
    // Whatever it says is said again when it is still true.
    if (!this.#sendFrame(bytes, endpoint)) this.#countDrop('linkFull')
    else this.#counters.controlFramesSent++
  }

  #sendProbe(frameBytes: number, receiver: NodeId, endpoint: Endpoint): void {
    const { integrity } = this.#options
    const frame = Buffer.alloc(frameBytes)
    writeHeader(frame, FLAG.control, TYPE.probe, integrity.mode, this.#id, receiver)
    encodeControl(frame, { type: TYPE.probe, frameBytes })
    integrity.seal(frame)
    if (!this.#sendFrame(frame, endpoint)) this.#countDrop('linkFull')
    else this.#counters.controlFramesSent++
  }

  #sendFrame(frame: Buffer, endpoint: Endpoint): boolean {
    if (this.#link.closed) return false
    if (!this.#link.send(frame, endpoint)) return false
    this.#counters.framesSent++
    return true
  }

  #admit(id: NodeId, name: string, endpoint: Endpoint, frameBytes: number, nowMs: number, isInvited: boolean): Peer {
    const known = this.#peersByEndpoint.get(endpoint.toString())
    if (known !== undefined) {
      if (known.id.life === id.life && known.id.place === id.place) return known
      known.destroy(new StreamError('ERR_PEER_RESTARTED', `${endpoint.toString()} has started anew`))
    }
    const shorter = Math.min(this.#options.frameBytes, frameBytes)
    const peer = new Peer(this.#host, id, name, endpoint, shorter, this.#options.congestionControl(), nowMs)
    this.#peers.set(nodeKey(id.place, id.life), peer)
    this.#peersByEndpoint.set(endpoint.toString(), peer)
    if (!isInvited) {
      try {
        this.emit('peer', peer)
      } catch (error) {
        throwLater(error)
      }
    }
    return peer
  }

  #offerStream(stream: Stream): boolean {
    try {
      return this.emit('stream', stream, peerOf(stream))
    } catch (error) {
      throwLater(error)
      return true
    }
  }

  #onPeerClosed(peer: Peer, error: StreamError | undefined): void {
    this.#peers.delete(nodeKey(peer.id.place, peer.id.life))
    this.#peersByEndpoint.delete(peer.endpoint.toString())
    this.#waiting.delete(peer)
    if (this.#lastPeer === peer) this.#lastPeer = undefined
    queueMicrotask(() => {
      try {
        this.emit('peerClose', peer, error)
      } catch (thrown) {
        throwLater(thrown)
      }
    })
  }

  #end(error: StreamError): void {
    if (this.#closed) return
    for (const peer of this.peers()) peer.destroy(error)
    this.#joiner.abort(error)
    this.#closed = true
    this.#timer?.cancel()
    this.#link.off('batch', this.#onBatch)
    this.#link.off('drain', this.#onLinkDrain)
    this.#link.off('close', this.#onLinkClose)
    process.nextTick(() => this.emit('close'))
  }

  #countDrop(reason: DropReason): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1
  }

  #makeHost(): StreamHost {
    const options = this.#options
    const timestamp = (nowMs: number): number => Math.round(nowMs * 1000) >>> 0 || 1
    return {
      id: this.#id,
      integrity: options.integrity,
      pool: new FramePool(options.frameBytes, options.maxFrameMemoryBytes),
      budget: {
        take: (bytes) => {
          if (this.#assemblyBytes + bytes > options.maxAssemblyBytes) return false
          this.#assemblyBytes += bytes
          return true
        },
        give: (bytes) => (this.#assemblyBytes -= bytes),
      },
      maxMessageBytes: options.maxMessageBytes,
      maxStreams: options.maxStreamsPerPeer,
      keepAliveMs: options.keepAliveMs,
      peerTimeoutMs: options.peerTimeoutMs,
      nowMs: () => this.#clock.nowMs(),
      timestamp,
      setTimer: (callback, delayMs) => this.#clock.setTimer(callback, delayMs),
      sendFrame: (frame, endpoint) => this.#sendFrame(frame, endpoint),
      sendProbe: (frameBytes, receiver, endpoint) => this.#sendProbe(frameBytes, receiver, endpoint),
      unfragmentedBytes: (endpoint) => this.#link.unfragmentedBytes(endpoint),
      sendControl: (frame, flags, receiver, endpoint) => this.#sendControl(frame, flags, receiver, endpoint),
      touch: (stream) => this.#touch(stream as Stream),
      schedule: (item, deadlineMs) => this.#deadlines.schedule(item, deadlineMs),
      drawUint32: () => options.random.uint32(),
      flushLater: (peer) => void this.#waiting.add(peer as Peer),
      countDrop: (reason) => this.#countDrop(reason),
      offerStream: (stream) => this.#offerStream(stream as Stream),
      onPeerClosed: (peer, error) => this.#onPeerClosed(peer as Peer, error),
    }
  }

  #makeJoinHost(): ConstructorParameters<typeof Joiner>[0] {
    const isFull = (): boolean => this.#peers.size >= this.#options.maxPeers
    return {
      name: this.#options.name,
      frameBytes: this.#options.frameBytes,
      get isFull() {
        return isFull()
      },
      timestamp: (nowMs) => this.#host.timestamp(nowMs),
      schedule: (item, deadlineMs) => this.#deadlines.schedule(item, deadlineMs),
      sendControl: (frame, flags, receiver, endpoint) => this.#sendControl(frame, flags, receiver, endpoint),
      countDrop: (reason) => this.#countDrop(reason),
      peerAt: (endpoint) => this.#peersByEndpoint.get(endpoint.toString()),
      admit: (id, name, endpoint, frameBytes, nowMs, isInvited) => this.#admit(id, name, endpoint, frameBytes, nowMs, isInvited),
    }
  }
}

/** Streams are made by peers alone. */
function peerOf(stream: Stream): Peer {
  return stream.peer as Peer
}

const CONNECT_OPTIONS: ReadonlySet<string> = new Set(['timeoutMs', 'signal'])
const CONNECT_TIMEOUT_MS = 5000
const MAX_TIMEOUT_MS = 2 ** 31 - 1
const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(TYPE))
/** The longest control frame, and a trailer. */
const SCRATCH_BYTES = NAK.ranges + MAX_NAK_RANGES * NAK_RANGE_BYTES + 64
/** Answers to frames of other lives: who forges senders gets no more than this from us. */
const MAX_STRANGERS_PER_SECOND = 1000
/** Between two looks at the network. */
const MAX_ROUNDS = 16
