import { EventEmitter } from 'node:events'
import { closedError, throwLater, type Endpoint } from '../core/index.js'
import type { ControlFrame, OpenFrame } from './control-frame.js'
import type { Scheduled } from './deadline-queue.js'
import type { FrameSlot } from './frame-pool.js'
import { FrameWriter } from './frame-writer.js'
import { writeUint16 } from './bytes.js'
import { writeDataFields, writeHeader } from './header.js'
import type { StreamHost } from './host.js'
import type { NodeId } from './node-id.js'
import { Path } from './path.js'
import { PathMtu } from './path-mtu.js'
import type { CongestionControl } from './congestion-control.js'
import { Sent } from './send-half.js'
import { StreamError } from './stream-error.js'
import { kindOf, resolveStreamOptions, type StreamOptions } from './stream-options.js'
import { Stream, type StreamPeer } from './stream.js'
import { UNNUMBERED } from './unnumbered-send-half.js'
import { BYE_REASON, DATA_HEADER_BYTES, FLAG, MIN_FRAME_BYTES, PIECE, RESET_REASON, TYPE } from './wire.js'

/** The events of a {@link Peer}, with their arguments. */
export interface PeerEvents {
  /** The peer has opened a stream. If nobody listens here or at the node, it is refused. */
  stream: [stream: Stream]
  /** The peer is gone: its streams have ended. With an error unless it was closed here. */
  close: [error: StreamError | undefined]
}

/** How a peer stands. */
export interface PeerStatistics {
  /** Milliseconds, smoothed; undefined before the first sample. */
  roundTripMs: number | undefined
  roundTripVariationMs: number
  minRoundTripMs: number
  /** Packets sent that have neither arrived nor are known to be lost, and how many may be. */
  inFlightPackets: number
  windowPackets: number
  /** The longest frame sent to it. */
  frameBytes: number
  streams: number
}

/** Another node that has been joined. It lives until it is closed, leaves, starts anew, or falls silent. */
export class Peer extends EventEmitter<PeerEvents> implements Scheduled, StreamPeer {
  readonly endpoint: Endpoint
  /** As the peer calls itself. */
  readonly name: string
  /** @internal */ readonly host: StreamHost
  /** @internal */ readonly id: NodeId
  /** @internal */ readonly path: Path
  /** @internal */ readonly writer: FrameWriter
  /** @internal */ deadlineMs = Infinity
  /** @internal */ queueIndex = -1
  /** @internal */ lastHeardMs: number
  /** Streams with data that may leave, in turns. @internal */
  readonly sendQueue: Stream[] = []
  readonly #streams = new Map<number, Stream>()
  #nextId = 1
  /** The highest id that the peer gave a stream, and those below that have not come. */
  #remoteHighest = 0
  readonly #skipped = new Set<number>()
  /** Why streams that are over are over, the latest of them, by key. */
  readonly #finished = new Map<number, number>()
  #timestamp = 0
  readonly #mtu: PathMtu
  #paceMs = Infinity
  #aliveMs: number
  #closed = false

  /** @internal */
  constructor(
    host: StreamHost,
    id: NodeId,
    name: string,
    endpoint: Endpoint,
    frameBytes: number,
    congestion: CongestionControl,
    nowMs: number,
  ) {
    super()
    this.host = host
    this.id = id
    this.name = name
    this.endpoint = endpoint
    const usual = Math.max(MIN_FRAME_BYTES, Math.min(frameBytes, host.unfragmentedBytes(endpoint)))
    this.#mtu = new PathMtu(usual, frameBytes, nowMs)
    this.path = new Path(congestion, usual)
    this.writer = new FrameWriter(usual, host.integrity.trailerBytes)
    this.lastHeardMs = nowMs
    this.#aliveMs = nowMs + host.keepAliveMs
    this.#reschedule()
  }

  /**
   * Opens a stream. It can be used at once.
   *
   * @throws Misuse; `ERR_CLOSED`.
   */
  openStream(options: StreamOptions = {}): Stream {
    if (this.#closed) throw closedError('peer')
    const resolved = resolveStreamOptions(options, this.path.frameBytes, () => this.host.drawUint32())
    const stream = new Stream(this, this.#nextId++, true, resolved)
    this.#streams.set(keyOf(stream.id, true), stream)
    this.host.touch(stream)
    return stream
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Closes all streams within `deadlineMs` (see {@link Stream.close}), and leaves. */
  async close(options: { deadlineMs?: number } = {}): Promise<void> {
    await Promise.all([...this.#streams.values()].map((stream) => stream.close(options)))
    this.leave()
  }

  /** How the way to the peer stands; a copy. */
  stats(): PeerStatistics {
    const { roundTrip, inFlightPackets, congestion, frameBytes } = this.path
    return {
      roundTripMs: roundTrip.hasSample ? roundTrip.smoothedMs : undefined,
      roundTripVariationMs: roundTrip.variationMs,
      minRoundTripMs: roundTrip.minMs,
      inFlightPackets,
      windowPackets: congestion.windowPackets,
      frameBytes,
      streams: this.#streams.size,
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Ends without waiting. @internal */
  leave(): void {
    if (this.#closed) return
    this.sendControl({ type: TYPE.bye, reason: BYE_REASON.left })
    this.destroy(undefined)
  }

  /** @internal */
  sendControl(frame: ControlFrame): void {
    this.host.sendControl(frame, FLAG.control, this.id, this.endpoint)
  }

  /** @internal */
  sendStreamControl(frame: ControlFrame, isOpener: boolean): void {
    this.host.sendControl(frame, isOpener ? FLAG.control | FLAG.opener : FLAG.control, this.id, this.endpoint)
  }

  /** Completes a data frame and hands it to the link. False: the link is full. @internal */
  transmit(stream: Stream, slot: FrameSlot, packet: number, transmission: number): boolean {
    const { host } = this
    const flags = (stream.isOpener ? FLAG.opener : 0) | (packet === UNNUMBERED ? 0 : FLAG.numbered)
    const { memory, length } = slot
    writeHeader(memory, flags, transmission, host.integrity.mode, host.id, this.id)
    writeDataFields(memory, stream.id, packet === UNNUMBERED ? 0 : packet, this.#timestamp)
    const frame = slot.view(length + host.integrity.trailerBytes)
    // One without a number is sent once, and takes its chance.
    if (frame.length > this.path.frameBytes && packet !== UNNUMBERED) return this.#transmitPieces(slot, flags)
    host.integrity.seal(frame)
    if (!host.sendFrame(frame, this.endpoint)) return false
    this.path.spend(frame.length)
    return true
  }

  /** Sends what streams have, in turns, as far as window, pace and link allow. False: the link is full. @internal */
  flush(nowMs: number): boolean {
    const { path, sendQueue } = this
    if (sendQueue.length === 0) return true
    this.#timestamp = this.host.timestamp(nowMs)
    path.refill(nowMs)
    while (sendQueue.length > 0) {
      const stream = sendQueue[0]!
      const sent = this.#sendTurn(stream, nowMs)
      if (sent === Sent.linkFull) return false
      // A 'drain' handler may have ended it.
      if (sendQueue[0] !== stream) continue
      if (stream.hasWork && sent !== Sent.nothing) sendQueue.push(stream)
      else if (stream.hasWork) break
      else stream.isQueued = false
      sendQueue.shift()
    }
    this.#paceMs = sendQueue.length > 0 && path.isPaceLimited ? path.nextSendMs() : Infinity
    this.#reschedule()
    return true
  }

  /** A frame of control for a stream, or an open. @internal */
  onStreamControl(frame: ControlFrame & { readonly stream: number }, isFromOpener: boolean, nowMs: number): void {
    const isOurs = !isFromOpener
    const stream = this.#streams.get(keyOf(frame.stream, isOurs))
    if (stream === undefined) return this.#onUnknownStream(frame, isOurs)
    switch (frame.type) {
      case TYPE.open:
        stream.receiving.forceStatus()
        this.host.touch(stream)
        return
      case TYPE.status:
        if (frame.timestamp !== 0) this.#sampleRoundTrip(frame.timestamp, frame.delay, nowMs)
        return stream.onStatus(frame, nowMs)
      case TYPE.nak:
        return stream.onNak(frame.ranges, nowMs)
      case TYPE.heartbeat:
        return stream.onHeartbeat(frame, nowMs)
      case TYPE.reset:
        return stream.onReset(frame.reason)
      default:
        return
    }
  }

  /** @internal */
  onProbeAck(frameBytes: number, nowMs: number): void {
    this.#mtu.onAcknowledged(frameBytes, nowMs)
    this.#useFrameBytes()
    this.#probePath(nowMs)
    this.#reschedule()
  }

  /** Long frames seem to vanish. @internal */
  suspectPath(): void {
    const nowMs = this.host.nowMs()
    this.#mtu.suspect(nowMs)
    this.#reschedule()
  }

  /** @internal */
  onPong(timestamp: number, nowMs: number): void {
    this.#sampleRoundTrip(timestamp, 0, nowMs)
  }

  /** Asks whether the peer is there. @internal */
  ping(nowMs: number): void {
    this.sendControl({ type: TYPE.ping, timestamp: this.host.timestamp(nowMs) })
  }

  /** The stream that a data frame belongs to. @internal */
  find(id: number, isFromOpener: boolean): Stream | undefined {
    return this.#streams.get(keyOf(id, !isFromOpener))
  }

  /** @internal */
  onDeadline(nowMs: number): void {
    if (this.#closed) return
    if (nowMs >= this.#paceMs) {
      this.#paceMs = Infinity
      this.host.flushLater(this)
    }
    if (nowMs >= this.#aliveMs) this.#checkAlive(nowMs)
    if (this.#closed) return
    this.#probePath(nowMs)
    this.#reschedule()
  }

  /** A stream has ended: who asks for it is told why. @internal */
  forget(stream: Stream, reason: number): void {
    const key = keyOf(stream.id, stream.isOpener)
    this.#streams.delete(key)
    this.host.schedule(stream, Infinity)
    const index = this.sendQueue.indexOf(stream)
    if (index >= 0) this.sendQueue.splice(index, 1)
    this.#finished.set(key, reason)
    if (this.#finished.size > MAX_FINISHED) this.#finished.delete(this.#finished.keys().next().value!)
  }

  /** @internal */
  destroy(error: StreamError | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.host.schedule(this, Infinity)
    const why = error ?? new StreamError('ERR_CLOSED', 'The peer was closed')
    for (const stream of [...this.#streams.values()]) stream.destroy(why, RESET_REASON.cancelled)
    this.#finished.clear()
    this.host.onPeerClosed(this, error)
    queueMicrotask(() => {
      try {
        this.emit('close', error)
      } catch (thrown) {
        throwLater(thrown)
      }
    })
  }

  /** A packet that is longer than the path carries by now, in parts. */
  #transmitPieces(slot: FrameSlot, flags: number): boolean {
    const { host, path } = this
    const { trailerBytes } = host.integrity
    const totalBytes = slot.length - DATA_HEADER_BYTES
    const pieceBytes = path.frameBytes - PIECE.bytes - trailerBytes
    for (let offset = 0; offset < totalBytes; offset += pieceBytes) {
      const bytes = Math.min(pieceBytes, totalBytes - offset)
      const frame = Buffer.allocUnsafe(PIECE.bytes + bytes + trailerBytes)
      slot.memory.copy(frame, 0, 0, DATA_HEADER_BYTES)
      frame[0] = flags | FLAG.piece | FLAG.mark
      writeUint16(frame, PIECE.offset, offset)
      writeUint16(frame, PIECE.total, totalBytes)
      slot.memory.copy(frame, PIECE.bytes, DATA_HEADER_BYTES + offset, DATA_HEADER_BYTES + offset + bytes)
      host.integrity.seal(frame)
      if (!host.sendFrame(frame, this.endpoint)) return false
      path.spend(frame.length)
    }
    return true
  }

  #probePath(nowMs: number): void {
    const probeBytes = this.#mtu.takeProbe(nowMs, this.path.roundTrip.probeTimeoutMs(0))
    if (probeBytes > 0) this.host.sendProbe(probeBytes, this.id, this.endpoint)
    this.#useFrameBytes()
  }

  #useFrameBytes(): void {
    const { frameBytes } = this.#mtu
    if (frameBytes === this.path.frameBytes) return
    this.path.frameBytes = frameBytes
    this.writer.setFrameBytes(frameBytes)
  }

  #sendTurn(stream: Stream, nowMs: number): Sent {
    let result = Sent.nothing
    for (let quota = PACKETS_PER_TURN; quota > 0 && this.path.maySend(); quota--) {
      const sent = stream.sendNext(nowMs)
      if (sent === Sent.linkFull) return sent
      if (sent === Sent.nothing) break
      result = sent
    }
    return result
  }

  #onUnknownStream(frame: ControlFrame & { readonly stream: number }, isOurs: boolean): void {
    if (frame.type === TYPE.open && !isOurs && this.#mayOpen(frame.stream)) return this.#accept(frame)
    if (frame.type !== TYPE.open && frame.type !== TYPE.heartbeat) return this.host.countDrop('unknownStream')
    const reason = this.#finished.get(keyOf(frame.stream, isOurs)) ?? RESET_REASON.unknown
    this.sendStreamControl({ type: TYPE.reset, stream: frame.stream, reason }, isOurs)
  }

  /** Ids grow, and none is used again; those that were overtaken may still come. */
  #mayOpen(id: number): boolean {
    if (id === 0) return false
    if (id <= this.#remoteHighest) return this.#skipped.delete(id)
    for (let skipped = Math.max(this.#remoteHighest + 1, id - MAX_SKIPPED); skipped < id; skipped++) this.#skipped.add(skipped)
    for (const oldest of this.#skipped) {
      if (this.#skipped.size <= MAX_SKIPPED) break
      this.#skipped.delete(oldest)
    }
    this.#remoteHighest = id
    return true
  }

  #accept(frame: OpenFrame): void {
    const stream = new Stream(this, frame.stream, false, {
      kind: kindOf(frame.kind),
      label: frame.label,
      windowPackets: frame.windowPackets,
      windowBytes: frame.windowPackets * this.path.frameBytes,
      initialPacket: frame.packet,
      allowHalfOpen: false,
      signal: undefined,
    })
    this.#streams.set(keyOf(stream.id, false), stream)
    stream.receiving.forceStatus()
    this.host.touch(stream)
    if (this.#streams.size > this.host.maxStreams || !this.#offer(stream)) stream.reset(RESET_REASON.refused)
  }

  #offer(stream: Stream): boolean {
    const isTaken = this.listenerCount('stream') > 0
    try {
      this.emit('stream', stream)
    } catch (error) {
      throwLater(error)
    }
    return this.host.offerStream(stream) || isTaken
  }

  #checkAlive(nowMs: number): void {
    const silenceMs = nowMs - this.lastHeardMs
    if (silenceMs >= this.host.peerTimeoutMs) {
      this.sendControl({ type: TYPE.bye, reason: BYE_REASON.silent })
      this.destroy(
        new StreamError('ERR_PEER_SILENT', `Nothing was heard from ${this.endpoint.toString()} for ${Math.round(silenceMs)} ms`),
      )
      return
    }
    if (silenceMs >= this.host.keepAliveMs || !this.path.roundTrip.hasSample) this.ping(nowMs)
    for (const stream of this.#streams.values()) stream.trim()
    // Not later than the silence becomes too long.
    this.#aliveMs = nowMs + Math.min(this.host.keepAliveMs, this.host.peerTimeoutMs - silenceMs)
  }

  #sampleRoundTrip(timestamp: number, delayMicroseconds: number, nowMs: number): void {
    const elapsed = (this.host.timestamp(nowMs) - timestamp) >>> 0
    // Older than a minute, or from the future: nonsense.
    if (elapsed > MAX_SAMPLE_MICROSECONDS || delayMicroseconds > elapsed) return
    this.path.roundTrip.update((elapsed - delayMicroseconds) / 1000)
  }

  #reschedule(): void {
    this.host.schedule(this, Math.min(this.#aliveMs, this.#paceMs, this.#mtu.deadlineMs))
  }
}

/** Both sides count their own streams, so a stream is its id and who gave it. */
function keyOf(id: number, isOurs: boolean): number {
  return id * 2 + (isOurs ? 1 : 0)
}

/** A train that one coalesced message can carry. */
const PACKETS_PER_TURN = 64
/** Streams that are over and whose reason is remembered, and ids that were overtaken: for a peer. */
const MAX_FINISHED = 256
const MAX_SKIPPED = 256
const MAX_SAMPLE_MICROSECONDS = 60e6
