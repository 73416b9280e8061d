import type { Endpoint } from '../core/index.js'
import type { ControlFrame, HelloFrame, WelcomeFrame } from './control-frame.js'
import { Cookies } from './cookie.js'
import type { Scheduled } from './deadline-queue.js'
import { NOBODY, type NodeId } from './node-id.js'
import type { Peer } from './peer.js'
import { drawSessionNumber, type Introduction } from './session.js'
import { StreamError } from './stream-error.js'
import { TokenBucket } from './token-bucket.js'
import { FLAG, MIN_FRAME_BYTES, REFUSAL, TYPE, VERSION } from './wire.js'
import type { DropReason } from './host.js'
import type { Random } from '../core/index.js'

/** What joining needs of the node. */
export interface JoinHost {
  readonly name: string
  readonly frameBytes: number
  readonly isFull: boolean
  timestamp(nowMs: number): number
  schedule(item: Scheduled, deadlineMs: number): void
  sendControl(frame: ControlFrame, flags: number, receiver: NodeId, endpoint: Endpoint): void
  countDrop(reason: DropReason): void
  peerAt(endpoint: Endpoint): Peer | undefined
  peerOf(id: NodeId): Peer | undefined
  /** Makes a peer. */
  admit(introduction: Introduction, nowMs: number, isInvited: boolean): Peer
}

/** Somebody who waits for a peer, until then. */
interface Waiter {
  readonly endMs: number
  readonly resolve: (peer: Peer) => void
  readonly reject: (error: Error) => void
}

/** A hello that waits for its answer, as long as somebody waits for it. */
interface Attempt extends Scheduled {
  readonly endpoint: Endpoint
  /** What it calls the session that is to be. */
  readonly session: number
  cookie: Uint8Array
  tries: number
  challenges: number
  /** When to say hello again. */
  helloMs: number
  waiting: Waiter[]
  onDeadline(nowMs: number): void
}

/**
 * Joining: hello, challenge, hello with the cookie, welcome; section "Joining".
 *
 * Who is called keeps nothing before the caller has proved its address, and sends no more than it got.
 */
export class Joiner {
  readonly #host: JoinHost
  readonly #random: Random
  readonly #cookies: Cookies
  readonly #attempts = new Map<string, Attempt>()
  readonly #hellos = new TokenBucket(MAX_HELLOS_PER_SECOND)

  constructor(host: JoinHost, random: Random) {
    this.#host = host
    this.#random = random
    this.#cookies = new Cookies(random)
  }

  /** Asks the node at `endpoint` to join. Who asks again waits for the same answer, as long as he likes; who cancels, cancels for himself. */
  connect(endpoint: Endpoint, nowMs: number, timeoutMs: number): { joined: Promise<Peer>; cancel: (error: Error) => void } {
    let cancel = (_error: Error): void => undefined
    const joined = new Promise<Peer>((resolve, reject) => {
      const attempt = this.#attempts.get(endpoint.toString()) ?? this.#begin(endpoint, nowMs)
      const waiter = { endMs: nowMs + timeoutMs, resolve, reject }
      attempt.waiting.push(waiter)
      this.#schedule(attempt)
      cancel = (error) => {
        if (attempt.waiting.includes(waiter)) this.#giveUp(attempt, (each) => each === waiter, error)
      }
    })
    return { joined, cancel }
  }

  #begin(endpoint: Endpoint, nowMs: number): Attempt {
    const attempt: Attempt = {
      endpoint,
      session: drawSessionNumber(this.#random),
      cookie: NO_COOKIE,
      tries: 0,
      challenges: 0,
      helloMs: nowMs,
      waiting: [],
      deadlineMs: Infinity,
      queueIndex: -1,
      onDeadline: (now) => this.#onDeadline(attempt, now),
    }
    // Throws for an endpoint that the link does not reach.
    this.#sayHello(attempt, nowMs)
    this.#attempts.set(endpoint.toString(), attempt)
    return attempt
  }

  /** Is this endpoint being asked to join? */
  isAsking(endpoint: Endpoint): boolean {
    return this.#attempts.has(endpoint.toString())
  }

  /** Is somebody being asked to join in a session of this number? */
  isAskingFor(session: number): boolean {
    for (const attempt of this.#attempts.values()) if (attempt.session === session) return true
    return false
  }

  onHello(frame: HelloFrame, sender: NodeId, endpoint: Endpoint, nowMs: number): void {
    if (!this.#hellos.take(nowMs)) return this.#host.countDrop('tooManyHellos')
    if (frame.minVersion > VERSION || frame.maxVersion < VERSION) return this.#refuse(REFUSAL.version, frame, sender, endpoint)
    const isProved = frame.cookie.length > 0 && this.#cookies.check(frame.cookie, endpoint, sender, nowMs)
    if (!isProved) {
      // One that is too old, or of an earlier life of ours, is answered as none.
      if (frame.cookie.length > 0) this.#host.countDrop('badCookie')
      const cookie = this.#cookies.issue(endpoint, sender, nowMs)
      this.#host.sendControl({ type: TYPE.challenge, timestamp: frame.timestamp, cookie }, FLAG.control, sender, endpoint)
      return
    }
    const known = this.#host.peerAt(endpoint) ?? this.#host.peerOf(sender)
    if (known !== undefined && !isSession(known, sender, endpoint, frame.session)) {
      // Another life or session at this address, or this life at another address: the new one, an old hello that comes late, or a lie. Who is
      // there says so itself.
      known.survey.confirmSession(nowMs)
      return
    }
    if (known === undefined && this.#host.isFull) return this.#refuse(REFUSAL.full, frame, sender, endpoint)
    const attempt = this.#attempts.get(endpoint.toString())
    const own = attempt?.session ?? drawSessionNumber(this.#random)
    const peer = known ?? this.#host.admit(introduce(frame, sender, endpoint, own), nowMs, attempt !== undefined)
    const { name, frameBytes } = this.#host
    const { timestamp, session: asked } = frame
    this.#host.sendControl(
      { type: TYPE.welcome, version: VERSION, frameBytes, timestamp, session: peer.session.own, asked, name },
      FLAG.control,
      sender,
      endpoint,
    )
    if (attempt !== undefined) this.#succeed(attempt, peer)
  }

  /** The answers to a hello of ours. */
  onAnswer(frame: ControlFrame, sender: NodeId, endpoint: Endpoint, nowMs: number): void {
    const attempt = this.#attempts.get(endpoint.toString())
    if (attempt === undefined) return this.#host.countDrop('unexpectedAnswer')
    if (frame.type === TYPE.challenge) {
      attempt.cookie = frame.cookie
      // Otherwise with the next one that is due: nobody makes us say hello for ever.
      if (attempt.challenges++ >= MAX_QUICK_ANSWERS) return
      this.#sayHello(attempt, nowMs)
      this.#schedule(attempt)
    } else if (frame.type === TYPE.welcome) {
      if (attempt.cookie.length === 0 || frame.version !== VERSION) return this.#host.countDrop('unexpectedAnswer')
      if (frame.asked !== attempt.session) return this.#host.countDrop('otherSession')
      const peer = this.#host.admit(introduce(frame, sender, endpoint, attempt.session), nowMs, true)
      peer.survey.onAnswer(frame.timestamp, 0, nowMs)
      this.#succeed(attempt, peer)
    } else if (frame.type === TYPE.refuse) {
      if (frame.asked !== attempt.session) return this.#host.countDrop('otherSession')
      const reason =
        frame.reason === REFUSAL.version ? 'version' : frame.reason === REFUSAL.full ? 'full' : `reason ${frame.reason}`
      this.#fail(
        attempt,
        new StreamError('ERR_CONNECT_REFUSED', `${endpoint.toString()} refuses to be joined: ${reason}`, reason),
      )
    }
  }

  /** Gives up all attempts. */
  abort(error: Error): void {
    for (const attempt of [...this.#attempts.values()]) this.#fail(attempt, error)
  }

  #onDeadline(attempt: Attempt, nowMs: number): void {
    const error = new StreamError('ERR_CONNECT_TIMEOUT', `${attempt.endpoint.toString()} did not answer`)
    this.#giveUp(attempt, ({ endMs }) => nowMs >= endMs, error)
    if (attempt.waiting.length === 0) return
    if (nowMs >= attempt.helloMs) this.#sayHello(attempt, nowMs)
    this.#schedule(attempt)
  }

  /** Some do not wait any longer. */
  #giveUp(attempt: Attempt, who: (waiter: Waiter) => boolean, error: Error): void {
    const gone = attempt.waiting.filter(who)
    attempt.waiting = attempt.waiting.filter((waiter) => !who(waiter))
    if (attempt.waiting.length === 0) this.#finish(attempt)
    for (const { reject } of gone) reject(error)
  }

  #schedule(attempt: Attempt): void {
    this.#host.schedule(attempt, Math.min(attempt.helloMs, ...attempt.waiting.map(({ endMs }) => endMs)))
  }

  #sayHello(attempt: Attempt, nowMs: number): void {
    const { name, frameBytes } = this.#host
    const { cookie, session, endpoint } = attempt
    const timestamp = this.#host.timestamp(nowMs)
    this.#host.sendControl(
      { type: TYPE.hello, minVersion: VERSION, maxVersion: VERSION, cookie, frameBytes, timestamp, session, name },
      FLAG.control,
      NOBODY,
      endpoint,
    )
    attempt.helloMs = nowMs + Math.min(HELLO_AGAIN_MS * 2 ** attempt.tries++, MAX_HELLO_AGAIN_MS)
  }

  #succeed(attempt: Attempt, peer: Peer): void {
    for (const { resolve } of this.#finish(attempt)) resolve(peer)
  }

  #fail(attempt: Attempt, error: Error): void {
    for (const { reject } of this.#finish(attempt)) reject(error)
  }

  /** Gives those who wait, and have nothing to do with it any more. */
  #finish(attempt: Attempt): Waiter[] {
    this.#attempts.delete(attempt.endpoint.toString())
    this.#host.schedule(attempt, Infinity)
    const { waiting } = attempt
    attempt.waiting = []
    return waiting
  }

  #refuse(reason: number, { session }: HelloFrame, sender: NodeId, endpoint: Endpoint): void {
    this.#host.sendControl(
      { type: TYPE.refuse, reason, minVersion: VERSION, maxVersion: VERSION, asked: session },
      FLAG.control,
      sender,
      endpoint,
    )
  }
}

/** Is it the peer that says hello, in the session that it has? Then the welcome was lost. */
function isSession(peer: Peer, { life, place }: NodeId, endpoint: Endpoint, theirs: number): boolean {
  const { id, session } = peer
  return id.life === life && id.place === place && session.theirs === theirs && peer.endpoint.equals(endpoint)
}

/** @param own What this side calls the session. */
function introduce(frame: HelloFrame | WelcomeFrame, id: NodeId, endpoint: Endpoint, own: number): Introduction {
  const { name, session: theirs } = frame
  return { id, name, endpoint, frameBytes: Math.max(MIN_FRAME_BYTES, frame.frameBytes), session: { own, theirs } }
}

const NO_COOKIE = new Uint8Array(0)
const HELLO_AGAIN_MS = 50
const MAX_HELLO_AGAIN_MS = 1000
const MAX_QUICK_ANSWERS = 8
/** A flood of hellos costs a bounded amount of hashing. Each costs a hash of some microseconds; ten thousand peers have joined within seconds. */
const MAX_HELLOS_PER_SECOND = 5000
