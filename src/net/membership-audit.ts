/** An interface that a membership is about. */
export interface JoinedInterface {
  readonly index: number
  readonly name: string
}

/**
 * What a `Membership` did, and why.
 *
 * - `joined`, `left`: a group on an interface.
 * - `renewed`: joined again on an interface of the same name, after that was deleted and made again, or did not match for a while, or
 *   after the socket failed. Reception resumes here.
 * - `failed`: the kernel refused. The message of the error names the limit where one is the reason. It is tried again after
 *   `retryInMs`, and when the interface changes.
 * - `sharded`: the kernel's limit was reached, so one more socket serves the same membership.
 */
export interface MembershipAudit {
  readonly action: 'joined' | 'left' | 'renewed' | 'failed' | 'sharded'
  readonly group: string
  /** Undefined where the kernel was to choose and found none. */
  readonly interface: JoinedInterface | undefined
  /** In words: `asked for`, `interface added`, `address removed`, … */
  readonly reason: string
  /** Of a `failed` one; of another, what went wrong on the way without changing the result. */
  readonly error: Error | undefined
  readonly retryInMs: number | undefined
}
