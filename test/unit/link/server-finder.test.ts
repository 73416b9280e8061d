import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Endpoint } from '../../../src/core/index.js'
import { ServerFinder } from '../../../src/link/discovery/server-finder.js'
import { decodeStatus, encodeStatus, type ServerStatus } from '../../../src/link/discovery/status-message.js'
import { checkProperty } from '../support/check-property.js'

const A = Endpoint.of('10.0.0.1', 1)
const B = Endpoint.of('10.0.0.2', 1)

function setUp() {
  const events: string[] = []
  const finder = new ServerFinder(
    { serverName: undefined, silentPeriods: 3, silentAfterMs: 1000, maxServers: 4 },
    {
      found: ({ endpoint }) => events.push(`+${endpoint.address}`),
      lost: ({ endpoint }, reason) => events.push(`-${endpoint.address} ${reason}`),
    },
  )
  const status = (sequence: number, more: Partial<ServerStatus> = {}): ServerStatus => ({
    startedMicroseconds: 1000,
    sequence,
    periodMs: 100,
    name: '',
    clientGroup: undefined,
    ...more,
  })
  return { events, finder, status }
}

test('a status message that is old or a copy changes nothing', () => {
  const { events, finder, status } = setUp()
  finder.heardStatus(status(5), 7, A, 0)
  finder.heardStatus(status(5), 7, A, 250)
  finder.heardStatus(status(4), 7, B, 250)
  expect(events).toEqual(['+10.0.0.1'])
  expect(finder.counters.stale).toBe(2)
  expect(finder.deadlineMs).toBe(300)
  finder.expire(300)
  expect(events.at(-1)).toBe('-10.0.0.1 silent')
})

test('what an instance said before it ended or was lost does not bring it back, what it says later does', () => {
  const { events, finder, status } = setUp()
  finder.heardStatus(status(5), 7, A, 0)
  finder.heardStatus(status(8, { periodMs: 0 }), 7, A, 1)
  finder.heardStatus(status(6), 7, A, 2)
  finder.heardStatus(status(7), 7, A, 3)
  expect(events).toEqual(['+10.0.0.1', '-10.0.0.1 gone'])
  finder.heardStatus(status(9), 7, A, 4)
  finder.expire(400)
  finder.heardStatus(status(9), 7, A, 500)
  expect(events.slice(2)).toEqual(['+10.0.0.1', '-10.0.0.1 silent'])
  finder.heardStatus(status(10), 7, A, 501)
  expect(events.slice(4)).toEqual(['+10.0.0.1'])
})

test('a goodbye that overtakes everything else is remembered', () => {
  const { events, finder, status } = setUp()
  finder.heardStatus(status(3, { periodMs: 0 }), 7, A, 0)
  finder.heardStatus(status(2), 7, A, 1)
  expect(events).toEqual([])
})

test('of two instances at one endpoint the later one counts, in whatever order they are heard', () => {
  const { events, finder, status } = setUp()
  finder.heardStatus(status(5, { startedMicroseconds: 1000 }), 7, A, 0)
  finder.heardStatus(status(0, { startedMicroseconds: 2000 }), 8, A, 1)
  finder.heardStatus(status(6, { startedMicroseconds: 1000 }), 7, A, 2)
  expect(events).toEqual(['+10.0.0.1', '-10.0.0.1 restarted', '+10.0.0.1'])
  expect(finder.counters.stale).toBe(1)
})

test('an instance that has moved is found where it is now', () => {
  const { events, finder, status } = setUp()
  finder.heardStatus(status(1), 7, A, 0)
  finder.heardStatus(status(2), 7, B, 1)
  finder.heardStatus(status(1), 7, A, 2)
  expect(events).toEqual(['+10.0.0.1', '-10.0.0.1 moved', '+10.0.0.2'])
})

test('sequence numbers wrap', () => {
  const { finder, status } = setUp()
  finder.heardStatus(status(0xffff_ffff), 7, A, 0)
  finder.heardStatus(status(0), 7, A, 100)
  expect(finder.counters.stale).toBe(0)
  expect(finder.deadlineMs).toBe(400)
})

test('a status message is written as documented, and read again', async () => {
  expect(
    encodeStatus({
      startedMicroseconds: 0x0102030405,
      sequence: 6,
      periodMs: 1000,
      name: 'né',
      clientGroup: Endpoint.of('239.1.1.2', 7001),
    }).toString('hex'),
  ).toBe('0000000102030405' + '00000006' + '000003e8' + '04' + '1b59' + 'ef010102' + '03' + '6ec3a9')
  const group = fc.constantFrom(undefined, Endpoint.of('239.1.1.2', 7001), Endpoint.of('ff15::1', 9))
  await checkProperty(
    fc.property(
      fc.nat(),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.nat(3_600_000),
      fc.string({ maxLength: 60 }),
      group,
      (...all) => {
        const [startedMicroseconds, sequence, periodMs, name, clientGroup] = all
        const status = { startedMicroseconds, sequence, periodMs, name, clientGroup }
        expect(decodeStatus(encodeStatus(status))).toEqual(status)
        expect(decodeStatus(Buffer.concat([encodeStatus(status), Buffer.of(1, 2)]))).toEqual(status)
      },
    ),
  )
})

test('any bytes are a status message or none', async () => {
  const { finder } = setUp()
  const good = encodeStatus({ startedMicroseconds: 1, sequence: 1, periodMs: 1, name: 'x', clientGroup: A.withPort(1) })
  await checkProperty(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(), fc.nat(255), fc.nat(70), (random, at, value, cut) => {
      const mutated = Buffer.from(good)
      mutated[at % mutated.length] = value
      for (const bytes of [Buffer.from(random), mutated.subarray(0, cut)]) {
        const status = decodeStatus(bytes)
        if (status !== undefined) finder.heardStatus(status, at, A, 0)
      }
      expect(finder.servers.length).toBeLessThanOrEqual(4)
    }),
    1000,
  )
})
