import { ERRNO, type NativeSocket } from '../binding/index.js'
import type { SendQueueOwner } from './send-queue-owner.js'

/**
 * One sendmmsg(2), again where a signal interrupted it (signal(7)), and a few times where it failed for what an earlier datagram met.
 *
 * @returns Messages that the kernel took, at least one; or the negated errno.
 */
export function sendMessages(
  native: NativeSocket,
  owner: SendQueueOwner,
  slab: Uint8Array,
  table: Uint32Array,
  first: number,
  count: number,
): number {
  let pending = 0
  let tries = 0
  for (;;) {
    const result = native.send(slab, table, first, count)
    if (result === -ERRNO.EINTR) continue
    const isTaken = result > 0 || result === -ERRNO.EAGAIN
    if (!isTaken && tries++ < MAX_RETRIES && owner.mayBePending(result)) {
      pending = result
      continue
    }
    if (pending !== 0 && pending !== result) owner.onPendingError(pending)
    return result
  }
}

/** Times that a send is tried again after an error that may not be its own, before it is called a failure itself. */
const MAX_RETRIES = 2
