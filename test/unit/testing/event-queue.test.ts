import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventQueue, type ScheduledEvent } from '../../../src/testing/event-queue.js'
import { checkProperty } from '../support/check-property.js'

interface Numbered extends ScheduledEvent {
  readonly number: number
  readonly timeMs: number
  isCancelled: boolean
}

function numbered(number: number, timeMs: number): Numbered {
  return { number, timeMs, keepsBusy: true, isCancelled: false, fire: () => undefined }
}

test('an empty queue has nothing, at no time', () => {
  const queue = new EventQueue()
  expect([queue.size, queue.firstTimeMs, queue.first]).toEqual([0, Infinity, undefined])
})

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ push: fc.nat({ max: 20 }) }) },
  { weight: 3, arbitrary: fc.constant('pop' as const) },
  { weight: 1, arbitrary: fc.record({ cancel: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant('dropCancelled' as const) },
)

test('events come by time and, at one time, in the order in which they were added, as from a sorted list', async () => {
  await checkProperty(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const queue = new EventQueue()
      let slow: Numbered[] = []
      const first = (): Numbered | undefined => [...slow].sort((a, b) => a.timeMs - b.timeMs || a.number - b.number)[0]
      for (const [i, one] of steps.entries()) {
        if (one === 'pop') {
          const expected = first()
          expect(queue.first).toBe(expected)
          if (expected === undefined) continue
          expect(queue.pop()).toBe(expected)
          slow = slow.filter((event) => event !== expected)
        } else if (one === 'dropCancelled') {
          queue.dropCancelled()
          slow = slow.filter((event) => !event.isCancelled)
        } else if ('push' in one) {
          const event = numbered(i, one.push)
          queue.push(one.push, event)
          slow.push(event)
        } else if (slow.length > 0) {
          slow[one.cancel % slow.length]!.isCancelled = true
        }
        expect(queue.size).toBe(slow.length)
        expect(queue.firstTimeMs).toBe(first()?.timeMs ?? Infinity)
      }
      while (queue.size > 0) {
        const expected = first()
        expect(queue.pop()).toBe(expected)
        slow = slow.filter((event) => event !== expected)
      }
      expect(slow).toEqual([])
    }),
  )
})

test('what is left when cancelled events are dropped still comes by time', async () => {
  await checkProperty(
    fc.property(fc.array(fc.record({ timeMs: fc.nat(1000), keep: fc.boolean() }), { maxLength: 200 }), (given) => {
      const queue = new EventQueue()
      const events = given.map(({ timeMs }, i) => numbered(i, timeMs))
      for (const event of events) queue.push(event.timeMs, event)
      for (const [i, { keep }] of given.entries()) events[i]!.isCancelled = !keep
      queue.dropCancelled()
      const expected = events.filter((event) => !event.isCancelled).sort((a, b) => a.timeMs - b.timeMs || a.number - b.number)
      const seen: ScheduledEvent[] = []
      while (queue.size > 0) seen.push(queue.pop())
      expect(seen).toEqual(expected)
    }),
  )
})
