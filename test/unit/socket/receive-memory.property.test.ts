import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ReceiveBatch } from '../../../src/core/index.js'
import { FakeAddon } from '../../support/fake-addon.js'
import { checkProperty } from '../support/check-property.js'
import { openFake, type Opened } from '../support/open-fake.js'
import { settled } from '../support/turns.js'

type Action =
  | { type: 'arrive'; socket: number; lengths: number[] }
  | { type: 'keep' | 'iterate' | 'leave'; socket: number }
  | { type: 'release'; which: number }

const socketNumber = fc.nat(1)
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('arrive' as const),
      socket: socketNumber,
      lengths: fc.array(fc.nat(50), { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constantFrom('keep' as const, 'iterate' as const, 'leave' as const), socket: socketNumber }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('release' as const), which: fc.nat(10) }) },
)

/** A batch that somebody keeps, with a copy of what it said when it came. */
interface Kept {
  batch: ReceiveBatch
  was: string[]
}

function contents(batch: ReceiveBatch): string[] {
  return Array.from({ length: batch.count }, (_, i) => `${batch.payload(i).toString('hex')} ${batch.endpoint(i)}`)
}

/** One of two sockets that share a thread's memory, with a listener that keeps the batches it is told to and a single iteration. */
class Receiver {
  readonly opened: Opened
  readonly seen: string[] = []
  keepNext = false
  iterated: Kept | undefined
  #iteration: AsyncIterableIterator<ReceiveBatch> | undefined

  constructor(addon: FakeAddon, kept: Kept[]) {
    this.opened = openFake({}, addon)
    this.opened.socket.on('batch', (batch) => {
      this.seen.push(...contents(batch))
      if (!this.keepNext) return
      this.keepNext = false
      kept.push({ batch: batch.retain(), was: contents(batch) })
    })
  }

  step(): void {
    this.iterated = undefined
    this.#iteration ??= this.opened.socket[Symbol.asyncIterator]()
    void this.#iteration.next().then(({ value }) => {
      if (value) this.iterated = { batch: value as ReceiveBatch, was: contents(value as ReceiveBatch) }
    })
  }

  leave(): void {
    this.iterated = undefined
    void this.#iteration?.return!()
    this.#iteration = undefined
  }
}

test('property: what is kept stays as it was until it is given back, whoever else receives meanwhile', () =>
  checkProperty(
    fc.asyncProperty(fc.array(action, { maxLength: 40, size: 'max' }), async (actions) => {
      const addon = new FakeAddon()
      const kept: Kept[] = []
      const receivers = [new Receiver(addon, kept), new Receiver(addon, kept)]
      const expected: string[][] = [[], []]
      let number = 0
      for (const step of actions) {
        if (step.type === 'arrive') {
          const { native } = receivers[step.socket]!.opened
          for (const length of step.lengths) {
            const payload = Buffer.alloc(length, ++number)
            native.arrive({ payload })
            expected[step.socket]!.push(`${payload.toString('hex')} 192.0.2.1:7`)
          }
          native.turn()
        } else if (step.type === 'release') {
          const [released] = kept.splice(step.which % (kept.length + 1), 1)
          released?.batch.release()
          // What a listener kept is the listener's to give back, also while an iteration has it.
          for (const receiver of receivers) if (receiver.iterated?.batch === released?.batch) receiver.iterated = undefined
        } else if (step.type === 'keep') receivers[step.socket]!.keepNext = true
        else if (step.type === 'iterate') receivers[step.socket]!.step()
        else receivers[step.socket]!.leave()
        await settled()

        for (const { batch, was } of kept) expect(contents(batch)).toEqual(was)
        const iterated = receivers.flatMap((receiver) => receiver.iterated ?? [])
        for (const { batch, was } of iterated) expect(contents(batch)).toEqual(was)
        const slabs = new Set([...kept, ...iterated].map(({ batch }) => batch.slab))
        expect(slabs.has(addon.tables!.slab as Buffer), 'kept memory is received into').toBe(false)
      }
      for (const [i, receiver] of receivers.entries()) expect(receiver.seen).toEqual(expected[i])
      expect(addon.uncaught).toEqual([])
    }),
    60,
  ))
