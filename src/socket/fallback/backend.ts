import { loadAddon, type Addon } from '../../binding/index.js'
import { invalidArgValue } from '../../core/index.js'
import { DgramAddon } from './dgram-addon.js'

/** What sockets run on: the addon, or Node's own dgram in its place. */
export type Backend = 'native' | 'dgram'

/**
 * The addon of this process; where none loads, or `GEYSIR_BACKEND=dgram` says so, a stand-in on `node:dgram`.
 *
 * @throws `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM` for `GEYSIR_BACKEND=native` where no addon loads.
 */
export function selectBackend(): Addon {
  selected ??= select(process.env['GEYSIR_BACKEND'])
  return selected
}

/** Why the addon is not used; undefined where it is. */
export function fallbackReason(): string | undefined {
  const addon = selectBackend()
  return addon.backend === 'dgram' ? reason : undefined
}

let selected: Addon | undefined
let reason: string | undefined

function select(wanted: string | undefined): Addon {
  if (wanted === 'dgram') {
    reason = 'GEYSIR_BACKEND=dgram'
    return new DgramAddon()
  }
  if (wanted === 'native') return loadAddon()
  if (wanted) throw invalidArgValue('GEYSIR_BACKEND', wanted, "must be 'native' or 'dgram'")
  // It has libuv's functions by name, and ends the process where they are called.
  if (process.versions['bun'] !== undefined) {
    reason = 'Bun has no libuv'
    return new DgramAddon()
  }
  try {
    return loadAddon()
  } catch (error) {
    reason = (error as Error).message
    return new DgramAddon()
  }
}
