import type { Endpoint, Link } from '../../core/index.js'

/** Two links that reach each other, fresh for a case. */
export interface LinkPair {
  readonly a: Link
  readonly b: Link
  /** Where `a` reaches `b`; may be left out where `a` has one peer. */
  readonly toB?: Endpoint | undefined
  readonly toA?: Endpoint | undefined
  /** Lets the links work for a moment: a turn of the event loop, a millisecond of a simulation. */
  turn(): Promise<void>
  /** Puts away what belongs to the pair; the links themselves are closed already. */
  close?(): void | Promise<void>
}

/** What a kind of link promises beyond the contract, or cannot do. */
export interface LinkTraits {
  /** Datagrams between two links arrive in the order in which they were sent. Default true. */
  readonly ordered?: boolean
  /** Nothing is lost between the links of a pair. Default true. */
  readonly lossless?: boolean
  /** The link has one peer, so that endpoints may be left out. Default false. */
  readonly singlePeer?: boolean
  /** Carries datagrams of no bytes. Default true. */
  readonly empty?: boolean
  /** Longer payloads need not arrive here, although `send` takes them. Default: all arrive. */
  readonly maxTestBytes?: number
}

/** What the suite needs to know of a kind of link. */
export interface LinkSuiteOptions<Pair extends LinkPair = LinkPair> {
  /** What the links are, for the names of the tests. */
  readonly name: string
  readonly make: () => Pair | Promise<Pair>
  readonly traits?: LinkTraits
  /**
   * From now on `a` can hand nothing over, until the returned function is called. Without it, the cases about back pressure are left
   * out.
   */
  readonly hold?: (pair: Pair) => () => void
  /** Sends a datagram from `a` that fails. Without it, the cases about 'sendError' are left out. */
  readonly fail?: (pair: Pair) => void | Promise<void>
  /** Breaks `a`, so that it can no longer work. Without it, the case about 'error' is left out. */
  readonly breakDown?: (pair: Pair) => void | Promise<void>
  /** How many turns to wait for something. Default 20 000. */
  readonly patienceTurns?: number
}

/** The functions of a test framework, such as vitest or `node:test`. */
export interface TestFramework {
  readonly describe: (name: string, define: () => void) => unknown
  readonly test: (name: string, run: () => Promise<void>) => unknown
}
