import { expect } from 'vitest'
import { randomBelow, randomFraction, type Clock, type Random } from '../../../src/core/index.js'
import type { Peer, Publication, Stream, StreamError } from '../../../src/stream/index.js'
import { NUMBER_BYTES, USUAL_SIZES, messageOf } from './stream-survival.js'

/** A publication, all that it sends, all that were its receivers, and whether what they got is what was sent. */
export class Broadcast {
  readonly #sizes: number[]
  readonly #pauseMs: number
  readonly #members: Membership[] = []
  readonly #listeners: Listener[] = []
  readonly #dead = new Set<string>()
  #sent = 0
  #isEnded = false
  /** Given up by its user, or dead. */
  #isLost = false
  #end: { error: StreamError | undefined } | undefined
  /** Who was a receiver when it was closed. */
  #atClose: readonly Membership[] | undefined
  #closeResult: boolean | undefined

  constructor(
    readonly publication: Publication,
    readonly random: Random,
    readonly clock: Clock,
  ) {
    const count = randomBelow(random, randomFraction(random) < 0.1 ? 400 : 60)
    const usual = USUAL_SIZES[randomBelow(random, USUAL_SIZES.length)]!
    this.#sizes = Array.from({ length: count }, () => {
      const size = randomFraction(random) < 0.8 ? usual : USUAL_SIZES[randomBelow(random, USUAL_SIZES.length)]!
      return Math.min(publication.maxMessageBytes, NUMBER_BYTES + randomBelow(random, size + 1))
    })
    // Slow ones give others the time to come and to leave.
    this.#pauseMs = randomFraction(random) < 0.4 ? 0 : randomBelow(random, 100)
    publication.on('receiver', (peer) => this.#onReceiver(peer))
    publication.on('receiverGone', (peer, error) => this.#onGone(peer, error))
    publication.on('close', (error) => {
      expect(this.#end, 'closes once').toBe(undefined)
      expect(this.#members.every(({ end }) => end !== undefined)).toBe(true)
      this.#end = { error }
    })
  }

  /** Does nothing if it is too late. */
  add(peer: Peer): void {
    if (this.#isEnded || this.#isLost || peer.closed || this.#memberOf(peer) !== undefined) return
    const isFirst = this.publication.stats().packetsSent === 0 && !this.#members.some(({ name }) => name === peer.name)
    this.publication.add(peer, { from: randomFraction(this.random) < 0.5 ? 'now' : 'oldest' })
    this.#members.push({ name: peer.name, peer, isFirst, mayFail: this.#dead.has(peer.name), hasAnswered: false, end: undefined })
  }

  /** Sends until there is no room or for a while, and goes on. */
  start(): void {
    const { publication } = this
    const more = (): void => {
      while (this.#sent < this.#sizes.length) {
        if (publication.closed || !publication.send(messageOf(this.#sent, this.#sizes[this.#sent]!), this.#sent & 255)) return
        this.#sent++
        if (this.#pauseMs > 0 && this.#sent % 3 === 0) return void this.clock.setTimer(more, this.#pauseMs)
      }
      if (!this.#isEnded && !publication.closed) this.#finish()
    }
    if (this.#pauseMs === 0) publication.on('drain', more)
    else publication.on('drain', () => this.clock.setTimer(more, this.#pauseMs))
    more()
  }

  remove(name: string): Peer | undefined {
    const member = this.#members.find((other) => other.name === name && other.end === undefined)
    if (member === undefined || this.#isLost || this.publication.closed) return undefined
    member.mayFail = true
    const wasReceiver = this.publication.receivers.some(({ peer }) => peer === member.peer)
    expect(this.publication.remove(member.peer)).toBe(wasReceiver)
    return member.peer
  }

  /** A receiver's user gives its stream up. */
  leave(name: string): void {
    const listener = this.#listeners.find((other) => other.name === name && other.end === undefined)
    if (listener === undefined) return
    for (const member of this.#members) if (member.name === name) member.mayFail = true
    listener.stream.reset()
  }

  listen(stream: Stream, name: string, clock: Clock): void {
    const members = this.#members.filter((member) => member.name === name)
    const listener = new Listener(stream, name, this.#sizes, members.length === 1 && members[0]!.isFirst, this.random)
    this.#listeners.push(listener)
    listener.read(clock)
  }

  onDeath(name: string): void {
    this.#dead.add(name)
    for (const member of this.#members) if (member.name === name) member.mayFail = true
    for (const listener of this.#listeners) if (listener.name === name) listener.isDead = true
  }

  onSenderDeath(): void {
    this.#isLost = true
  }

  resetIfAlone(): void {
    if (this.#isLost || this.publication.closed || this.publication.receivers.length > 0) return
    this.#isLost = true
    this.publication.reset()
  }

  get isOver(): boolean {
    const isSenderDone = this.#end !== undefined || this.#isLost
    return isSenderDone && this.#listeners.every(({ isDead, end }) => isDead || end !== undefined)
  }

  checkAtEnd(): void {
    const { kind, group } = this.publication
    const where = `${kind} publication ${this.publication.label} to ${group === undefined ? 'a list' : 'a group'}`
    const told = this.#listeners.map((listener) => listener.describe()).join('; ')
    const receivers = this.publication.receivers.map(({ peer, lagPackets }) => `${peer.name} is ${lagPackets} behind`).join()
    expect(this.isOver, `${where} is over; ${this.#sent} of ${this.#sizes.length} sent; ${told}; ${receivers}`).toBe(true)
    for (const { failure } of this.#listeners) if (failure !== undefined) throw failure
    for (const listener of this.#listeners) if (!listener.isDead) this.#checkListener(listener, `${where}, ${listener.name}`)
    if (this.#isLost) return
    expect(this.#end, where).toEqual({ error: undefined })
    expect(this.publication.stats()).toMatchObject({ receivers: 0, sendQueuePackets: 0 })
    for (const member of this.#members) this.#checkMember(member, `${where}, ${member.name}`)
    if (this.#atClose === undefined) return
    const haveAll = this.#atClose.every(({ end }) => end !== undefined && end.error === undefined)
    expect(this.#closeResult, `${where}: what close() told`).toBe(haveAll)
  }

  #checkListener(listener: Listener, where: string): void {
    const { error } = listener.end!
    if (error === undefined) {
      listener.checkComplete(where)
      expect(this.#isEnded, where).toBe(true)
      return
    }
    const members = this.#members.filter(({ name }) => name === listener.name)
    const mayFail = this.#isLost || members.some((member) => member.mayFail || member.end?.code === 'ERR_RECEIVER_SLOW')
    expect(mayFail, `${where}: ${error.message}`).toBe(true)
  }

  #checkMember(member: Membership, where: string): void {
    const { error } = member.end!
    if (error === undefined && !member.mayFail) {
      const ended = this.#listeners.filter(
        ({ name, end }) => name === member.name && end !== undefined && end.error === undefined,
      )
      expect(ended.length, where).toBe(1)
    }
    if (error !== undefined) expect(member.mayFail || error.code === 'ERR_RECEIVER_SLOW', `${where}: ${error.message}`).toBe(true)
  }

  #finish(): void {
    this.#isEnded = true
    if (randomFraction(this.random) < 0.5) return this.publication.end()
    // One that is gone already may be told a moment later.
    const peers = this.publication.receivers.map(({ peer }) => peer)
    this.#atClose = this.#members.filter(({ peer, end }) => end === undefined && peers.includes(peer))
    void this.publication.close({ deadlineMs: 2 ** 31 - 1 }).then((result) => (this.#closeResult = result))
  }

  #memberOf(peer: Peer): Membership | undefined {
    return this.#members.find((member) => member.peer === peer && member.end === undefined)
  }

  #onReceiver(peer: Peer): void {
    const member = this.#memberOf(peer)!
    expect(member.hasAnswered, 'answers once').toBe(false)
    member.hasAnswered = true
  }

  #onGone(peer: Peer, error: StreamError | undefined): void {
    const member = this.#memberOf(peer)
    expect(member, 'goes once').toBeDefined()
    member!.end = { error, code: error?.code }
  }
}

interface Membership {
  readonly name: string
  readonly peer: Peer
  /** Was there before anything had left. */
  readonly isFirst: boolean
  /** Something was done to it. */
  mayFail: boolean
  hasAnswered: boolean
  end: { error: StreamError | undefined; code: string | undefined } | undefined
}

/** A stream at a receiver. */
class Listener {
  isDead = false
  end: { error: StreamError | undefined } | undefined
  failure: Error | undefined
  #first = -1
  #last = -1
  #received = 0
  #gaps = 0
  #gapsBefore = 0
  #isEndTold = false
  #isIterating = false

  constructor(
    readonly stream: Stream,
    readonly name: string,
    readonly sizes: readonly number[],
    /** Gets everything, from the first message on. */
    readonly isFirst: boolean,
    readonly random: Random,
  ) {
    expect(stream.isGroup).toBe(true)
    stream.on('gap', (packets) => {
      expect(packets).toBeGreaterThan(0)
      this.#gaps += packets
    })
    stream.on('end', () => {
      expect(this.#isEndTold, 'an end is told once').toBe(false)
      this.#isEndTold = true
    })
    stream.on('close', (error) => {
      expect(this.end, 'closes once').toBe(undefined)
      this.end = { error }
    })
  }

  read(clock: Clock): void {
    const { stream, random } = this
    const reader = randomBelow(random, 4)
    if (reader === 3) return void this.#iterate(clock)
    stream.on('message', (message, handler) => {
      this.#check(message)
      expect(handler).toBe(message.readUInt32LE(0) & 255)
      // A slow one: now and then it stops for a while.
      if (reader < 2 || randomFraction(random) < 0.8) return
      stream.pause()
      clock.setTimer(() => stream.resume(), randomBelow(random, 50))
    })
    if (reader !== 1) return
    // One that begins late.
    stream.pause()
    clock.setTimer(() => stream.resume(), randomBelow(random, 5000))
  }

  checkComplete(where: string): void {
    expect(this.#isEndTold, `${where}: the end was told`).toBe(true)
    const { kind } = this.stream
    const { messagesReceived, receiveQueuePackets, packetsLost } = this.stream.stats()
    expect([messagesReceived, receiveQueuePackets], where).toEqual([this.#received, 0])
    if (kind === 'fireAndForget') return
    expect(packetsLost, where).toBe(this.#gaps)
    if (kind === 'reliable') expect(this.#gaps).toBe(0)
    if (this.#gaps > 0) return
    const isAll = this.#last === this.sizes.length - 1 || (!this.isFirst && this.#first < 0)
    expect(isAll, `${where}: ${this.describe()}`).toBe(true)
  }

  describe(): string {
    const end = this.end === undefined ? 'open' : (this.end.error?.message ?? 'ended')
    const { isDead, isFirst } = this
    const state = `${isDead ? 'dead' : end}${isFirst ? '' : ', late'}`
    return `${this.name} (${state}): ${this.#received} from ${this.#first} to ${this.#last}, ${this.#gaps} gaps`
  }

  async #iterate(clock: Clock): Promise<void> {
    this.#isIterating = true
    try {
      for await (const message of this.stream) {
        this.#check(message)
        if (randomFraction(this.random) < 0.1) await new Promise<void>((resolve) => clock.setTimer(resolve, 5))
      }
    } catch (error) {
      if (this.end?.error !== error && this.stream.error !== error) throw error
    }
  }

  /** What is wrong is told at the end: whoever calls a handler does not care. */
  #check(message: Buffer): void {
    try {
      this.#checkNext(message)
    } catch (error) {
      this.failure ??= error as Error
    }
  }

  #checkNext(message: Buffer): void {
    const { kind } = this.stream
    expect(this.isDead, 'somebody dead reads').toBe(false)
    expect(message.length).toBeGreaterThanOrEqual(NUMBER_BYTES)
    const number = message.readUInt32LE(0)
    expect(message.length).toBe(this.sizes[number])
    if (!message.equals(messageOf(number, message.length))) throw new Error(`message ${number} has other bytes`)
    this.#received++
    if (kind === 'fireAndForget') return
    expect(number, 'in order, once').toBeGreaterThan(this.#last)
    const isNext = number === this.#last + 1 || (this.#first < 0 && !this.isFirst)
    // Who iterates is given a message a moment after who listens: after the gap behind it.
    const isGapTold = kind === 'bestEffort' && this.#gaps > (this.#isIterating ? 0 : this.#gapsBefore)
    if (!isNext && !isGapTold) throw new Error(`${kind}: ${number} after ${this.#last}, and no gap was told`)
    this.#gapsBefore = this.#gaps
    if (this.#first < 0) this.#first = number
    this.#last = number
  }
}
