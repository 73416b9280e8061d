import type { Clock, DatagramBatch, Timer } from '../core/index.js'
import { DeadlineQueue, type Scheduled } from './deadline-queue.js'

/** Takes the datagrams of a batch. */
export interface BatchReceiver {
  receive(batch: DatagramBatch, nowMs: number): void
}

/** Something that has things to say, at the end of a batch or tick and when a deadline has passed: a stream, or one to many. */
export interface Talker extends Scheduled {
  /** @internal */ isTouched: boolean
  /** Waits in its sender's queue. @internal */
  isQueued: boolean
  readonly closed: boolean
  /** @internal */ readonly hasWork: boolean
  /** What sends for it. @internal */
  readonly sender: Sender
  /** @internal */ settle(nowMs: number): void
  /** @internal */ nextDeadlineMs(): number
}

/** Sends what talkers have. */
export interface Sender {
  readonly closed: boolean
  /** @internal */ readonly sendQueue: Talker[]
  /** False: the link is full. @internal */
  flush(nowMs: number): boolean
}

/**
 * When a node works: for a batch, when a deadline has passed, when the link has room again, and at the end of a tick in which its user
 * did something. It takes what has come, does what is due, and says what there is to say.
 */
export class WorkLoop {
  readonly #clock: Clock
  readonly #deadlines = new DeadlineQueue<Scheduled>()
  #touched: Talker[] = []
  /** Peers whose frames wait for the link, or whose pace allows more. */
  readonly #waiting = new Set<Sender>()
  #isBusy = false
  #isTickScheduled = false
  /** Some of those that wait do not wait for the link. */
  #isFlushDue = false
  #timer: Timer | undefined
  #timerMs = Infinity
  #isReferenced = true
  #isStopped = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Works, unless it does so already. */
  run(): void {
    if (!this.#isBusy) this.#work(undefined, undefined)
  }

  /** The link has room again. */
  readonly onDrain = (): void => {
    if (this.#isBusy) this.#scheduleTick()
    else this.#work(undefined, undefined)
  }

  /** Works on a batch. */
  receive(batch: DatagramBatch, receiver: BatchReceiver): void {
    this.#work(batch, receiver)
  }

  /** The stream has something to say at the end of this batch or tick. */
  touch(stream: Talker): void {
    if (stream.isTouched || stream.closed) return
    stream.isTouched = true
    this.#touched.push(stream)
    if (!this.#isBusy) this.#scheduleTick()
  }

  /** The peer may go on sending: at the end of this batch or tick. */
  flushLater(peer: Sender): void {
    this.#waiting.add(peer)
    this.#isFlushDue = true
    if (!this.#isBusy) this.#scheduleTick()
  }

  forget(peer: Sender): void {
    this.#waiting.delete(peer)
  }

  schedule(item: Scheduled, deadlineMs: number): void {
    this.#deadlines.schedule(item, deadlineMs)
  }

  /** After something was scheduled outside of the work. */
  armTimer(): void {
    const dueMs = this.#deadlines.nextMs
    if (this.#isStopped || dueMs >= this.#timerMs) return
    this.#timer?.cancel()
    this.#timerMs = dueMs
    this.#timer = this.#clock.setTimer(this.#onTimer, Math.max(0, dueMs - this.#clock.nowMs()))
    if (!this.#isReferenced) this.#timer.unref()
  }

  /** May the timer keep the process alive? */
  ref(): void {
    this.#isReferenced = true
    this.#timerMs = Infinity
    this.armTimer()
  }

  unref(): void {
    this.#isReferenced = false
    this.#timer?.unref()
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  readonly #onTimer = (): void => {
    this.#timerMs = Infinity
    this.#work(undefined, undefined)
  }

  readonly #onTick = (): void => {
    this.#isTickScheduled = false
    this.run()
  }

  #work(batch: DatagramBatch | undefined, receiver: BatchReceiver | undefined): void {
    if (this.#isStopped) return
    const nowMs = this.#clock.nowMs()
    this.#isBusy = true
    try {
      if (batch !== undefined) receiver!.receive(batch, nowMs)
      this.#workThrough(nowMs)
    } finally {
      this.#isBusy = false
    }
    if (this.#touched.length > 0 || this.#isFlushDue) this.#scheduleTick()
    this.armTimer()
  }

  #workThrough(nowMs: number): void {
    const deadlines = this.#deadlines
    for (let due = deadlines.takeDue(nowMs); due !== undefined; due = deadlines.takeDue(nowMs)) due.onDeadline(nowMs)
    this.#isFlushDue = false
    if (this.#waiting.size > 0) {
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const peer of waiting) this.#flushPeer(peer, nowMs)
    }
    // What a handler does here may touch streams again; every round sends, and window and pace end it.
    for (let rounds = 0; this.#touched.length > 0 && rounds < MAX_ROUNDS; rounds++) this.#settleTouched(nowMs)
  }

  #settleTouched(nowMs: number): void {
    const touched = this.#touched
    this.#touched = []
    for (const stream of touched) {
      stream.isTouched = false
      stream.settle(nowMs)
      if (stream.hasWork && !stream.isQueued) {
        stream.isQueued = true
        stream.sender.sendQueue.push(stream)
      }
    }
    for (const stream of touched) if (stream.sender.sendQueue.length > 0) this.#flushPeer(stream.sender, nowMs)
    for (const stream of touched) this.#deadlines.schedule(stream, stream.nextDeadlineMs())
  }

  #flushPeer(peer: Sender, nowMs: number): void {
    if (peer.closed || this.#waiting.has(peer)) return
    if (!peer.flush(nowMs)) this.#waiting.add(peer)
  }

  #scheduleTick(): void {
    if (this.#isTickScheduled) return
    this.#isTickScheduled = true
    process.nextTick(this.#onTick)
  }
}

/** Between two looks at the network. */
const MAX_ROUNDS = 16
