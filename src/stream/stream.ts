import { EventEmitter } from 'node:events'
import {
  checkInteger,
  closedError,
  followListeners,
  invalidState,
  obeySignal,
  outOfRange,
  throwLater,
  throwingLater,
} from '../core/index.js'
import { messageBytes } from './bytes.js'
import { closeDeadlineMs } from './close-deadline.js'
import type { HeartbeatFrame, PacketRange, StatusFrame } from './control-frame.js'
import type { ByteWriter } from './duplex-writer.js'
import { StreamDuplex } from './duplex.js'
import type { FrameSlot } from './frame-pool.js'
import { MessageIterator } from './message-iterator.js'
import { GroupReceiving, oneWay } from './group-receiving.js'
import { Halves } from './halves.js'
import type { ReceiveHalf } from './receive-half.js'
import type { ReceivingOwner } from './receiving.js'
import { Opening } from './opening.js'
import type { Sending, SendingOwner, Sent } from './sending.js'
import { StreamError, cutOffError, resetError } from './stream-error.js'
import { streamStatistics, type StreamEvents, type StreamStatistics } from './stream-events.js'
import { sayHeartbeat, sayNak, sayOpen, sayStatus } from './stream-speaker.js'
import type { ResolvedStreamOptions, StreamKind, StreamTerms } from './stream-options.js'
import type { StreamPeer } from './stream-peer.js'
import type { Sender, Talker } from './work-loop.js'
import { HEARTBEAT_FLAG, RESET_REASON, STATUS_FLAG } from './wire.js'

/**
 * An independent sequence of messages to a peer and back. Ordered in each direction; no stream waits for another.
 *
 * Messages are read by a 'message' listener, by async iteration, or by {@link duplex}. Until one of them is there they wait, and the
 * sender with them.
 *
 * Failures: misuse throws at once; the end of the stream is the event 'close', with a {@link StreamError} if it was not by agreement.
 */
export class Stream extends EventEmitter<StreamEvents> implements Talker, SendingOwner, ReceivingOwner {
  readonly peer: StreamPeer<Stream>
  readonly kind: StreamKind
  /** Are messages delivered in their order, or as soon as they are complete? */
  readonly ordered: boolean
  readonly label: string
  /** The number of the stream; unique with {@link isOpener} while both nodes live. */
  readonly id: number
  /** Did this side open it? */
  readonly isOpener: boolean
  /** Does this side stay open for sending when the other has ended? Otherwise it ends as well. */
  allowHalfOpen: boolean
  /** @internal */ deadlineMs = Infinity
  /** @internal */ queueIndex = -1
  /** Waits for the end of the batch or tick. @internal */
  isTouched = false
  /** Has data that may leave. @internal */
  isQueued = false
  readonly #terms: StreamTerms
  readonly #halves: Halves
  /** Of one receiver of a group. @internal */ readonly group: GroupReceiving | undefined
  #isEndSaid = false
  /** Says that there is this stream, until the other side is known to know it. */
  #opening: Opening | undefined
  #isUserPaused = false
  #isReading = false
  /** Nobody reads any more: what comes is thrown away. */
  #isClosing = false
  /** This side sends no more, but what a writer of bytes was given before. */
  #isEnding = false
  /** Something that came was thrown away. @internal */
  isCutOff = false
  #iterator: MessageIterator | undefined
  #writer: ByteWriter | undefined
  #error: StreamError | undefined
  #closed = false
  /** Lets go of the signal that aborts the stream. */
  readonly #letGo: () => void
  /** When a close gives up. */
  #closeMs: number | undefined

  /** @internal */
  constructor(peer: StreamPeer<Stream>, id: number, isOpener: boolean, options: ResolvedStreamOptions) {
    super()
    this.peer = peer
    this.id = id
    this.isOpener = isOpener
    this.kind = options.kind
    this.ordered = options.ordered
    this.label = options.label
    this.allowHalfOpen = options.allowHalfOpen
    this.#terms = peer.shareTerms(options)
    this.#halves = new Halves(options.initialPacket)
    this.#opening = isOpener ? new Opening(options) : undefined
    this.group = options.membership && new GroupReceiving(options.membership, peer.receiving)
    this.group?.attach(this.receiving, this)
    this.#letGo = obeySignal(options.signal, () => {
      this.#giveUp(new StreamError('ABORT_ERR', 'The stream was aborted'), RESET_REASON.cancelled)
    })
  }

  /**
   * Sends a message. It is copied, and leaves at the end of this tick or as soon as window and pace allow.
   *
   * @param message A string is sent as UTF-8. At most {@link maxMessageBytes}.
   * @param handler 0 to 255: what the message is for, as the receiver is told.
   * @returns False when there is no room: **the message was not taken**; 'drain' follows.
   * @throws Misuse; `ERR_CLOSED` after {@link end} and {@link close}; `ERR_INVALID_STATE` for a stream of a group, which is one way.
   */
  send(message: Uint8Array | DataView | string, handler = 0): boolean {
    if (this.#isEnding) throw closedError('stream')
    return this.sendBytes(message, handler)
  }

  /** @internal */
  sendBytes(message: Uint8Array | DataView | string, handler = 0): boolean {
    if (this.#closed || this.#halves.sending?.isEnded) throw closedError('stream')
    if (handler !== 0) checkInteger('handler', handler, 0, 255)
    const bytes = messageBytes(message)
    if (bytes.length > this.maxMessageBytes) {
      throw outOfRange('message.length', `<= ${this.maxMessageBytes}`, bytes.length)
    }
    const sending = this.#sender()
    const taken = sending.push(bytes, handler)
    const burst = sending.takeBurst()
    if (burst > 0) this.peer.sendBurst(this, burst)
    if (!this.isTouched) this.peer.host.touch(this)
    return taken
  }

  /** Is this side one receiver of many? Then it can only read: `send`, `end` and `duplex` throw `ERR_INVALID_STATE`. */
  get isGroup(): boolean {
    return this.group !== undefined
  }

  /** The longest message that this side sends. */
  get maxMessageBytes(): number {
    return this.kind === 'fireAndForget' ? this.peer.sending.writer.maxWholeBytes : this.peer.host.maxMessageBytes
  }

  /**
   * No more messages from this side. The other side gets 'end' when it has read all of them. A {@link duplex} is ended: what was written to
   * it goes first.
   */
  end(): void {
    if (this.#closed) return
    if (this.#writer?.destroyed === false) this.#writer.end()
    else this.endBytes()
    this.#isEnding = true
  }

  /** @internal */
  endBytes(): void {
    if (this.#closed || this.#halves.sending?.isEnded) return
    this.#isEnding = true
    this.#sender().end(this.peer.host.nowMs())
    this.peer.host.touch(this)
  }

  /** Who writes bytes. @internal */
  attach(writer: ByteWriter): void {
    this.#writer = writer
  }

  /**
   * Ends this side, reads no more, and waits until all has arrived: at most `deadlineMs`, then the stream is reset; of several closes, the
   * earliest deadline counts. What was written to a {@link duplex} goes out first; if it had not read everything, it is destroyed with
   * `ERR_CLOSED` in the end. A receiver of a group leaves it at once.
   *
   * @returns When the stream is over: true if everything sent had arrived.
   */
  close(options: { deadlineMs?: number } = {}): Promise<boolean> {
    const deadlineMs = closeDeadlineMs(options)
    if (this.#closed) return Promise.resolve(this.#error === undefined)
    if (this.isGroup) return Promise.resolve(this.#leave())
    this.end()
    this.#isClosing = true
    this.removeAllListeners('message')
    const closed = new Promise<boolean>((resolve) => this.once('close', (error) => resolve(error === undefined)))
    this.#closeMs = Math.min(this.#closeMs ?? Infinity, this.peer.host.nowMs() + deadlineMs)
    this.peer.host.touch(this)
    return closed
  }

  /** Gives the stream up at once, in both directions: what is not acknowledged may be lost. */
  reset(reason: number = RESET_REASON.cancelled): void {
    this.#giveUp(resetError(reason, 'this side'), reason)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Why it ended; undefined while it is open, and when it ended by agreement. */
  get error(): StreamError | undefined {
    return this.#error
  }

  /** Stops 'message' events; what arrives waits, and soon the sender with it. */
  pause(): this {
    this.#isUserPaused = true
    this.#updateReading()
    return this
  }

  resume(): this {
    this.#isUserPaused = false
    this.#updateReading()
    return this
  }

  /**
   * The same stream as a Node Duplex of bytes: message boundaries are not kept.
   *
   * @throws `ERR_INVALID_STATE` unless the stream is 'reliable' and ordered; for one of a group, which is one way.
   */
  duplex(): StreamDuplex {
    if (this.isGroup) throw oneWay()
    if (this.kind !== 'reliable' || !this.ordered) throw invalidState('bytes want a stream that is reliable and ordered')
    if (this.#writer instanceof StreamDuplex) return this.#writer
    if (this.#writer !== undefined) throw invalidState('somebody else writes bytes to the stream')
    const duplex = new StreamDuplex(this, this.allowHalfOpen)
    this.attach(duplex)
    return duplex
  }

  /** What was counted since the stream was opened; a copy. */
  stats(): StreamStatistics {
    return streamStatistics(this.peer.sending.path, this.#halves)
  }

  /** Messages in memory of their own, one by one: while the loop's body runs, the others wait. Ends with the stream; throws its error. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    const error = this.isCutOff ? cutOffError() : this.#error
    const isOver = this.#closed || this.isCutOff || this.hasEnded
    return (this.#iterator ??= new MessageIterator(() => this.#updateReading(), error, isOver))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined)
  }

  /** @internal */
  sendNext(nowMs: number): Sent {
    return this.#halves.sending!.sendNext(nowMs)
  }

  /** @internal */
  get hasWork(): boolean {
    return !this.#closed && this.#halves.sending?.hasWork === true
  }

  /** @internal */
  get sender(): Sender {
    return this.peer
  }

  /** @internal */
  get receiving(): ReceiveHalf {
    return this.#halves.receiver(this.#terms, this.peer.receiving, this, this.group?.schedules)
  }

  /** The other side knows the stream. @internal */
  confirm(): void {
    this.#opening = undefined
  }

  /** @internal */
  onStatus(frame: StatusFrame, nowMs: number): void {
    this.#opening = undefined
    this.#halves.sending?.onStatus(frame.next, frame.consumed, frame.beyond, (frame.flags & STATUS_FLAG.ended) !== 0, nowMs)
    this.peer.host.touch(this)
  }

  /** @internal */
  onNak(ranges: readonly PacketRange[], nowMs: number): void {
    this.#opening = undefined
    this.#halves.sending?.onNak(ranges, nowMs)
    this.peer.host.touch(this)
  }

  /** @internal */
  onHeartbeat(frame: HeartbeatFrame, nowMs: number): void {
    this.#opening = undefined
    const isFinal = (frame.flags & HEARTBEAT_FLAG.final) !== 0
    this.receiving.onHeartbeat(frame.floor, frame.next, frame.timestamp, isFinal, nowMs)
    this.peer.host.touch(this)
  }

  /** The other side has reset the stream. @internal */
  onReset(reason: number): void {
    // It had everything, and has forgotten the stream since.
    const isFinished = reason === RESET_REASON.finished && this.hasEnded && this.#halves.sending?.isEnded === true
    this.destroy(isFinished ? undefined : resetError(reason, 'the other side'), reason)
  }

  /** @internal */
  transmit(slot: FrameSlot, packet: number, transmission: number): boolean {
    return this.peer.transmit(this, slot, packet, transmission)
  }

  /** @internal */
  onDrain(): void {
    if (!this.#halves.sending?.isEnded) this.#emit('drain')
  }

  /** @internal */
  onStubborn(): void {
    this.peer.suspectPath()
  }

  /** @internal */
  onMessage(message: Buffer, handler: number): void {
    const isAwaited = this.#iterator?.isWaiting === true
    if (isAwaited) {
      this.#iterator!.offer(Buffer.from(message))
      this.#updateReading()
    }
    try {
      if (!this.emit('message', message, handler) && !isAwaited) this.#cutOff()
    } catch (error) {
      throwLater(error)
    }
  }

  /** @internal */
  onGap(packets: number): void {
    this.#emit('gap', packets)
  }

  /** @internal */
  onEnd(): void {
    this.#iterator?.end(undefined)
    if (!this.isCutOff) this.#emit('end')
    if (!this.allowHalfOpen && !this.isGroup) this.end()
  }

  /** @internal */
  onResumed(): void {
    this.peer.host.touch(this)
  }

  /** @internal */
  onFailure(reason: number): void {
    this.reset(reason)
  }

  /** Says what there is to say: at the end of a batch, of a tick, and when a deadline has passed. @internal */
  settle(nowMs: number): void {
    if (this.#closed) return
    if (this.#opening?.take(nowMs, this.peer.sending.path.roundTrip)) sayOpen(this, this.#opening.options)
    this.#sayHowFar(nowMs)
    const heartbeat = this.#opening === undefined ? this.#halves.sending?.takeHeartbeat(nowMs) : undefined
    if (heartbeat !== undefined) sayHeartbeat(this, heartbeat, nowMs)
    if (this.isGroup ? this.#isEndSaid : this.isOver) this.destroy(undefined, RESET_REASON.finished)
  }

  /** Has the other side ended, and was all handed over, or thrown away? @internal */
  get hasEnded(): boolean {
    return this.#halves.receiving?.hasEnded === true
  }

  /** Have both sides ended, and know it? @internal */
  get isOver(): boolean {
    return this.hasEnded && (this.isGroup || this.#halves.sending?.isEndAcknowledged === true)
  }

  /** @internal */
  onDeadline(nowMs: number): void {
    if (nowMs >= (this.#closeMs ?? Infinity)) return this.reset()
    this.peer.host.touch(this)
  }

  /** When {@link settle} is due again. @internal */
  nextDeadlineMs(): number {
    if (this.#closed) return Infinity
    const sending = this.#opening?.deadlineMs ?? this.#halves.sending?.deadlineMs ?? Infinity
    return Math.min(sending, this.#halves.receiving?.deadlineMs ?? Infinity, this.#closeMs ?? Infinity)
  }

  /** @internal */
  trim(): void {
    if (this.isTouched || this.#closed) return
    this.group?.trim()
    this.#halves.trim()
  }

  /** Ends here and now; `reason` is what the other side is told if it asks. @internal */
  destroy(error: StreamError | undefined, reason: number): void {
    if (this.#closed) return
    this.#closed = true
    this.#error = error
    this.#halves.dispose()
    this.group?.dispose()
    this.#letGo()
    this.peer.forget(this, reason)
    this.#iterator?.end(error)
    queueMicrotask(() => this.#emit('close', error))
  }

  #giveUp(error: StreamError | undefined, reason: number): void {
    if (this.#closed) return
    this.peer.sendReset(this, reason)
    this.destroy(error, reason)
  }

  /** What comes is not read: nobody is to take what was read for the whole. */
  #cutOff(): void {
    if (this.isCutOff) return
    this.isCutOff = true
    this.#iterator?.end(cutOffError())
  }

  /** A receiver of a group goes. True: it had read everything. */
  #leave(): boolean {
    const { hasEnded } = this
    if (!hasEnded) this.#cutOff()
    this.#giveUp(undefined, RESET_REASON.cancelled)
    return hasEnded
  }

  #sender(): Sending {
    if (this.isGroup) throw oneWay()
    return this.#halves.sender(this.#terms, this.peer.sending, this)
  }

  #sayHowFar(nowMs: number): void {
    const receiving = this.#halves.receiving
    if (receiving === undefined) return
    const status = receiving.takeStatus(nowMs)
    if (status !== undefined) {
      sayStatus(this, status, this.group?.missed ?? 0)
      // A thousand receivers would double what the sender hears.
      if (!this.isGroup) this.peer.refreshRoundTrip(nowMs)
      // If this is lost, the sender asks, and is told that the stream was finished.
      this.#isEndSaid = status.isEnded && this.isGroup
    }
    const ranges = receiving.takeNak(nowMs)
    if (ranges.length > 0) sayNak(this, ranges)
  }

  /** Messages flow while somebody reads. */
  #updateReading(): void {
    if (this.#closed) return
    const isWanted = this.#iterator?.isWaiting === true || this.listenerCount('message') > 0
    const isReading = this.#isClosing || (isWanted && !this.#isUserPaused)
    if (isReading === this.#isReading) return
    this.#isReading = isReading
    if (!isReading) return this.receiving.pause()
    this.receiving.resume()
    this.peer.host.touch(this)
  }

  #emit<Name extends keyof StreamEvents>(event: Name, ...args: StreamEvents[Name]): void {
    throwingLater(() => this.emit(event, ...(args as never)))
  }

  static {
    followListeners(this.prototype, (stream) => stream.#updateReading())
  }
}
