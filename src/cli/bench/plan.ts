/**
 * What is measured, and how it is counted.
 *
 * Datagrams travel in trains of a fixed length: with segmentation offload a train is one message to the kernel, so that one drop in its
 * counter is exactly one train. Datagram `n` belongs to train `floor(n / trainDatagrams)`.
 */
export interface BenchPlan {
  readonly transport: 'geysir' | 'dgram'
  readonly seconds: number
  /** Payload of a datagram. */
  readonly bytes: number
  readonly offload: boolean
  readonly verify: boolean
  /** The source does not wait for the sink. */
  readonly overrun: boolean
  /** In every datagram of this run, so that no other is taken for one. */
  readonly runId: number
  readonly trainDatagrams: number
}

/** Trains as long as the kernel coalesces: 64 segments, and not more than one IP packet holds. */
export function trainLength(bytes: number): number {
  return Math.max(1, Math.min(MAX_SEGMENTS, Math.floor(MAX_COALESCED_BYTES / bytes)))
}

/**
 * Trains that may be under way without overrunning the sink. Loopback gives no back pressure: what does not fit in the receive buffer
 * is dropped.
 *
 * @param receiveBufferBytes As the kernel counts it: twice what was asked for (socket(7), SO_RCVBUF).
 */
export function trainsInFlight(plan: BenchPlan, receiveBufferBytes: number, coalesced: boolean): number {
  const { bytes, trainDatagrams, overrun } = plan
  if (overrun) return Number.MAX_SAFE_INTEGER
  const cost = coalesced ? trainDatagrams * bytes + MESSAGE_OVERHEAD_BYTES : trainDatagrams * (2 * bytes + MESSAGE_OVERHEAD_BYTES)
  return Math.max(1, Math.floor((receiveBufferBytes * USED_SHARE) / cost))
}

/** `UDP_MAX_SEGMENTS` of every kernel that segments. */
const MAX_SEGMENTS = 64
/** The longest UDP payload over IPv4. */
export const MAX_PAYLOAD_BYTES = 65_507
/** The longest message that the socket coalesces: with all its headers it stays below a device's `gso_max_size`. */
const MAX_COALESCED_BYTES = 65_460
/**
 * What a message costs the receive buffer beside its payload (`sk_buff`, shared info, headers); memory comes in powers of two, hence
 * twice the payload where it is not paged.
 */
const MESSAGE_OVERHEAD_BYTES = 1536
/** The kernel gives back what was read in quarters of the buffer (net/ipv4/udp.c, udp_rmem_release). */
const USED_SHARE = 0.5

/** The receive buffer that both sides of a comparison ask for. */
export const RECEIVE_BUFFER_BYTES = 4 << 20

// What the processes tell each other.

export type ToSink = { kind: 'plan'; plan: BenchPlan } | { kind: 'peer'; port: number } | { kind: 'finish'; numbered: number }

export type FromSink =
  | { kind: 'ready'; port: number; inFlight: number; receiveBufferBytes: number; offload: boolean }
  | ({ kind: 'progress' } & SinkProgress)
  | { kind: 'result'; result: SinkResult }

export type ToSource = { kind: 'plan'; plan: BenchPlan; port: number; inFlight: number } | { kind: 'go' } | { kind: 'stop' }

export type FromSource = { kind: 'ready'; port: number; offload: boolean } | { kind: 'result'; result: SourceResult }

export interface SinkProgress {
  readonly received: number
  readonly kernelDrops: number
  readonly atMs: number
}

export interface SinkResult {
  readonly received: number
  /** Numbers that never came. */
  readonly missing: number
  readonly duplicated: number
  readonly late: number
  readonly corrupted: number
  readonly strangers: number
  /** As the kernel counts: messages. Undefined where it does not tell. */
  readonly kernelDrops: number | undefined
  /** From the first datagram to the last. */
  readonly seconds: number
  readonly cpuSeconds: number
}

export interface SourceResult {
  /** Datagrams that were given a number, and what became of them. */
  readonly numbered: number
  readonly sent: number
  readonly failed: number
  readonly offloadFallbacks: number
  /** Times that no report of the sink came and a train was sent to ask for one. */
  readonly resyncs: number
  readonly wouldBlock: number
  readonly cpuSeconds: number
}
