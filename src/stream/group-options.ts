import type { Random } from '../core/index.js'
import type { GroupTerms, OpenGroupFrame } from './group-frame.js'
import type { StreamHost } from './host.js'

/** What a stream of a group is told when it is opened. */
export interface GroupOptions {
  readonly terms: GroupTerms
  /** Where the group's frames are sent to; '': each receiver is sent its own. */
  readonly endpoint: string
  /** For packets that are kept after they were read, to be taken out of repairs. */
  readonly historyBytes: number
  readonly random: Random
}

/** What a receiver makes of being told of a group. */
export function groupOptionsOf(frame: OpenGroupFrame, host: StreamHost): GroupOptions {
  const { repairHistoryBytes: historyBytes } = host
  return { terms: frame, endpoint: frame.endpoint, historyBytes, random: { uint32: () => host.drawUint32() } }
}
