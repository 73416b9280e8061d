import { setImmediate } from 'node:timers'
import {
  checkFunction,
  checkInteger,
  checkOptions,
  invalidArgType,
  invalidState,
  outOfRange,
  type Clock,
  type Timer,
} from '../core/index.js'
import { EventQueue, type ScheduledEvent } from './event-queue.js'

export interface VirtualClockOptions {
  /** What {@link VirtualClock.nowMs} begins with. Default 0. */
  startMs?: number
  /** What {@link VirtualClock.wallMicroseconds} begins with. Default: 2026-01-01T00:00:00Z. */
  wallStartMicroseconds?: number
}

/**
 * Time that moves only when it is told to, from event to event, as fast as the events can be worked off.
 *
 * Every way to move it comes twice. The plain one (`advance`, `runUntil`, `runUntilIdle`) runs everything before it returns; promise
 * reactions have to wait until then, so it is for code that works with callbacks and events alone. It is the fast one. The other
 * (`advanceAsync`, …) lets everything that an event put off (promise reactions, `process.nextTick`, `queueMicrotask`) run before the
 * next event: for code that awaits something, such as `for await (const batch of link)`.
 *
 * Events of one moment happen in the order in which they were scheduled. What a callback throws comes out of the call that moved the
 * clock, which can be called again to go on.
 */
export class VirtualClock implements Clock {
  readonly #queue = new EventQueue()
  readonly #wallOffsetMicroseconds: number
  #nowMs: number
  #busy = 0
  #cancelled = 0
  #deferred: (() => void)[] = []
  #isRunning = false
  #isMicrotaskQueued = false
  readonly #onMicrotask = (): void => {
    this.#isMicrotaskQueued = false
    if (!this.#isRunning) this.#run(() => this.#runDeferred())
  }

  constructor(options: VirtualClockOptions = {}) {
    checkOptions('options', options, CLOCK_OPTIONS)
    this.#nowMs = checkFinite('options.startMs', options.startMs ?? 0)
    const wallStart = checkFinite('options.wallStartMicroseconds', options.wallStartMicroseconds ?? WALL_START_MICROSECONDS)
    this.#wallOffsetMicroseconds = wallStart - this.#nowMs * 1000
  }

  nowMs(): number {
    return this.#nowMs
  }

  wallMicroseconds(): number {
    return Math.floor(this.#wallOffsetMicroseconds + this.#nowMs * 1000)
  }

  /** @param delayMs Less than 0 is taken for 0. @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` for what is not finite. */
  setTimer(callback: () => void, delayMs: number): Timer {
    checkFunction('callback', callback)
    const dueMs = this.#nowMs + Math.max(0, checkFinite('delayMs', delayMs))
    const timer = new VirtualTimer(callback, this.#onTimerChange)
    this.schedule(dueMs, timer)
    return timer
  }

  /** Lets `ms` milliseconds pass, with everything that is due in them. */
  advance(ms: number): void {
    this.runUntil(this.#nowMs + checkDuration('ms', ms))
  }

  /** As {@link advance}, with what promises put off. */
  async advanceAsync(ms: number): Promise<void> {
    await this.runUntilAsync(this.#nowMs + checkDuration('ms', ms))
  }

  /** Runs what is due until `timeMs`, inclusive, which it is then. A time that has passed runs what is due now. */
  runUntil(timeMs: number): void {
    const endMs = checkFinite('timeMs', timeMs)
    this.#run(() => {
      while (this.#step(endMs));
      this.#nowMs = Math.max(this.#nowMs, endMs)
    })
  }

  /** As {@link runUntil}, with what promises put off. */
  async runUntilAsync(timeMs: number): Promise<void> {
    const endMs = checkFinite('timeMs', timeMs)
    await this.#runAsync(async () => {
      await this.#settle()
      while (this.#step(endMs)) await this.#settle()
      this.#nowMs = Math.max(this.#nowMs, endMs)
    })
  }

  /**
   * Runs until nothing is to come: no datagram on its way, no timer but those that were given up with `unref`.
   *
   * @param maxEvents The bound for what never ends, such as a repeated timer. Default {@link MAX_EVENTS}.
   * @throws `ERR_INVALID_STATE` beyond it.
   */
  runUntilIdle(maxEvents = MAX_EVENTS): void {
    checkInteger('maxEvents', maxEvents, 0, Number.MAX_SAFE_INTEGER)
    this.#run(() => {
      this.#runDeferred()
      for (let events = 0; this.#busy > 0; events++) {
        if (events >= maxEvents) throw this.#stillBusy(events)
        this.#step(Infinity)
        this.#runDeferred()
      }
    })
  }

  /** As {@link runUntilIdle}, with what promises put off. */
  async runUntilIdleAsync(maxEvents = MAX_EVENTS): Promise<void> {
    checkInteger('maxEvents', maxEvents, 0, Number.MAX_SAFE_INTEGER)
    await this.#runAsync(async () => {
      await this.#settle()
      for (let events = 0; this.#busy > 0; events++) {
        if (events >= maxEvents) throw this.#stillBusy(events)
        this.#step(Infinity)
        await this.#settle()
      }
    })
  }

  /**
   * Runs until `condition` is true, which is looked at after every event.
   *
   * @param withinMs How much time may pass.
   * @returns Has it become true? If not, all that time has passed.
   */
  runUntilTrue(condition: () => boolean, withinMs: number): boolean {
    checkFunction('condition', condition)
    const endMs = this.#nowMs + checkDuration('withinMs', withinMs)
    return this.#run(() => {
      this.#runDeferred()
      while (!condition()) {
        if (!this.#step(endMs)) return this.#timeIsUp(condition, endMs)
        this.#runDeferred()
      }
      return true
    })
  }

  /** As {@link runUntilTrue}, with what promises put off. */
  async runUntilTrueAsync(condition: () => boolean, withinMs: number): Promise<boolean> {
    checkFunction('condition', condition)
    const endMs = this.#nowMs + checkDuration('withinMs', withinMs)
    return this.#runAsync(async () => {
      await this.#settle()
      while (!condition()) {
        if (!this.#step(endMs)) return this.#timeIsUp(condition, endMs)
        await this.#settle()
      }
      return true
    })
  }

  /** When the next event is due; `Infinity` when there is none. @internal */
  get nextTimeMs(): number {
    this.#dropFirstCancelled()
    return this.#queue.firstTimeMs
  }

  /** @internal */
  schedule(timeMs: number, event: ScheduledEvent): void {
    this.#queue.push(timeMs, event)
    if (event.keepsBusy) this.#busy++
  }

  /**
   * Calls `callback` at the end of the tick: of the running event, or, outside of one, of the running JavaScript or before time moves,
   * whichever comes first.
   *
   * @internal
   */
  defer(callback: () => void): void {
    this.#deferred.push(callback)
    if (this.#isRunning || this.#isMicrotaskQueued) return
    this.#isMicrotaskQueued = true
    queueMicrotask(this.#onMicrotask)
  }

  /** The next event, if it is due by `endMs`. */
  #step(endMs: number): boolean {
    this.#runDeferred()
    this.#dropFirstCancelled()
    const queue = this.#queue
    const timeMs = queue.firstTimeMs
    if (timeMs > endMs || queue.size === 0) return false
    // Not back: something may have been scheduled for a moment that has passed.
    if (timeMs > this.#nowMs) this.#nowMs = timeMs
    const event = queue.pop()
    if (event.keepsBusy) this.#busy--
    event.fire()
    return true
  }

  #timeIsUp(condition: () => boolean, endMs: number): boolean {
    this.#nowMs = endMs
    return condition()
  }

  #runDeferred(): void {
    // What they defer in turn is of the same tick.
    for (let i = 0; i < this.#deferred.length; i++) {
      try {
        this.#deferred[i]!()
      } catch (error) {
        this.#deferred.splice(0, i + 1)
        throw error
      }
    }
    this.#deferred.length = 0
  }

  #dropFirstCancelled(): void {
    while (this.#queue.first?.isCancelled) {
      this.#queue.pop()
      this.#cancelled--
    }
  }

  readonly #onTimerChange = (timer: VirtualTimer, wasBusy: boolean): void => {
    if (wasBusy) this.#busy--
    if (!timer.isCancelled) return
    this.#cancelled++
    if (this.#cancelled <= MIN_CANCELLED || this.#cancelled * 2 < this.#queue.size) return
    this.#queue.dropCancelled()
    this.#cancelled = 0
  }

  #run<T>(run: () => T): T {
    this.#begin()
    try {
      return run()
    } finally {
      this.#end()
    }
  }

  async #runAsync<T>(run: () => Promise<T>): Promise<T> {
    this.#begin()
    try {
      return await run()
    } finally {
      this.#end()
    }
  }

  #begin(): void {
    if (this.#isRunning) throw invalidState('the clock is running: it cannot be moved from inside an event or by two at once')
    this.#isRunning = true
  }

  #end(): void {
    this.#isRunning = false
    // Left by an exception, or by the last event.
    if (this.#deferred.length > 0 && !this.#isMicrotaskQueued) {
      this.#isMicrotaskQueued = true
      queueMicrotask(this.#onMicrotask)
    }
  }

  /** A turn of the event loop, because nothing less is sure to come behind every promise and every `process.nextTick`. */
  async #settle(): Promise<void> {
    do {
      this.#runDeferred()
      await new Promise<void>((resolve) => setImmediate(resolve))
    } while (this.#deferred.length > 0)
  }

  #stillBusy(events: number): Error {
    return invalidState(
      `still busy after ${events} events, at ${this.#nowMs} ms; a timer that repeats needs unref() to be ignored`,
    )
  }
}

class VirtualTimer implements Timer, ScheduledEvent {
  keepsBusy = true
  isCancelled = false
  #callback: (() => void) | undefined
  readonly #onChange: (timer: VirtualTimer, wasBusy: boolean) => void

  constructor(callback: () => void, onChange: (timer: VirtualTimer, wasBusy: boolean) => void) {
    this.#callback = callback
    this.#onChange = onChange
  }

  cancel(): void {
    if (this.#callback === undefined) return
    this.#callback = undefined
    this.isCancelled = true
    this.#onChange(this, this.keepsBusy)
  }

  unref(): void {
    if (this.#callback === undefined || !this.keepsBusy) return
    this.keepsBusy = false
    this.#onChange(this, true)
  }

  fire(): void {
    const callback = this.#callback!
    this.#callback = undefined
    callback()
  }
}

function checkFinite(name: string, value: unknown): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!Number.isFinite(value)) throw outOfRange(name, 'finite', value)
  return value
}

function checkDuration(name: string, value: unknown): number {
  const duration = checkFinite(name, value)
  if (duration < 0) throw outOfRange(name, '>= 0', value)
  return duration
}

/** Enough for hours of a small network; seconds of wall time. */
export const MAX_EVENTS = 10_000_000
/** So few cancelled timers are not worth a search. */
const MIN_CANCELLED = 256
/** 2026-01-01T00:00:00Z: any day will do, but always the same one. */
const WALL_START_MICROSECONDS = 1_767_225_600_000_000
const CLOCK_OPTIONS: ReadonlySet<string> = new Set(['startMs', 'wallStartMicroseconds'])
