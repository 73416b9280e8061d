import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DeadlineQueue, type Scheduled } from '../../../src/stream/deadline-queue.js'
import { checkProperty } from '../support/check-property.js'

test('what is due comes out in order, however often it was moved', async () => {
  const steps = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 20 }), fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constant(Infinity))),
  )
  await checkProperty(
    fc.property(steps, fc.integer({ min: 0, max: 100 }), (moves, nowMs) => {
      const queue = new DeadlineQueue<Scheduled>()
      const items = Array.from({ length: 21 }, (): Scheduled => ({
        deadlineMs: Infinity,
        queueIndex: -1,
        onDeadline: () => undefined,
      }))
      const expected = new Map<Scheduled, number>()
      for (const [i, deadlineMs] of moves) {
        queue.schedule(items[i]!, deadlineMs)
        if (deadlineMs === Infinity) expected.delete(items[i]!)
        else expected.set(items[i]!, deadlineMs)
      }
      expect(queue.size).toBe(expected.size)
      expect(queue.nextMs).toBe(Math.min(Infinity, ...expected.values()))
      const taken: number[] = []
      for (let item = queue.takeDue(nowMs); item !== undefined; item = queue.takeDue(nowMs)) taken.push(expected.get(item)!)
      expect(taken).toEqual([...expected.values()].filter((due) => due <= nowMs).sort((one, other) => one - other))
    }),
  )
})
