import { EventEmitter } from 'node:events'
import { closedError, throwingLater, type Endpoint } from '../core/index.js'
import { AssemblyShare } from './assembly-budget.js'
import { closeDeadlineMs } from './close-deadline.js'
import type { ControlFrame, OpenFrame } from './control-frame.js'
import type { Scheduled } from './deadline-queue.js'
import type { FrameSlot } from './frame-pool.js'
import { FrameShare } from './frame-share.js'
import { FrameWriter } from './frame-writer.js'
import type { StreamHost } from './host.js'
import type { NodeId } from './node-id.js'
import type { Introduction, Session } from './session.js'
import type { GroupPeer } from './group-member.js'
import type { OpenGroupFrame } from './group-frame.js'
import { Liveness } from './liveness.js'
import { Path } from './path.js'
import { PendingResets } from './pending-resets.js'
import { PathSurvey } from './path-survey.js'
import type { CongestionControl } from './congestion-control.js'
import type { ReceivingContext } from './receiving.js'
import { peerStatistics, type PeerEvents, type PeerStatistics } from './peer-events.js'
import { PeerGroups } from './peer-groups.js'
import { Sent, type SendingContext } from './sending.js'
import { StreamError, resetError } from './stream-error.js'
import { acceptedOptions, resolveStreamOptions, termsOf, type StreamOptions, type StreamTerms } from './stream-options.js'
import type { StreamPeer } from './stream-peer.js'
import { StreamTable, type Numbered } from './stream-table.js'
import { Stream } from './stream.js'
import { Transmitter } from './transmitter.js'
import { UnsentShare } from './unsent-memory.js'
import { BYE_REASON, FLAG, MIN_FRAME_BYTES, RESET_REASON, TYPE } from './wire.js'

/** Another node that has been joined. It lives until it is closed, leaves, starts anew, or falls silent. */
export class Peer extends EventEmitter<PeerEvents> implements Scheduled, StreamPeer<Stream>, GroupPeer {
  readonly endpoint: Endpoint
  /** As the peer calls itself. */
  readonly name: string
  /** @internal */ readonly host: StreamHost
  /** @internal */ readonly id: NodeId
  /** @internal */ readonly session: Session
  /** @internal */ readonly sending: SendingContext
  /** @internal */ readonly receiving: ReceivingContext
  /** @internal */ deadlineMs = Infinity
  /** @internal */ queueIndex = -1
  /** @internal */ readonly alive: Liveness
  /** @internal */ readonly survey: PathSurvey
  /** Streams with data that may leave, in turns. @internal */
  readonly sendQueue: Stream[] = []
  readonly #streams = new StreamTable<Stream>()
  #groups: PeerGroups<Stream> | undefined
  readonly #resets: PendingResets
  /** Of the latest stream. */
  #terms: StreamTerms | undefined
  readonly #path: Path
  readonly #transmitter: Transmitter
  #paceMs = Infinity
  #closed = false

  /** @internal */
  constructor(host: StreamHost, introduction: Introduction, congestion: CongestionControl, nowMs: number) {
    super()
    const { id, name, endpoint, frameBytes, session } = introduction
    this.host = host
    this.id = id
    this.name = name
    this.endpoint = endpoint
    this.session = session
    const usual = Math.max(MIN_FRAME_BYTES, Math.min(frameBytes, host.unfragmentedBytes(endpoint)))
    this.#path = new Path(congestion, usual)
    this.#transmitter = new Transmitter(host, id, endpoint, this.#path)
    const { maxMessageBytes } = host
    const pool = new FrameShare(host.pool)
    const writer = new FrameWriter(usual, host.integrity.trailerBytes)
    this.sending = { path: this.#path, pool, writer, unsent: new UnsentShare(host.unsent) }
    this.receiving = { roundTrip: this.#path.roundTrip, pool, memory: new AssemblyShare(host.budget), maxMessageBytes }
    this.alive = new Liveness(host, nowMs)
    this.#resets = new PendingResets(RESETS_PER_STREAM * host.maxStreams)
    this.survey = new PathSurvey(this, this.#path, this.sending.writer, frameBytes, nowMs)
    this.#reschedule()
  }

  /**
   * Opens a stream. It can be used at once.
   *
   * @throws Misuse; `ERR_CLOSED`.
   */
  openStream(options: StreamOptions = {}): Stream {
    if (this.#closed) throw closedError('peer')
    const resolved = resolveStreamOptions(options, this.#path.frameBytes, () => this.host.drawUint32())
    const stream = new Stream(this, this.takeStreamId(), true, resolved)
    this.#streams.add(stream)
    this.host.touch(stream)
    return stream
  }

  get closed(): boolean {
    return this.#closed
  }

  /** @internal */
  shareTerms(terms: StreamTerms): StreamTerms {
    return (this.#terms = termsOf(terms, this.#terms))
  }

  /** The highest id that it gave a stream; undefined: none. Set when it comes again in the same life. @internal */
  get highestId(): number | undefined {
    return this.#streams.remoteHighest
  }

  set highestId(id: number | undefined) {
    this.#streams.remoteHighest = id
  }

  /** Closes all streams within `deadlineMs` (see {@link Stream.close}), and leaves. */
  async close(options: { deadlineMs?: number } = {}): Promise<void> {
    await this.closeStreams({ deadlineMs: closeDeadlineMs(options) })
    this.leave()
  }

  /** @internal */
  async closeStreams(options: { deadlineMs: number }): Promise<void> {
    await Promise.all(this.#streams.all().map((stream) => stream.close(options)))
  }

  /** How the way to the peer stands; a copy. */
  stats(): PeerStatistics {
    return peerStatistics(this.#path, this.#streams.size)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Ends without waiting. @internal */
  leave(): void {
    if (this.#closed) return
    this.sendControl({ type: TYPE.bye, reason: BYE_REASON.left, session: this.session.own })
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

  /** Tells the other side that a stream is over, until it says that it knows. @internal */
  sendReset({ id, isOpener }: Numbered, reason: number): void {
    this.#resets.add({ id, isOpener, reason }, this.host.nowMs(), this.#path.roundTrip)
    this.#sayReset({ id, isOpener }, reason)
    this.#reschedule()
    this.host.flushLater(this)
  }

  /** Completes a data frame and hands it to the link. False: the link is full. @internal */
  transmit(stream: Stream, slot: FrameSlot, packet: number, transmission: number): boolean {
    return this.#transmitter.transmit(slot, stream.isOpener ? FLAG.opener : 0, stream.id, packet, transmission)
  }

  /** Sends what streams have, in turns, as far as window, pace and link allow. False: the link is full. @internal */
  flush(nowMs: number): boolean {
    const { sendQueue } = this
    const path = this.#path
    if (sendQueue.length === 0) return true
    this.#transmitter.timestamp = this.host.timestamp(nowMs)
    path.refill(nowMs)
    while (sendQueue.length > 0) {
      const stream = sendQueue[0]!
      const sent = this.#sendTurn(stream, nowMs)
      // Nothing else may have touched it: what has left now is asked after by its own deadline.
      if (sent !== Sent.nothing) this.host.schedule(stream, stream.nextDeadlineMs())
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

  /** Sends full packets of a stream before the end of the tick, as far as window, pace and link allow. @internal */
  sendBurst(stream: Stream, packets: number): void {
    // Those of others, and those that have had to wait, go first.
    if (this.sendQueue.length > 0 || this.#closed) return
    const nowMs = this.host.nowMs()
    this.#transmitter.timestamp = this.host.timestamp(nowMs)
    this.#path.refill(nowMs)
    for (let left = packets; left > 0 && this.#path.maySend(); left--) {
      if (stream.sendNext(nowMs) === Sent.linkFull) return
    }
  }

  /** A frame of control for a stream, or an open. @internal */
  onStreamControl(frame: ControlFrame & { readonly stream: number }, isFromOpener: boolean, nowMs: number): void {
    const isOurs = !isFromOpener
    if (frame.type === TYPE.gone) return this.#onGone(frame.stream, isOurs)
    if (frame.type === TYPE.reset) this.sendStreamControl({ type: TYPE.gone, stream: frame.stream }, isOurs)
    const member = isOurs ? this.#groups?.findMember(frame.stream) : undefined
    if (member !== undefined) {
      if (frame.type === TYPE.status) this.survey.onAnswer(frame.timestamp, frame.delay, nowMs)
      if (!member.onControl(frame, nowMs)) this.host.countDrop('wrongKind')
      return
    }
    const stream = this.#streams.find(frame.stream, isOurs)
    if (stream === undefined) return this.#onUnknownStream(frame, isOurs)
    switch (frame.type) {
      case TYPE.open:
      case TYPE.openGroup:
        stream.receiving.forceStatus()
        this.host.touch(stream)
        return
      case TYPE.status:
        this.survey.onAnswer(frame.timestamp, frame.delay, nowMs)
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

  /** What it has to do with groups. @internal */
  get groups(): PeerGroups<Stream> {
    return (this.#groups ??= new PeerGroups())
  }

  /** The stream of a group that it sends to. @internal */
  findGroup(group: number): Stream | undefined {
    return this.#groups?.find(group)
  }

  /** @internal */
  takeStreamId(): number {
    for (;;) {
      const id = this.host.takeStreamId()
      // One that is still open after all others were used.
      if (this.#streams.find(id, true) === undefined && this.#groups?.findMember(id) === undefined) return id
    }
  }

  /** @internal */
  onProbeAck(frameBytes: number, nowMs: number): void {
    this.survey.onProbeAck(frameBytes, nowMs)
    this.#reschedule()
  }

  /** Long frames seem to vanish. @internal */
  suspectPath(): void {
    this.survey.suspect(this.host.nowMs())
    this.#reschedule()
  }

  /** @internal */
  refreshRoundTrip(nowMs: number): void {
    this.survey.refresh(nowMs)
  }

  /** The stream that a data frame belongs to. @internal */
  find(id: number, isFromOpener: boolean): Stream | undefined {
    return this.#streams.find(id, !isFromOpener)
  }

  /** @internal */
  onDeadline(nowMs: number): void {
    if (this.#closed) return
    if (nowMs >= this.#paceMs) {
      this.#paceMs = Infinity
      this.host.flushLater(this)
    }
    if (nowMs >= this.alive.dueMs) this.#checkAlive(nowMs)
    if (this.#closed) return
    this.#sayResets(nowMs)
    this.survey.probe(nowMs)
    this.#reschedule()
  }

  /** A stream has ended: who asks for it is told why. @internal */
  forget(stream: Stream, reason: number): void {
    this.#streams.remove(stream, reason)
    this.#groups?.remove(stream)
    this.host.schedule(stream, Infinity)
    const index = this.sendQueue.indexOf(stream)
    if (index >= 0) this.sendQueue.splice(index, 1)
    // What it had on the way does not hold back the others any more, and they have no other reason to be looked at.
    if (this.sendQueue.length > 0) this.host.flushLater(this)
  }

  /** @internal */
  destroy(error: StreamError | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.host.schedule(this, Infinity)
    const why = error ?? new StreamError('ERR_CLOSED', 'The peer was closed')
    for (const stream of this.#streams.all()) {
      // One that was over in this very batch has nothing to do with it.
      if (stream.isOver) stream.destroy(undefined, RESET_REASON.finished)
      else stream.destroy(why, RESET_REASON.cancelled)
    }
    for (const member of this.#groups?.members() ?? []) member.onPeerGone(why)
    this.host.onPeerClosed(this, error)
    queueMicrotask(() => throwingLater(() => this.emit('close', error)))
  }

  #sayResets(nowMs: number): void {
    for (const reset of this.#resets.take(nowMs, this.#path.roundTrip)) this.#sayReset(reset, reset.reason)
  }

  #sayReset({ id, isOpener }: Numbered, reason: number): void {
    this.sendStreamControl({ type: TYPE.reset, stream: id, reason }, isOpener)
  }

  /** The other side knows that the stream is over. */
  #onGone(id: number, isOurs: boolean): void {
    if (this.#resets.confirm(id, isOurs)) this.#reschedule()
    else this.host.countDrop('unexpectedAnswer')
  }

  #sendTurn(stream: Stream, nowMs: number): Sent {
    let result = Sent.nothing
    for (let quota = PACKETS_PER_TURN; quota > 0 && this.#path.maySend(); quota--) {
      const sent = stream.sendNext(nowMs)
      if (sent === Sent.linkFull) return sent
      if (sent === Sent.nothing) break
      result = sent
    }
    return result
  }

  #onUnknownStream(frame: ControlFrame & { readonly stream: number }, isOurs: boolean): void {
    const isOpen = frame.type === TYPE.open || frame.type === TYPE.openGroup
    if (isOpen && !isOurs && this.#streams.takeRemoteId(frame.stream)) return this.#accept(frame)
    if (frame.type === TYPE.reset) {
      // It has overtaken its open, which is not to be taken any more.
      if (!isOurs) this.#streams.takeRemoteId(frame.stream)
      return
    }
    if (!isOpen && frame.type !== TYPE.heartbeat) return this.host.countDrop('unknownStream')
    const reason = this.#streams.reasonOf(frame.stream, isOurs) ?? RESET_REASON.unknown
    this.sendStreamControl({ type: TYPE.reset, stream: frame.stream, reason }, isOurs)
  }

  #accept(frame: OpenFrame | OpenGroupFrame): void {
    const stream = new Stream(this, frame.stream, false, acceptedOptions(frame, this.#path.frameBytes, this.host))
    this.#streams.add(stream)
    if (stream.isGroup) this.groups.add(stream)
    stream.receiving.forceStatus()
    this.host.touch(stream)
    if (this.#streams.size <= this.host.maxStreams && this.#offer(stream)) return
    // Not to be repeated: the other side repeats its open.
    this.#sayReset(stream, RESET_REASON.refused)
    stream.destroy(resetError(RESET_REASON.refused, 'this side'), RESET_REASON.refused)
  }

  #offer(stream: Stream): boolean {
    const isTaken = this.listenerCount('stream') > 0
    throwingLater(() => this.emit('stream', stream))
    return this.host.offerStream(stream) || isTaken
  }

  #checkAlive(nowMs: number): void {
    const { alive } = this
    const state = alive.check(nowMs)
    if (state === 'gone') {
      const silence = `${Math.round(alive.silenceMs(nowMs))} ms`
      this.sendControl({ type: TYPE.bye, reason: BYE_REASON.silent, session: this.session.own })
      this.destroy(new StreamError('ERR_PEER_SILENT', `Nothing was heard from ${this.endpoint.toString()} for ${silence}`))
      return
    }
    if (state === 'silent' || !this.#path.roundTrip.hasSample) this.survey.ping(nowMs)
    this.survey.confirmLength(nowMs)
    for (const stream of this.#streams.all()) stream.trim()
  }

  #reschedule(): void {
    if (this.#closed) return
    this.host.schedule(this, Math.min(this.alive.dueMs, this.#paceMs, this.survey.deadlineMs, this.#resets.deadlineMs))
  }
}

/** A train that one coalesced message can carry. */
const PACKETS_PER_TURN = 64
/** That are remembered until they are confirmed, for each stream that the peer may have open: it may open others meanwhile. */
const RESETS_PER_STREAM = 2
