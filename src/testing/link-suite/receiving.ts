import type { DatagramBatch } from '../../core/index.js'
import { assertPayloads, assertSame, assertThrows, assertTrue } from './assert.js'
import { uncaughtDuring } from './uncaught.js'
import { pattern, type LinkCase } from './workbench.js'

export const receivingCases: LinkCase[] = [
  {
    name: 'a batch tells how many datagrams and bytes it has, and what came from whom',
    run: async (bench) => {
      await bench.withBatch([pattern(10), pattern(20), pattern(30)], (batch) => {
        assertTrue(batch.count > 0, 'a batch has datagrams')
        let bytes = 0
        for (let i = 0; i < batch.count; i++) {
          bytes += batch.payload(i).length
          assertTrue(Buffer.isBuffer(batch.payload(i)), 'a payload is a Buffer')
          assertTrue(batch.payload(i).equals(batch.copy(i)), 'copy has the same bytes')
          assertSame(batch.truncated(i), false, 'truncated')
          assertTrue(batch.endpoint(i).equals(batch.endpoint(0)), 'the sender is the same')
        }
        assertSame(batch.bytes, bytes, 'bytes')
      })
    },
  },
  {
    name: 'the sender of a batch is the other link',
    needs: 'many peers',
    run: async (bench) => {
      await bench.withBatch([pattern(10)], (batch) => {
        assertSame(batch.endpoint(0).toString(), bench.pair.toA!.toString(), 'the endpoint')
      })
    },
  },
  {
    name: 'places that a batch does not have are refused',
    run: async (bench) => {
      await bench.withBatch([pattern(10)], (batch) => {
        for (const i of [-1, batch.count, 0.5, Number.NaN]) {
          for (const method of ['payload', 'copy', 'truncated', 'endpoint'] as const) {
            assertThrows(() => batch[method](i), `${method}(${i})`, 'ERR_OUT_OF_RANGE')
          }
        }
      })
    },
  },
  {
    name: 'a copy is memory of its own, and outlives the batch',
    run: async (bench) => {
      let copy: Buffer = Buffer.alloc(0)
      await bench.withBatch([pattern(16)], (batch) => {
        copy = batch.copy(0)
        batch.copy(0).fill(0)
        batch.payload(0).fill(0)
      })
      for (let i = 0; i < 20; i++) await bench.sendPatiently(pattern(16, 100 + i))
      await bench.quiet()
      assertPayloads([copy], [pattern(16)], 'the copy')
    },
  },
  {
    name: 'a retained batch lives until it is released',
    run: async (bench) => {
      const retained: { batch: DatagramBatch; payloads: Buffer[] }[] = []
      bench.b.on('batch', (batch) => {
        if (retained.length >= 3) return
        batch.retain()
        retained.push({ batch, payloads: Array.from({ length: batch.count }, (_, i) => batch.copy(i)) })
      })
      for (let i = 0; i < 10 || retained.length < 3; i++) {
        await bench.sendPatiently(pattern(100, i))
        await bench.pair.turn()
      }
      for (const { batch, payloads } of retained) {
        const now = Array.from({ length: batch.count }, (_, i) => batch.payload(i))
        assertPayloads(now, payloads, 'a retained batch')
        batch.release()
        batch.release()
      }
    },
  },
  {
    name: 'a batch is retained once, and only while somebody has it',
    run: async (bench) => {
      let kept: DatagramBatch | undefined
      await bench.withBatch([pattern(10)], (batch) => {
        assertSame(batch.retain(), batch, 'what retain returns')
        assertThrows(() => batch.retain(), 'retain of a retained batch', 'ERR_INVALID_STATE')
        kept = batch
      })
      kept!.release()
      assertThrows(() => kept!.retain(), 'retain of a released batch', 'ERR_INVALID_STATE')
    },
  },
  {
    name: 'a batch that was not retained is over when its handler has returned',
    run: async (bench) => {
      let over: DatagramBatch | undefined
      await bench.withBatch([pattern(10)], (batch) => (over = batch))
      assertThrows(() => over!.retain(), 'retain', 'ERR_INVALID_STATE')
      over!.release()
    },
  },
  {
    name: 'every listener gets the batch; once gets one; off gets none; each returns the link',
    run: async (bench) => {
      const seen = { on: 0, once: 0, off: 0 }
      const off = (batch: DatagramBatch): void => void (seen.off += batch.count)
      assertSame(
        bench.b.on('batch', (batch) => void (seen.on += batch.count)),
        bench.b,
        'what on returns',
      )
      assertSame(
        bench.b.once('batch', () => void seen.once++),
        bench.b,
        'what once returns',
      )
      bench.b.on('batch', off)
      assertSame(bench.b.off('batch', off), bench.b, 'what off returns')
      for (let i = 0; i < 3 || seen.on < 2; i++) {
        await bench.sendPatiently(pattern(10))
        await bench.pair.turn()
      }
      await bench.until(() => seen.on > 0, 'the listener gets batches')
      assertSame(seen.once, 1, 'calls of once')
      assertSame(seen.off, 0, 'calls of what was taken off')
    },
  },
  {
    name: 'what a handler throws is uncaught, and costs nobody a datagram',
    run: async (bench) => {
      const failure = new Error('of the handler')
      let thrown = 0
      const uncaught = await uncaughtDuring(async () => {
        bench.b.on('batch', () => {
          thrown++
          throw failure
        })
        bench.sendToB(pattern(10))
        let turns = 0
        await bench.until(() => {
          if (!bench.traits.lossless && thrown === 0 && ++turns % 20 === 0) bench.sendToB(pattern(10))
          return thrown > 0
        }, 'the handler is called')
        await bench.quiet()
      })
      assertTrue(uncaught.length === thrown && uncaught[0] === failure, 'the exception is uncaught')
      const before = thrown
      const again = await uncaughtDuring(async () => {
        let turns = 0
        await bench.until(() => {
          if (turns++ % 20 === 0) bench.sendToB(pattern(11))
          return thrown > before
        }, 'the handler is called again')
        await bench.quiet()
      })
      assertSame(again.length, thrown - before, 'uncaught exceptions')
      assertSame(bench.b.closed, false, 'closed')
    },
  },
]

export const iteratingCases: LinkCase[] = [
  {
    name: 'batches come by iteration, and each lives until the next step',
    run: async (bench) => {
      const iterator = bench.b[Symbol.asyncIterator]()
      for (let round = 0; round < 3; round++) {
        const payload = pattern(50, round)
        const batch = await stepped(bench, iterator, payload)
        assertTrue(batch.count > 0 && batch.payload(0).equals(payload), 'the payload is the one that was sent')
        await bench.quiet()
        assertTrue(batch.payload(0).equals(payload), 'the payload is still there before the next step')
      }
      await iterator.return!()
    },
  },
  {
    name: 'a batch is over with the next step, unless it was retained',
    run: async (bench) => {
      const iterator = bench.b[Symbol.asyncIterator]()
      const first = await stepped(bench, iterator, pattern(50, 1))
      const second = await stepped(bench, iterator, pattern(50, 2))
      if (first !== second) assertThrows(() => first.retain(), 'retain of the first batch', 'ERR_INVALID_STATE')
      second.retain()
      const third = await stepped(bench, iterator, pattern(50, 3))
      assertTrue(third !== second, 'a retained batch is not used again')
      assertTrue(second.payload(0).equals(pattern(50, 2)), 'the retained batch is still there')
      second.release()
      await iterator.return!()
    },
  },
  {
    name: 'leaving the loop leaves the link open, and it can be iterated again',
    run: async (bench) => {
      for (let round = 0; round < 2; round++) {
        const seen: string[] = []
        const loop = (async () => {
          for await (const batch of bench.b) {
            seen.push(batch.copy(0).toString())
            break
          }
        })()
        await sendUntil(bench, Buffer.from(`round ${round}`), () => seen.length > 0)
        await loop
        assertSame(seen[0], `round ${round}`, 'what the loop saw')
        await bench.quiet()
      }
      assertSame(bench.b.closed, false, 'closed')
    },
  },
  {
    name: 'the iteration ends when the link is closed, also for who waits',
    run: async (bench) => {
      const waiting = [bench.b[Symbol.asyncIterator](), bench.b[Symbol.asyncIterator]()]
      const steps = waiting.map((iterator) => iterator.next())
      bench.b.close()
      for (const step of steps) assertSame((await step).done, true, 'done')
      assertSame((await waiting[0]!.next()).done, true, 'done, when asked again')
    },
  },
  {
    name: 'return ends who waits',
    run: async (bench) => {
      const iterator = bench.b[Symbol.asyncIterator]()
      const step = iterator.next()
      assertSame((await iterator.return!()).done, true, 'what return gives')
      assertSame((await step).done, true, 'the step that waited')
      assertSame((await iterator.next()).done, true, 'a step afterwards')
      assertSame(bench.b.closed, false, 'closed')
    },
  },
  {
    name: 'listeners and an iteration see the same datagrams',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      const iterator = bench.b[Symbol.asyncIterator]()
      const batch = await stepped(bench, iterator, pattern(33))
      assertTrue(recorded.payloads[0]!.equals(batch.payload(0)), 'both have the datagram')
      await iterator.return!()
    },
  },
]

type Bench = Parameters<LinkCase['run']>[0]

/** The next step of an iteration, which `payload` brings about. */
async function stepped(bench: Bench, iterator: AsyncIterableIterator<DatagramBatch>, payload: Buffer): Promise<DatagramBatch> {
  let result: IteratorResult<DatagramBatch> | undefined
  void iterator.next().then((step) => (result = step))
  await sendUntil(bench, payload, () => result !== undefined)
  assertSame(result!.done ?? false, false, 'done')
  return result!.value as DatagramBatch
}

async function sendUntil(bench: Bench, payload: Buffer, condition: () => boolean): Promise<void> {
  await bench.sendPatiently(payload)
  let turns = 0
  await bench.until(() => {
    if (!condition() && !bench.traits.lossless && ++turns % 20 === 0) bench.sendToB(payload)
    return condition()
  }, 'a batch comes by iteration')
}
