import { checkInteger } from '../core/index.js'

/**
 * How long a close may take, from its options.
 *
 * @throws Misuse.
 */
export function closeDeadlineMs(options: { deadlineMs?: number }): number {
  return checkInteger('options.deadlineMs', options.deadlineMs ?? DEFAULT_CLOSE_MS, 0, MAX_CLOSE_MS)
}

const DEFAULT_CLOSE_MS = 10_000
const MAX_CLOSE_MS = 2 ** 31 - 1
