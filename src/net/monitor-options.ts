import { checkBoolean, checkInteger, checkOptions, checkSignal, invalidArgType, type Clock } from '../core/index.js'
import { systemClock } from '../system/index.js'

/** Options of `new InterfaceMonitor`. */
export interface InterfaceMonitorOptions {
  /**
   * How long after the first change of a burst it is told, in milliseconds, 0 to 60 000. What comes and goes within that time is not
   * told at all. Default 50: a link that comes up changes five times in a few milliseconds. 0: told at once.
   */
  settleMs?: number
  /** Where netlink is refused: how often to look, in milliseconds, 10 to 3 600 000. Default 1000. */
  pollMs?: number
  /**
   * Follow default routes. Default true. Each change of one reads the main routing table; a router with the table of the Internet
   * had better leave it out.
   */
  defaultRoutes?: boolean
  /**
   * Room for events that the kernel has told and we have not read, in bytes, 4096 to 1 GiB. Default 4 MiB, or what the kernel allows. What does not
   * fit is lost, noticed, and found out by a dump. socket(7) SO_RCVBUF.
   */
  receiveBufferBytes?: number
  /** Default: real time. */
  clock?: Clock
  /** Closes the monitor when it is aborted. */
  signal?: AbortSignal
}

export interface ResolvedMonitorOptions {
  readonly settleMs: number
  readonly pollMs: number
  readonly defaultRoutes: boolean
  readonly receiveBufferBytes: number
  readonly clock: Clock
  readonly signal: AbortSignal | undefined
}

/** Checks and fills in. @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`. */
export function resolveMonitorOptions(options: InterfaceMonitorOptions): ResolvedMonitorOptions {
  checkOptions('options', options, KNOWN)
  const integer = (name: 'settleMs' | 'pollMs' | 'receiveBufferBytes', min: number, max: number, byDefault: number): number =>
    options[name] === undefined ? byDefault : checkInteger(`options.${name}`, options[name], min, max)
  return Object.freeze({
    settleMs: integer('settleMs', 0, 60_000, 50),
    pollMs: integer('pollMs', 10, 3_600_000, 1000),
    defaultRoutes: checkBoolean('options.defaultRoutes', options.defaultRoutes ?? true),
    receiveBufferBytes: integer('receiveBufferBytes', 4096, 1 << 30, 4 << 20),
    clock: checkClock(options.clock ?? systemClock),
    signal: checkSignal('options.signal', options.signal),
  })
}

function checkClock(clock: Clock): Clock {
  if (typeof (clock as Partial<Clock> | null)?.setTimer !== 'function') throw invalidArgType('options.clock', 'a Clock', clock)
  return clock
}

const KNOWN: ReadonlySet<string> = new Set(['settleMs', 'pollMs', 'defaultRoutes', 'receiveBufferBytes', 'clock', 'signal'])
