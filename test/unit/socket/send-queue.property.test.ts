import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { Endpoint } from '../../../src/core/index.js'
import type { SendOptions, UdpSocketOptions } from '../../../src/socket/index.js'
import type { SentMessage } from '../../support/fake-addon.js'
import { checkProperty } from '../support/check-property.js'
import { openFake, turnAll, type Opened } from '../support/open-fake.js'
import { settled } from '../support/turns.js'

/**
 * The send path against a slow twin that anybody can read: a list of the datagrams that were accepted. Whatever the kernel does, each
 * of them is delivered once, or failed, or discarded by close, or still in the queue; in order; and the counters say so.
 */

const PEERS = [Endpoint.of('192.0.2.1', 1001), Endpoint.of('192.0.2.2', 1002), Endpoint.of('198.51.100.1', 1001)]
const OPTIONS: (SendOptions | undefined)[] = [undefined, { ttl: 5 }, { tos: 3, source: '192.0.2.7' }]

/** What a kernel refuses, as a function of the message alone. */
const RULES: Record<string, (message: SentMessage) => number> = {
  nothing: () => 0,
  'offload to one peer': (m) => (m.segmentBytes > 0 && m.destination?.words[3] === PEERS[0]!.words[3] ? ERRNO.EIO : 0),
  'long segments': (m) => (m.segmentBytes > 500 ? ERRNO.EINVAL : 0),
  'one length': (m) => (m.datagrams.some((datagram) => datagram.length % 7 === 5) ? ERRNO.EPERM : 0),
  'long datagrams': (m) => (m.datagrams.some((datagram) => datagram.length > 1200) ? ERRNO.EMSGSIZE : 0),
  'one peer': (m) => (m.destination?.words[3] === PEERS[1]!.words[3] ? ERRNO.ENETUNREACH : 0),
}

type Action =
  | { type: 'send'; to: number; size: number; options: number; times: number }
  | { type: 'reserve'; to: number; size: number; unused: number; options: number; flush: boolean; turn: boolean }
  | { type: 'run'; to: number; size: number; count: number; used: number; flush: boolean }
  | { type: 'room'; room: number }
  | { type: 'rule'; rule: string }
  | { type: 'script'; errno?: number; take?: number }
  | { type: 'connect'; peer: number }
  | { type: 'flush' | 'turn' | 'tick' | 'disconnect' }

const size = fc.oneof(
  fc.constantFrom(4, 100, 100, 100, 600, 1200, 1400, 30_000, 65_507),
  fc.integer({ min: 4, max: 1500 }),
  fc.constant(0),
)
const to = fc.constantFrom(0, 0, 1, 2, 3, 3)
const options = fc.constantFrom(0, 0, 0, 0, 1, 2)

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('send' as const),
      to,
      size,
      options,
      times: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 60, max: 140 })),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('reserve' as const),
      to,
      size,
      unused: fc.nat(200),
      options,
      flush: fc.boolean(),
      turn: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('run' as const),
      to,
      size: fc.constantFrom(4, 100, 1200, 20_000),
      count: fc.integer({ min: 1, max: 100 }),
      used: fc.nat(100),
      flush: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('room' as const),
      room: fc.oneof(fc.constant(0), fc.nat(100), fc.constant(Infinity)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('rule' as const), rule: fc.constantFrom(...Object.keys(RULES)) }) },
  {
    weight: 2,
    arbitrary: fc.oneof(
      fc.record({ type: fc.constant('script' as const), take: fc.integer({ min: 1, max: 5 }) }),
      fc.record({
        type: fc.constant('script' as const),
        errno: fc.constantFrom<number>(ERRNO.EAGAIN, ERRNO.EINTR, ERRNO.ENOBUFS, ERRNO.EIO, ERRNO.EPERM, ERRNO.ECONNREFUSED),
      }),
    ),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('connect' as const), peer: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('disconnect' as const) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('flush' as const, 'turn' as const, 'tick' as const) }) },
)

const socketOptions: fc.Arbitrary<UdpSocketOptions> = fc.record({
  type: fc.constantFrom('udp4' as const, 'udp6' as const),
  sendOffload: fc.boolean(),
  sendQueueDatagrams: fc.constantFrom(1, 5, 100, 65_536),
  sendQueueBytes: fc.constantFrom(200, 10_000, 4_194_304),
  receiveErrors: fc.boolean(),
})

/** The twin: what was accepted, and what the kernel was seen to take and to refuse. */
class SlowQueue {
  /** Every datagram that was accepted, by its number. */
  readonly accepted: { to: Endpoint; size: number; options: SendOptions | undefined }[] = []
  readonly #opened: Opened
  #checkedDatagrams = 0
  #checkedMessages = 0
  #lastNumber = -1
  connected: Endpoint | undefined
  drains = 0
  refusedSinceDrain = 0

  constructor(opened: Opened) {
    this.#opened = opened
    opened.socket.on('drain', () => {
      this.drains++
      this.refusedSinceDrain = 0
      // 'drain' means: nothing waits any more.
      expect(opened.socket.stats()).toMatchObject({ queuedDatagrams: 0, queuedBytes: 0 })
    })
  }

  /** The destination that number `i` stands for; the last is the connected peer, if there is one. */
  target(i: number): { to: Endpoint; given: Endpoint | undefined } {
    if (i < PEERS.length) return { to: PEERS[i]!, given: PEERS[i] }
    return this.connected ? { to: this.connected, given: undefined } : { to: PEERS[0]!, given: PEERS[0] }
  }

  /** The payload of the next datagram: its number, then bytes that it decides. Empty ones carry no number. */
  nextPayload(size: number, ahead = 0): Buffer {
    const number = this.accepted.length + ahead
    const payload = Buffer.alloc(size, number & 0xff)
    if (size >= 4) payload.writeUInt32BE(number)
    return payload
  }

  accept(toNumber: number, size: number, optionsNumber: number): void {
    this.accepted.push({ to: this.target(toNumber).to, size, options: OPTIONS[optionsNumber] })
  }

  /** A refusal must be for want of room, with the kernel full and the socket waiting for it. */
  refuse(size: number, given: UdpSocketOptions): void {
    const { queuedDatagrams, queuedBytes } = this.#opened.socket.stats()
    expect(queuedDatagrams).toBeGreaterThan(0)
    expect(queuedDatagrams >= given.sendQueueDatagrams! || queuedBytes + size > given.sendQueueBytes!).toBe(true)
    expect(this.#opened.native.isWaitingToWrite).toBe(true)
    this.refusedSinceDrain++
  }

  /** Delivered once and in order, whole, to the right place, and counted. */
  check(given: UdpSocketOptions): void {
    const { datagrams, messages } = this.#opened.native
    for (const { payload, destination, control } of datagrams.slice(this.#checkedDatagrams)) {
      this.#checkedDatagrams++
      if (payload.length === 0) continue
      const number = payload.readUInt32BE()
      expect(number, 'delivered twice, or out of order').toBeGreaterThan(this.#lastNumber)
      this.#lastNumber = number
      const expected = this.accepted[number]!
      expect(payload.length).toBe(expected.size)
      expect(payload.subarray(4).every((byte) => byte === (number & 0xff))).toBe(true)
      expect([destination!.words[3], destination!.port]).toEqual([expected.to.words[3], expected.to.port])
      expect({ ttl: control.ttl, tos: control.tos, source: control.source }).toEqual({
        ttl: expected.options?.ttl,
        tos: expected.options?.tos,
        source: expected.options?.source,
      })
    }
    for (const { datagrams: together, segmentBytes, lengthBytes } of messages.slice(this.#checkedMessages)) {
      this.#checkedMessages++
      expect(together.length === 1 || segmentBytes > 0).toBe(true)
      expect(together.length).toBeLessThanOrEqual(64)
      expect(lengthBytes).toBeLessThanOrEqual(65_507)
    }
    this.#checkCounters(given)
  }

  #checkCounters(given: UdpSocketOptions): void {
    const { socket, native } = this.#opened
    const stats = socket.stats()
    expect(stats.datagramsQueued).toBe(this.accepted.length)
    expect(stats.datagramsQueued).toBe(
      stats.datagramsSent + stats.datagramsFailed + stats.datagramsDiscarded + stats.queuedDatagrams,
    )
    expect(stats.datagramsSent).toBe(native.datagrams.length)
    expect(stats.bytesSent).toBe(native.datagrams.reduce((sum, { payload }) => sum + payload.length, 0))
    expect(stats.coalescedSends).toBe(native.messages.filter((message) => message.datagrams.length > 1).length)
    expect(Object.values(stats.sendErrors).reduce((sum, count) => sum + count, 0)).toBe(stats.datagramsFailed)
    expect(stats.queuedDatagrams).toBeGreaterThanOrEqual(0)
    expect(stats.queuedDatagrams).toBeLessThanOrEqual(given.sendQueueDatagrams!)
    if (stats.queuedDatagrams > 1) expect(stats.queuedBytes).toBeLessThanOrEqual(given.sendQueueBytes!)
    if (stats.queuedDatagrams === 0) expect(stats.queuedBytes).toBe(0)
  }

  /** When all is over: who was not delivered was refused by the kernel, and nobody else is missing. */
  checkLosses(): void {
    const { socket, native } = this.#opened
    const delivered = new Set(native.datagrams.map(({ payload }) => (payload.length < 4 ? -1 : payload.readUInt32BE())))
    const refused = new Set<number>()
    for (const { offered, result } of native.sendCalls) {
      const [first] = offered
      // Refused alone, or as the first of some: what an earlier datagram met (ECONNREFUSED) costs one.
      const refusesOne = first!.datagrams.length === 1 || result === -ERRNO.ECONNREFUSED
      if (result < 0 && result !== -ERRNO.EAGAIN && refusesOne && first!.lengthBytes >= 4) {
        refused.add(first!.datagrams[0]!.readUInt32BE())
      }
    }
    const stats = socket.stats()
    if (stats.datagramsDiscarded === 0) {
      for (const [number, datagram] of this.accepted.entries()) {
        if (datagram.size >= 4 && !delivered.has(number)) {
          expect(refused.has(number), `datagram ${number} was lost in silence`).toBe(true)
        }
      }
    }
    const empty = native.datagrams.filter(({ payload }) => payload.length === 0).length
    expect(empty).toBeLessThanOrEqual(this.accepted.filter((datagram) => datagram.size === 0).length)
  }
}

/** Does what an action says, and tells the twin. */
async function act(step: Action, twin: SlowQueue, { socket, native }: Opened, given: UdpSocketOptions): Promise<void> {
  switch (step.type) {
    case 'send':
      for (let i = 0; i < step.times; i++) {
        const payload = twin.nextPayload(step.size)
        if (socket.send(payload, twin.target(step.to).given, OPTIONS[step.options])) twin.accept(step.to, step.size, step.options)
        else twin.refuse(step.size, given)
      }
      return
    case 'reserve': {
      const reserved = Math.min(65_507, step.size + step.unused)
      const view = socket.reserve(reserved, twin.target(step.to).given, OPTIONS[step.options])
      if (view === undefined) return twin.refuse(reserved, given)
      expect(view).toHaveLength(reserved)
      const payload = twin.nextPayload(step.size)
      payload.copy(view)
      if (step.flush) socket.flush()
      if (step.turn) native.turn()
      socket.commit(step.size)
      twin.accept(step.to, step.size, step.options)
      return
    }
    case 'run': {
      const view = socket.reserveRun(step.size, step.count, twin.target(step.to).given)
      if (view === undefined) return twin.refuse(step.size, given)
      const room = view.length / step.size
      expect(Number.isInteger(room) && room >= 1 && room <= step.count).toBe(true)
      const used = Math.min(step.used, room)
      for (let i = 0; i < used; i++) twin.nextPayload(step.size, i).copy(view, i * step.size)
      if (step.flush) socket.flush()
      socket.commitRun(used)
      for (let i = 0; i < used; i++) twin.accept(step.to, step.size, 0)
      return
    }
    case 'room':
      native.room = step.room
      return
    case 'rule':
      native.sendRule = RULES[step.rule]!
      return
    case 'script':
      native.sendScript.push(step.errno === undefined ? { take: step.take! } : { errno: step.errno })
      return
    case 'flush': {
      const empty = socket.flush()
      expect(empty).toBe(!native.isWaitingToWrite)
      if (empty) expect(socket.stats().queuedDatagrams).toBe(0)
      return
    }
    case 'turn':
      native.turn()
      return
    case 'connect':
      await socket.connect(PEERS[step.peer]!)
      twin.connected = PEERS[step.peer]
      return
    case 'disconnect':
      if (twin.connected) socket.disconnect()
      twin.connected = undefined
      return
    case 'tick':
      await settled()
      expect(socket.stats().queuedDatagrams === 0 || native.isWaitingToWrite, 'something waits for nothing').toBe(true)
  }
}

async function play(actions: Action[], given: UdpSocketOptions, closeEarly: boolean): Promise<void> {
  const opened = openFake(given)
  const { socket, native, addon } = opened
  const twin = new SlowQueue(opened)
  let reported = 0
  socket.on('sendError', () => void reported++)
  for (const step of actions) {
    await act(step, twin, opened, given)
    twin.check(given)
  }
  if (closeEarly) socket.close()
  native.sendScript.length = 0
  native.room = Infinity
  native.sendRule = () => 0
  for (let i = 0; i < 3; i++) {
    turnAll(native)
    await settled()
  }
  twin.check(given)
  twin.checkLosses()
  expect(socket.stats().queuedDatagrams, 'stuck').toBe(0)
  if (!closeEarly) expect(twin.refusedSinceDrain, 'refused, and no drain followed').toBe(0)
  expect(twin.drains).toBeLessThanOrEqual(socket.stats().wouldBlock)
  expect(reported).toBeLessThanOrEqual(socket.stats().datagramsFailed)
  expect(reported > 0).toBe(socket.stats().datagramsFailed > 0)
  expect(addon.uncaught).toEqual([])
  socket.close()
}

describe('property: whatever is sent and whatever the kernel does', () => {
  test('every datagram is delivered once and in order, or failed, or counted as discarded', () =>
    checkProperty(
      fc.asyncProperty(
        fc.array(action, { maxLength: 40, size: 'max' }),
        socketOptions,
        fc.boolean(),
        (actions, given, closeEarly) => play(actions, given, closeEarly),
      ),
      100,
    ))
})
