import { EventEmitter } from 'node:events'
import {
  checkInteger,
  checkOneOf,
  checkOptions,
  closedError,
  invalidArgType,
  invalidArgValue,
  invalidState,
  obeySignal,
  outOfRange,
  throwingLater,
  type Endpoint,
} from '../core/index.js'
import { messageBytes } from './bytes.js'
import { closeDeadlineMs } from './close-deadline.js'
import type { PacketRange, StatusFrame } from './control-frame.js'
import type { Scheduled } from './deadline-queue.js'
import type { FrameSlot } from './frame-pool.js'
import { FrameWriter } from './frame-writer.js'
import { GroupMember, type GroupMemberOwner, type GroupPeer } from './group-member.js'
import { GroupReceivers } from './group-receivers.js'
import { GroupSendHalf } from './group-send-half.js'
import type { GroupSending, GroupSendingOwner } from './group-sending.js'
import { GroupSpeaker } from './group-speaker.js'
import { GroupTransmitter } from './group-transmitter.js'
import type { StreamHost } from './host.js'
import { Path } from './path.js'
import { Peer } from './peer.js'
import type { PublicationEvents, PublicationReceiver, PublicationStatistics } from './publication-events.js'
import type { ResolvedPublicationOptions } from './publication-options.js'
import type { Echo } from './repair-planner.js'
import { Sent } from './sending.js'
import { SlowWatch } from './slow-receivers.js'
import type { SpanMask } from './span-mask.js'
import { StreamError, resetError } from './stream-error.js'
import type { StreamKind } from './stream-options.js'
import { UnnumberedGroupHalf } from './unnumbered-group-half.js'
import { UnsentShare } from './unsent-memory.js'
import { MAX_GROUP_RECEIVERS, RESET_REASON, STATUS_FLAG } from './wire.js'

/**
 * A stream to many: messages that all its receivers get, each in order. One way. Its receivers are peers, which {@link add} makes known.
 *
 * Without receivers messages wait; of kind 'bestEffort' as many as the send buffer holds.
 *
 * Failures: misuse throws at once; what happens to receivers and to the publication is events.
 */
export class Publication extends EventEmitter<PublicationEvents> implements Scheduled, GroupMemberOwner, GroupSendingOwner {
  readonly kind: StreamKind
  readonly label: string
  /** The multicast group that it is sent to; undefined: each receiver is sent its own. */
  readonly group: Endpoint | undefined
  /** @internal */ deadlineMs = Infinity
  /** @internal */ queueIndex = -1
  /** @internal */ isTouched = false
  /** @internal */ isQueued = false
  /** It is the only one that it sends for. @internal */
  readonly sendQueue: Publication[] = []
  readonly #host: StreamHost
  readonly #path: Path
  readonly #writer: FrameWriter
  readonly #sending: GroupSending
  readonly #transmitter: GroupTransmitter
  readonly #receivers = new GroupReceivers()
  readonly #speaker: GroupSpeaker
  readonly #slow: SlowWatch
  readonly #letGo: () => void
  readonly #maxFrameBytes: number
  #peers = new Map<GroupMember, Peer>()
  /** At the very beginning all receivers are waited for, so that they need not ask for the first packets. -1: not yet, 0: no more. */
  #holdUntilMs = -1
  /** Since `close`: has a receiver gone that had not read everything? */
  #hasLost = false
  /** When a close gives up. */
  #closeMs = Infinity
  #error: StreamError | undefined
  #closed = false

  /** @internal */
  constructor(host: StreamHost, id: number, options: ResolvedPublicationOptions) {
    super()
    this.#host = host
    this.kind = options.kind
    this.label = options.label
    this.group = options.group
    this.#maxFrameBytes = options.frameBytes
    this.#path = new Path(options.congestionControl(), options.frameBytes)
    this.#writer = new FrameWriter(options.frameBytes, host.integrity.trailerBytes)
    const context = { path: this.#path, pool: host.pool, writer: this.#writer, unsent: new UnsentShare(host.unsent) }
    const isMulticast = options.group !== undefined
    this.#sending =
      options.kind === 'fireAndForget'
        ? new UnnumberedGroupHalf(options, context, this)
        : new GroupSendHalf({ ...options, isMulticast }, context, this, { uint32: () => host.drawUint32() })
    this.#transmitter = new GroupTransmitter(host, id, options.group, this.#path)
    this.#speaker = new GroupSpeaker(host, id, options, this.#receivers, this.#sending, this.#path.roundTrip)
    this.#slow = new SlowWatch(options)
    this.#letGo = obeySignal(options.signal, () => this.#abandon(new StreamError('ABORT_ERR', 'The publication was aborted')))
  }

  /**
   * Makes a peer a receiver. It is told at once; until it answers, others do not wait for it only at the very beginning.
   *
   * @param options `from`: the first packet that it gets. 'now', the default: the next one that leaves. 'oldest': the oldest that the
   *   send buffer still holds.
   * @throws Misuse; `ERR_INVALID_STATE` for a peer that is a receiver already, or one too many; `ERR_CLOSED`, also after {@link end}.
   */
  add(peer: Peer, options: { from?: 'now' | 'oldest' } = {}): void {
    if (this.#closed || this.#sending.isEnded) throw closedError('publication')
    if (!(peer instanceof Peer)) throw invalidArgType('peer', 'a Peer', peer)
    if (peer.host !== this.#host) throw invalidArgValue('peer', peer.name, 'must be a peer of the same node')
    if (peer.closed) throw closedError('peer')
    checkOptions('options', options, ADD_OPTIONS)
    const from = options.from === undefined ? 'now' : checkOneOf('options.from', options.from, ['now', 'oldest'])
    if (this.#memberOf(peer) !== undefined) throw invalidState('the peer is a receiver already')
    if (this.#receivers.members.length >= MAX_GROUP_RECEIVERS) throw invalidState('there are too many receivers')
    const nowMs = this.#host.nowMs()
    const member = new GroupMember(this, peer, from === 'now' ? this.#sending.next : this.#sending.base, nowMs)
    this.#peers.set(member, peer)
    this.#receivers.add(member)
    peer.groups.addMember(member)
    if (this.group === undefined) this.#useFrameBytes(Math.min(this.#path.frameBytes, peer.sending.path.frameBytes))
    if (this.#sending.next === 0 && this.#holdUntilMs < 0) this.#holdUntilMs = nowMs + HOLD_MS
    this.#host.touch(this)
  }

  /** Ends the stream of a receiver, whatever is under way. False: it is none. */
  remove(peer: Peer): boolean {
    const member = this.#memberOf(peer)
    if (member === undefined) return false
    member.peer.sendReset(member, RESET_REASON.cancelled)
    this.#forget(member, undefined)
    return true
  }

  /** The receivers now. */
  get receivers(): readonly PublicationReceiver[] {
    const { next } = this.#sending
    return this.#receivers.members.map((member) => ({
      peer: this.#peers.get(member)!,
      isOpen: member.opening === undefined,
      lagPackets: Math.max(0, next - member.consumed),
      lossRate: member.lossRate,
    }))
  }

  /**
   * Sends a message to all receivers. It is copied, and leaves at the end of this tick or as soon as window and pace allow.
   *
   * @returns False when there is no room: **the message was not taken**; 'drain' follows.
   * @throws Misuse; `ERR_CLOSED` after {@link end} and {@link close}.
   */
  send(message: Uint8Array | DataView | string, handler = 0): boolean {
    if (this.#closed || this.#sending.isEnded) throw closedError('publication')
    if (handler !== 0) checkInteger('handler', handler, 0, 255)
    const bytes = messageBytes(message)
    if (bytes.length > this.maxMessageBytes) throw outOfRange('message.length', `<= ${this.maxMessageBytes}`, bytes.length)
    const taken = this.#sending.push(bytes, handler)
    this.#host.touch(this)
    return taken
  }

  /** The longest message that can be sent. */
  get maxMessageBytes(): number {
    return this.kind === 'fireAndForget' ? this.#writer.maxWholeBytes : this.#host.maxMessageBytes
  }

  /** No more messages, and no more receivers. It is over when all receivers have read everything. */
  end(): void {
    if (this.#closed || this.#sending.isEnded) return
    this.#sending.end(this.#host.nowMs())
    this.#host.touch(this)
  }

  /**
   * Ends it, and waits until all receivers have read everything: at most `deadlineMs`, then it is reset; of several
   * closes, the earliest deadline counts.
   *
   * @returns When it is over: true if all that were receivers at the call have read everything.
   */
  close(options: { deadlineMs?: number } = {}): Promise<boolean> {
    const deadlineMs = closeDeadlineMs(options)
    if (this.#closed) return Promise.resolve(this.#error === undefined && !this.#hasLost)
    if (this.#closeMs === Infinity) this.#hasLost = false
    this.end()
    const closed = new Promise<boolean>((resolve) =>
      this.once('close', (error) => resolve(error === undefined && !this.#hasLost)),
    )
    this.#closeMs = Math.min(this.#closeMs, this.#host.nowMs() + deadlineMs)
    this.#host.touch(this)
    return closed
  }

  /** Gives it up at once: what receivers have not acknowledged may be lost to them. */
  reset(): void {
    if (!this.#closed) this.#abandon(resetError(RESET_REASON.cancelled, 'this side'))
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Why it ended; undefined while it is open, and when it ended by agreement. */
  get error(): StreamError | undefined {
    return this.#error
  }

  /** What was counted since it was opened; a copy. */
  stats(): PublicationStatistics {
    const { roundTrip } = this.#path
    return {
      ...this.#sending.counters,
      receivers: this.#receivers.members.length,
      sendQueuePackets: this.#sending.queuedPackets,
      roundTripMs: roundTrip.hasSample ? roundTrip.smoothedMs : undefined,
      limitedBy: this.#path.limit(this.#sending.hasWork, this.#sending.refusedBy),
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined)
  }

  /** @internal */
  get sender(): this {
    return this
  }

  /** Is there something that may leave, and somebody to send it to? @internal */
  get hasWork(): boolean {
    if (this.#closed || !this.#sending.hasWork || this.#holdUntilMs > 0) return false
    return this.#receivers.members.length > 0 || this.kind === 'fireAndForget'
  }

  /** @internal */
  settle(nowMs: number): void {
    if (this.#closed) return
    this.#receivers.updateRoundTrip(this.#path.roundTrip, nowMs)
    this.#speaker.sayOpen(nowMs)
    if (this.#holdUntilMs >= 0 && (nowMs >= this.#holdUntilMs || this.#receivers.unanswered.size === 0)) this.#holdUntilMs = 0
    this.#sending.onTime(nowMs)
    if (this.#receivers.hasChanged) {
      const progress = this.#receivers.progress()
      if (progress !== undefined) this.#sending.onProgress(progress, nowMs)
    }
    this.#dropSlow(nowMs)
    this.#speaker.sayTerms(nowMs)
    const heartbeat = this.#sending.takeHeartbeat(nowMs)
    if (heartbeat !== undefined) this.#speaker.sayHeartbeat(heartbeat, nowMs)
    if (this.#sending.isEnded && this.#receivers.members.length === 0) this.destroy(undefined)
  }

  /** Sends as far as window, pace and link allow. False: the link is full. @internal */
  flush(nowMs: number): boolean {
    const path = this.#path
    this.#transmitter.timestamp = this.#host.timestamp(nowMs)
    path.refill(nowMs)
    if (this.group === undefined && this.kind === 'fireAndForget') this.#followFrameBytes()
    let sent = Sent.packet
    while (sent === Sent.packet && this.hasWork && (path.maySend() || (this.#sending.hasRepairs && path.mayRepeat()))) {
      sent = this.#sending.sendNext(nowMs)
    }
    this.#host.schedule(this, this.nextDeadlineMs())
    if (sent === Sent.linkFull) return false
    this.isQueued = false
    this.sendQueue.length = 0
    return true
  }

  /** @internal */
  onDeadline(nowMs: number): void {
    if (nowMs >= this.#closeMs) return this.reset()
    this.#host.touch(this)
  }

  /** @internal */
  nextDeadlineMs(): number {
    if (this.#closed) return Infinity
    const { isPaceLimited, isWindowLimited } = this.#path
    const waitsForPace = this.hasWork && isPaceLimited && (!isWindowLimited || this.#sending.hasRepairs)
    const pace = waitsForPace ? this.#path.nextSendMs() : Infinity
    const hold = this.#holdUntilMs > 0 ? this.#holdUntilMs : Infinity
    return Math.min(pace, hold, this.#closeMs, this.#receivers.deadlineMs, this.#sending.deadlineMs, this.#slow.deadlineMs)
  }

  /** @internal */
  transmit(slot: FrameSlot, packet: number, transmission: number, receiver: GroupMember | undefined): boolean {
    if (receiver !== undefined) return receiver.peer.closed || this.#transmitter.toOne(receiver, slot, packet, transmission)
    return this.#transmitter.toAll(slot, packet, transmission, this.#receivers.members)
  }

  /** @internal */
  transmitRepair(packet: number, mask: SpanMask, slotOf: (index: number) => FrameSlot): boolean {
    return this.#transmitter.repair(packet, mask, slotOf)
  }

  /** @internal */
  sendEcho(packet: number, echo: Echo): void {
    this.#speaker.sayEcho(packet, echo)
  }

  /** @internal */
  onDrain(): void {
    if (!this.#sending.isEnded) this.#emit('drain')
  }

  /** @internal */
  onStatus(member: GroupMember, frame: StatusFrame, nowMs: number): void {
    this.#answered(member)
    if (this.kind !== 'fireAndForget') {
      const hasLost = this.#receivers.onStatus(member, frame, this.#sending, nowMs)
      if (hasLost === undefined) return this.#host.countDrop('malformed')
      if (hasLost) this.#path.congestion.onLost(nowMs - this.#path.roundTrip.smoothedMs, nowMs)
    }
    const isEnd = (frame.flags & STATUS_FLAG.ended) !== 0 && this.#sending.isEnded && !this.#sending.hasWork
    if (isEnd && this.#sending.fromWire(frame.next) === this.#sending.filled) this.#forget(member, undefined)
    this.#host.touch(this)
  }

  /** @internal */
  onNak(member: GroupMember, ranges: readonly PacketRange[], nowMs: number): void {
    this.#answered(member)
    this.#sending.onNak(member, ranges, nowMs)
    this.#host.touch(this)
  }

  /** @internal */
  onReset(member: GroupMember, reason: number): void {
    const isFinished = reason === RESET_REASON.finished && this.#sending.isEnded
    this.#forget(member, isFinished ? undefined : resetError(reason, 'the other side'))
  }

  /** @internal */
  onPeerGone(member: GroupMember, error: StreamError): void {
    this.#forget(member, error)
  }

  /** @internal */
  destroy(error: StreamError | undefined): void {
    if (this.#closed) return
    for (const member of [...this.#receivers.members]) this.#forget(member, error)
    this.#closed = true
    this.#error = error
    this.#sending.dispose()
    this.#letGo()
    this.#host.forgetPublication(this)
    queueMicrotask(() => this.#emit('close', error))
  }

  #abandon(error: StreamError): void {
    for (const member of this.#receivers.members) member.peer.sendReset(member, RESET_REASON.cancelled)
    this.destroy(error)
  }

  #memberOf(peer: Peer): GroupMember | undefined {
    return this.#receivers.members.find((member) => member.peer === (peer as GroupPeer))
  }

  #answered(member: GroupMember): void {
    if (member.opening === undefined) return
    member.opening = undefined
    this.#receivers.unanswered.delete(member)
    this.#emit('receiver', this.#peers.get(member)!)
  }

  #forget(member: GroupMember, error: StreamError | undefined): void {
    if (!this.#receivers.remove(member)) return
    member.peer.groups.removeMember(member)
    const peer = this.#peers.get(member)!
    this.#peers.delete(member)
    if (error !== undefined) this.#hasLost = true
    queueMicrotask(() => this.#emit('receiverGone', peer, error))
    this.#host.touch(this)
  }

  /** Lets go of receivers that hold the others up, if that is what the user wants. */
  #dropSlow(nowMs: number): void {
    const { queuedPackets, refusedBy } = this.#sending
    for (const member of this.#slow.take(this.#receivers.members, queuedPackets > 0, refusedBy !== undefined, nowMs)) {
      member.peer.sendReset(member, RESET_REASON.slow)
      this.#forget(member, new StreamError('ERR_RECEIVER_SLOW', `${member.peer.endpoint.toString()} held the others up`))
    }
  }

  /** A list's frames are as long as all its receivers' paths carry. */
  #useFrameBytes(frameBytes: number): void {
    if (frameBytes === this.#path.frameBytes) return
    this.#path.frameBytes = frameBytes
    this.#writer.setFrameBytes(frameBytes)
  }

  /** What is longer than the path to a receiver by now would not get there, and there are no pieces of what has no number. */
  #followFrameBytes(): void {
    let frameBytes = this.#maxFrameBytes
    for (const { peer } of this.#receivers.members) frameBytes = Math.min(frameBytes, peer.sending.path.frameBytes)
    this.#useFrameBytes(frameBytes)
  }

  #emit<Name extends keyof PublicationEvents>(event: Name, ...args: PublicationEvents[Name]): void {
    throwingLater(() => this.emit(event, ...(args as never)))
  }
}

const ADD_OPTIONS: ReadonlySet<string> = new Set(['from'])
/** A beginning publication waits no longer than this for its receivers to answer. */
const HOLD_MS = 250
