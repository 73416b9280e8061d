import dns from 'node:dns'
import type { LookupFunction } from 'node:net'
import { checkFunction, checkInteger, checkOptions, type Clock } from '../core/index.js'
import { systemClock } from '../system/index.js'

export interface CachingLookupOptions {
  /** Who is asked for what is not known. Default: `dns.lookup`. */
  lookup?: LookupFunction
  /** Names that are kept, the least recently used one forgotten first. Default 1000. */
  maxNames?: number
  /** How long an answer is kept, in milliseconds; `dns.lookup` does not tell how long it is good. Default 30 000. */
  maxAgeMs?: number
  /** Default: real time. */
  clock?: Clock
}

/**
 * A lookup that remembers, for the option `lookup` of a `UdpSocket` or of the drop-in's `createSocket`. Neither caches by itself.
 *
 * Who asks for a name that is being looked up waits for the same answer. Failures are not kept. Callbacks come in a tick of their own.
 *
 * @throws Misuse.
 */
export function cachingLookup(options: CachingLookupOptions = {}): LookupFunction {
  checkOptions('options', options, OPTIONS)
  const lookup = options.lookup === undefined ? (dns.lookup as LookupFunction) : checkFunction('options.lookup', options.lookup)
  const maxNames = checkInteger('options.maxNames', options.maxNames ?? 1000, 1, MAX_NAMES)
  const maxAgeMs = checkInteger('options.maxAgeMs', options.maxAgeMs ?? 30_000, 0, Number.MAX_SAFE_INTEGER)
  const clock = options.clock ?? systemClock
  const known = new Map<string, Answer>()
  const waiting = new Map<string, Callback[]>()

  function remember(key: string, values: Values): void {
    known.delete(key)
    known.set(key, { values, expiresMs: clock.nowMs() + maxAgeMs })
    if (known.size > maxNames) known.delete(known.keys().next().value!)
  }

  // Node's two forms: with an object of options, and, from its own dgram, with a family.
  return ((hostname: string, asked: object | number | undefined, callback: Callback) => {
    const key = `${JSON.stringify(asked)} ${hostname}`
    const answer = known.get(key)
    if (answer !== undefined && answer.expiresMs > clock.nowMs()) {
      markUsed(known, key, answer)
      process.nextTick(callback, ...answer.values)
      return
    }
    const others = waiting.get(key)
    if (others !== undefined) {
      others.push(callback)
      return
    }
    const callbacks = [callback]
    waiting.set(key, callbacks)
    const settle = (...values: Values): void => {
      waiting.delete(key)
      if (!values[0]) remember(key, values)
      for (const each of callbacks) process.nextTick(each, ...values)
    }
    try {
      lookup(hostname, asked as never, settle)
    } catch (error) {
      waiting.delete(key)
      throw error
    }
  }) as unknown as LookupFunction
}

type Values = [error: Error | null, ...answer: unknown[]]
type Callback = (...values: Values) => void

interface Answer {
  readonly values: Values
  readonly expiresMs: number
}

/** A map is in order of insertion: the first is the least recently used. */
function markUsed(known: Map<string, Answer>, key: string, answer: Answer): void {
  known.delete(key)
  known.set(key, answer)
}

const OPTIONS: ReadonlySet<string> = new Set(['lookup', 'maxNames', 'maxAgeMs', 'clock'])
const MAX_NAMES = 1_000_000
