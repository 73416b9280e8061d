import type { Endpoint } from '../core/index.js'
import type { AssemblyBudget } from './assembly-budget.js'
import type { ControlFrame } from './control-frame.js'
import type { Scheduled } from './deadline-queue.js'
import type { FramePool } from './frame-pool.js'
import type { Integrity } from './integrity.js'
import type { NodeId } from './node-id.js'
import type { StreamError } from './stream-error.js'
import type { UnsentBudget } from './unsent-memory.js'

/** What peers and streams need of their node. It knows what the items are that it is given. */
export interface StreamHost {
  readonly id: NodeId
  readonly integrity: Integrity
  readonly pool: FramePool
  /** What a path to `endpoint` carries in one piece, as far as the link knows. */
  unfragmentedBytes(endpoint: Endpoint): number
  readonly budget: AssemblyBudget
  readonly unsent: UnsentBudget
  readonly maxMessageBytes: number
  readonly maxStreams: number
  readonly keepAliveMs: number
  readonly peerTimeoutMs: number
  nowMs(): number
  /** A moment as frames carry it: microseconds, modulo 2^32. */
  timestamp(nowMs: number): number
  /** A sealed frame to the link. False: the link is full. */
  sendFrame(frame: Buffer, endpoint: Endpoint): boolean
  /** A probe: a frame of exactly this length. */
  sendProbe(frameBytes: number, receiver: NodeId, endpoint: Endpoint): void
  sendControl(frame: ControlFrame, flags: number, receiver: NodeId, endpoint: Endpoint): void
  /** The same to a multicast group. */
  sendToGroup(frame: Buffer, group: Endpoint): boolean
  sendControlToGroup(frame: ControlFrame, group: Endpoint): void
  /** For packets that a group's stream keeps after they were read. */
  readonly repairHistoryBytes: number
  forgetPublication(publication: Scheduled): void
  /** The stream has something to say at the end of this batch or tick. */
  touch(stream: Scheduled): void
  /** The peer may go on sending: at the end of this batch. */
  flushLater(peer: Scheduled): void
  schedule(item: Scheduled, deadlineMs: number): void
  drawUint32(): number
  /** An id for a stream that is opened here: of all peers together, so that none is used again with any of them. */
  takeStreamId(): number
  countDrop(reason: DropReason): void
  /** Does somebody take this stream, which the peer has opened? */
  offerStream(stream: Scheduled): boolean
  onPeerClosed(peer: Scheduled, error: StreamError | undefined): void
}

/** Why a datagram, or what was in it, was dropped. */
export type DropReason =
  | 'short'
  | 'tooLong'
  | 'foreign'
  | 'version'
  | 'malformed'
  | 'integrityMode'
  | 'integrity'
  | 'truncated'
  | 'unknownType'
  | 'unknownPeer'
  | 'otherLife'
  | 'wrongEndpoint'
  | 'otherSession'
  | 'unknownStream'
  | 'wrongKind'
  | 'badCookie'
  | 'tooManyHellos'
  | 'unexpectedAnswer'
  | 'linkFull'
  | 'ownFrame'
