import {
  Endpoint,
  SeededRandom,
  randomFill,
  type DatagramBatch,
  type Link,
  type LinkStatistics,
  type Payload,
} from '../../core/index.js'
import { LinkSuiteError, assertPayloads, assertSame } from './assert.js'
import type { LinkPair, LinkSuiteOptions, LinkTraits } from './options.js'

/** A behaviour that a link must have. */
export interface LinkCase {
  readonly name: string
  /** What the kind of link must be able to do for it. */
  readonly needs?: 'hold' | 'fail' | 'breakDown' | 'many peers' | 'one peer' | 'empty'
  readonly run: (bench: Workbench) => Promise<void>
}

/** What came to a link, copied. */
export interface Recorded {
  readonly payloads: Buffer[]
  readonly endpoints: Endpoint[]
  batches: number
}

/** A pair of links at work, and what the cases do with it again and again. */
export class Workbench<Pair extends LinkPair = LinkPair> {
  readonly a: Link
  readonly b: Link
  readonly traits: Required<LinkTraits>
  readonly pair: Pair
  readonly options: LinkSuiteOptions<Pair>
  readonly #patienceTurns: number

  static async open<Pair extends LinkPair>(options: LinkSuiteOptions<Pair>): Promise<Workbench<Pair>> {
    return new Workbench(options, await options.make())
  }

  private constructor(options: LinkSuiteOptions<Pair>, pair: Pair) {
    this.options = options
    this.pair = pair
    this.a = pair.a
    this.b = pair.b
    this.traits = { ordered: true, lossless: true, singlePeer: false, empty: true, maxTestBytes: Infinity, ...options.traits }
    this.#patienceTurns = options.patienceTurns ?? PATIENCE_TURNS
  }

  async close(): Promise<void> {
    this.a.close()
    this.b.close()
    await this.pair.close?.()
  }

  sendToB(payload: Payload): boolean {
    return this.a.send(payload, this.pair.toB)
  }

  sendToA(payload: Payload): boolean {
    return this.b.send(payload, this.pair.toA)
  }

  reserveToB(lengthBytes: number): Buffer {
    const room = this.a.reserve(lengthBytes, this.pair.toB)
    if (room === undefined) throw new LinkSuiteError('reserve refuses although the queue is empty')
    assertSame(room.length, lengthBytes, 'the length of the reserved view')
    return room
  }

  /** Lets the links work until `condition` holds. */
  async until(condition: () => boolean, what: string): Promise<void> {
    for (let turns = 0; !condition(); turns++) {
      if (turns === this.#patienceTurns) throw new LinkSuiteError(`it did not happen within ${turns} turns: ${what}`)
      await this.pair.turn()
    }
  }

  /** Lets the links work long enough for what should not happen. */
  async quiet(): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS; turns++) await this.pair.turn()
  }

  /** Notes what comes to a link from now on. */
  record(link: Link): Recorded {
    const recorded: Recorded = { payloads: [], endpoints: [], batches: 0 }
    link.on('batch', (batch) => {
      recorded.batches++
      for (let i = 0; i < batch.count; i++) {
        recorded.payloads.push(batch.copy(i))
        recorded.endpoints.push(batch.endpoint(i))
      }
    })
    return recorded
  }

  /** Sends payloads from `a` to `b`, and looks at what arrives. */
  async transfer(payloads: readonly Buffer[], what: string): Promise<Recorded> {
    const recorded = this.record(this.b)
    for (const [i, payload] of payloads.entries()) {
      await this.sendPatiently(payload)
      // No more than what any receiver has room for.
      if (i % WAVE === WAVE - 1) await this.pair.turn()
    }
    await this.arrived(recorded, payloads, what)
    return recorded
  }

  /** Sends to `b`, waiting for room where there is none. */
  async sendPatiently(payload: Payload): Promise<void> {
    await this.until(() => this.sendToB(payload), 'room in the queue')
  }

  /** Waits until payloads that were sent from `a` to `b` have arrived, all, once, and in order, as far as the kind of link promises that. */
  async arrived({ payloads }: Recorded, expected: readonly Buffer[], what: string): Promise<void> {
    if (this.traits.lossless) {
      await this.until(() => payloads.length >= expected.length, `${what}: ${expected.length} datagrams arrive`)
      if (this.traits.ordered) assertPayloads(payloads, expected, what)
      else assertPayloads(sorted(payloads), sorted(expected), what)
      return
    }
    let turns = 0
    const isThere = (wanted: Buffer): boolean => payloads.some((payload) => payload.equals(wanted))
    await this.until(() => {
      const missing = expected.filter((wanted) => !isThere(wanted))
      if (turns++ % RESEND_TURNS === 0) for (const payload of missing) this.sendToB(payload)
      return missing.length === 0
    }, `${what}: each datagram arrives, sent often enough`)
    for (const payload of payloads) {
      if (!expected.some((sent) => sent.equals(payload))) throw new LinkSuiteError(`${what}: something arrived that was not sent`)
    }
  }

  /** The next batch that comes to `b`, handed to `use` while it lives. */
  async withBatch(payloads: readonly Buffer[], use: (batch: DatagramBatch) => void): Promise<void> {
    let failure: Error | undefined
    let isDone = false
    this.b.once('batch', (batch) => {
      try {
        use(batch)
      } catch (error) {
        failure = error as Error
      }
      isDone = true
    })
    for (const payload of payloads) this.sendToB(payload)
    let turns = 0
    await this.until(() => {
      if (!isDone && !this.traits.lossless && ++turns % RESEND_TURNS === 0) this.sendToB(payloads[0]!)
      return isDone
    }, 'a batch arrives')
    if (failure !== undefined) throw failure
  }

  /** Counts an event. */
  count(link: Link, event: 'drain' | 'sendError' | 'error' | 'close' | 'batch'): () => number {
    let times = 0
    link.on(event as 'drain', () => void times++)
    return () => times
  }
}

/** Every datagram that was accepted is in exactly one place. */
export function assertAddsUp(statistics: LinkStatistics, what: string): void {
  const { datagramsQueued, datagramsSent, datagramsFailed, datagramsDiscarded, queuedDatagrams } = statistics
  const sum = datagramsSent + datagramsFailed + datagramsDiscarded + queuedDatagrams
  assertSame(datagramsQueued, sum, `${what}: datagramsQueued and the sum of sent, failed, discarded and queued`)
}

/** Bytes that are the same for the same numbers, and differ from one datagram to the next. */
export function pattern(lengthBytes: number, seed = lengthBytes): Buffer {
  const bytes = Buffer.alloc(lengthBytes)
  randomFill(new SeededRandom(seed), bytes)
  return bytes
}

function sorted(payloads: readonly Buffer[]): Buffer[] {
  return [...payloads].sort((one, other) => Buffer.compare(one, other))
}

/** For a loopback interface or a simulation a few would do. */
const PATIENCE_TURNS = 20_000
const QUIET_TURNS = 10
const RESEND_TURNS = 20
const WAVE = 50
