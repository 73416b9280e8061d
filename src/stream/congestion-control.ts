/**
 * Decides how much may be on the way to a peer, and how fast it leaves. One for a peer, shared by its streams.
 *
 * Pure: it learns what happened and when, and is asked. Packets are counted, as in RFC 9438; rates are in bytes.
 */
export interface CongestionControl {
  /** Packets that may be on the way. */
  readonly windowPackets: number
  /** What may leave, in bytes per millisecond; Infinity: not paced. */
  paceBytesPerMs(frameBytes: number, smoothedRoundTripMs: number): number
  /** `packets` have arrived. `isLimited`: the window was what kept more from being sent. */
  onAcknowledged(packets: number, nowMs: number, roundTrip: RoundTripTimes, isLimited: boolean): void
  /** A packet that was sent at `sentMs` is lost. */
  onLost(sentMs: number, nowMs: number): void
  /** Nothing was heard for so long that everything may be lost. */
  onTimeout(nowMs: number): void
}

/** What is known about the round trip, in milliseconds. */
export interface RoundTripTimes {
  /** The last one that was measured: what is acknowledged was sent so long ago. */
  readonly latestMs: number
  readonly smoothedMs: number
  readonly minMs: number
}

/** Makes one for a new peer. */
export type CongestionControlFactory = () => CongestionControl

/** For a path whose capacity is known and kept free for this: a rate, and no regard to losses. */
export function fixedRate(bytesPerSecond: number): CongestionControlFactory {
  return () => ({
    windowPackets: Infinity,
    paceBytesPerMs: () => bytesPerSecond / 1000,
    onAcknowledged: () => undefined,
    onLost: () => undefined,
    onTimeout: () => undefined,
  })
}
