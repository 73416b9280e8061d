import { expect, test } from 'vitest'
import { Endpoint, SeededRandom } from '../../../src/core/index.js'
import { backoffMs } from '../../../src/link/backoff.js'
import { Requests, type RequestPlan } from '../../../src/link/requests.js'
import { VirtualClock } from '../../../src/testing/index.js'
import { rejection } from '../support/errors.js'

const PEER = Endpoint.of('10.0.0.1', 1)
const OTHER = Endpoint.of('10.0.0.2', 1)

function setUp(maxPending = 10) {
  const clock = new VirtualClock()
  const sent: { atMs: number; correlation: number; text: string }[] = []
  const state = { canSend: true, pendingChanges: 0 }
  const requests = new Requests({
    clock,
    random: new SeededRandom(1),
    maxPending,
    transmit: (plan, correlation) => {
      if (state.canSend) sent.push({ atMs: clock.nowMs(), correlation, text: String(plan.payload) })
      return state.canSend
    },
    onPendingChange: () => state.pendingChanges++,
  })
  const plan = (more: Partial<RequestPlan> = {}): RequestPlan => ({
    payload: Buffer.from('ask'),
    endpoint: undefined,
    timeoutMs: 1000,
    retryMs: 100,
    signal: undefined,
    ...more,
  })
  return { clock, requests, sent, state, plan }
}

test('a request is repeated ever more rarely until it is answered', async () => {
  const { clock, requests, sent, plan } = setUp()
  const answer = requests.start(plan())
  clock.advance(500)
  expect(sent.length).toBe(3)
  const gaps = sent.map(({ atMs }, i) => atMs - (sent[i - 1]?.atMs ?? 0)).slice(1)
  expect(gaps[0]).toBeGreaterThanOrEqual(100)
  expect(gaps[0]).toBeLessThan(150)
  expect(gaps[1]).toBeGreaterThanOrEqual(200)
  expect(new Set(sent.map(({ correlation }) => correlation)).size).toBe(1)
  expect(requests.answered(sent[0]!.correlation, Buffer.from('yes'), PEER)).toBe(true)
  expect(String(await answer)).toBe('yes')
  clock.advance(10_000)
  expect(sent.length).toBe(3)
  expect(requests.counters).toMatchObject({ sent: 1, repeated: 2, answered: 1, timedOut: 0 })
})

test('a request that is not answered in time rejects, exactly then', async () => {
  const { clock, requests, sent, plan } = setUp()
  const answer = rejection(requests.start(plan({ retryMs: 0 })), 'ETIMEDOUT', /within 1000 ms \(it was sent 1 time\)/)
  clock.advance(999)
  expect(requests.pending).toBe(1)
  clock.advance(1)
  await answer
  expect(requests.pending).toBe(0)
  expect(sent.length).toBe(1)
  expect(requests.answered(sent[0]!.correlation, Buffer.alloc(0), PEER)).toBe(false)
  expect(requests.counters).toMatchObject({ timedOut: 1, unexpected: 1 })
})

test('a request is cancelled by its signal, before and while it waits', async () => {
  const { requests, sent, plan } = setUp()
  await rejection(requests.start(plan({ signal: AbortSignal.abort('late') })), 'ABORT_ERR')
  expect(sent).toEqual([])
  const controller = new AbortController()
  const answer = rejection(requests.start(plan({ signal: controller.signal })), 'ABORT_ERR')
  controller.abort(new Error('changed my mind'))
  expect((await answer).cause).toMatchObject({ message: 'changed my mind' })
  expect(requests.pending).toBe(0)
  expect(requests.counters.cancelled).toBe(2)
})

test('a response from somebody who was not asked is not taken', async () => {
  const { requests, sent, plan } = setUp()
  const answer = requests.start(plan({ endpoint: PEER }))
  expect(requests.answered(sent[0]!.correlation, Buffer.from('forged'), OTHER)).toBe(false)
  expect(requests.answered(sent[0]!.correlation, Buffer.from('real'), PEER)).toBe(true)
  expect(String(await answer)).toBe('real')
})

test('what could not be sent is tried again, and at once when somebody is there', async () => {
  const { clock, requests, sent, state, plan } = setUp()
  state.canSend = false
  const answer = requests.start(plan())
  clock.advance(300)
  expect(sent).toEqual([])
  state.canSend = true
  requests.repeatAll()
  expect(sent.length).toBe(1)
  requests.answered(sent[0]!.correlation, Buffer.from('ok'), PEER)
  expect(String(await answer)).toBe('ok')
})

test('one that never could be sent says so', async () => {
  const { clock, requests, state, plan } = setUp()
  state.canSend = false
  const answer = rejection(requests.start(plan()), 'ETIMEDOUT', /could not be sent/)
  clock.advance(1000)
  await answer
})

test('pending requests are bounded, and all are settled at the end', async () => {
  const { requests, state, plan } = setUp(2)
  const waiting = [1, 2].map(() => rejection(requests.start(plan()), 'X'))
  await rejection(requests.start(plan()), 'ENOBUFS', /maxPendingRequests/)
  requests.end(Object.assign(new Error('over'), { code: 'X' }))
  await Promise.all(waiting)
  expect(requests.pending).toBe(0)
  expect(state.pendingChanges).toBe(2)
})

test('backoff doubles up to its bound, and at most half as much again is added', () => {
  const random = new SeededRandom(3)
  for (const [attempt, base] of [
    [0, 100],
    [1, 200],
    [3, 800],
    [4, 1000],
    [1000, 1000],
  ] as const) {
    const delay = backoffMs(attempt, 100, 1000, random)
    expect(delay).toBeGreaterThanOrEqual(base)
    expect(delay).toBeLessThan(base * 1.5)
  }
})
