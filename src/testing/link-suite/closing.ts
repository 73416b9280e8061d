import { assertSame, assertThrows, assertTrue } from './assert.js'
import { assertAddsUp, pattern, type LinkCase } from './workbench.js'

export const closingCases: LinkCase[] = [
  {
    name: 'close sends what is queued',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      // A link that has to connect first may need a while for the first one.
      await bench.sendPatiently(pattern(1))
      await bench.until(() => bench.a.flush(), 'the link is ready')
      bench.sendToB(pattern(10))
      bench.sendToB(pattern(20))
      bench.a.close()
      assertSame(bench.a.stats().datagramsSent, 3, 'datagramsSent')
      if (bench.traits.lossless) await bench.arrived(recorded, [pattern(1), pattern(10), pattern(20)], 'what was queued')
    },
  },
  {
    name: 'close is harmless to repeat; one close event follows, later',
    run: async (bench) => {
      const closes = bench.count(bench.a, 'close')
      assertSame(bench.a.closed, false, 'closed')
      bench.a.close()
      assertSame(bench.a.closed, true, 'closed')
      assertSame(closes(), 0, "'close' inside of close()")
      bench.a.close()
      await bench.until(() => closes() > 0, "'close'")
      bench.a.close()
      await bench.quiet()
      assertSame(closes(), 1, "'close'")
    },
  },
  {
    name: 'a closed link throws ERR_CLOSED',
    run: async (bench) => {
      bench.reserveToB(5)
      bench.a.close()
      const { a } = bench
      const toB = bench.pair.toB
      for (let round = 0; round < 2; round++) {
        assertThrows(() => a.send('x', toB), 'send', 'ERR_CLOSED')
        assertThrows(() => a.reserve(1, toB), 'reserve', 'ERR_CLOSED')
        assertThrows(() => a.commit(), 'commit', 'ERR_CLOSED')
        assertThrows(() => a.flush(), 'flush', 'ERR_CLOSED')
        assertThrows(() => a.unfragmentedBytes(toB), 'unfragmentedBytes', 'ERR_CLOSED')
        assertThrows(() => a[Symbol.asyncIterator](), 'iterating', 'ERR_CLOSED')
        await bench.quiet()
      }
    },
  },
  {
    name: 'a closed link still has its statistics, and may be ref’d, unref’d and listened to',
    run: async (bench) => {
      await bench.transfer([pattern(10)], 'a datagram')
      const before = bench.a.stats()
      bench.a.close()
      await bench.quiet()
      const after = bench.a.stats()
      assertSame(after.datagramsSent, before.datagramsSent, 'datagramsSent')
      assertSame(after.bytesSent, before.bytesSent, 'bytesSent')
      assertAddsUp(after, 'the closed link')
      assertSame(bench.a.ref(), bench.a, 'what ref returns')
      assertSame(bench.a.unref(), bench.a, 'what unref returns')
      bench.a.cancel()
      const listener = (): void => undefined
      assertSame(bench.a.on('batch', listener), bench.a, 'what on returns')
      assertSame(bench.a.off('batch', listener), bench.a, 'what off returns')
    },
  },
  {
    name: 'ref and unref return the link, which works on',
    run: async (bench) => {
      assertSame(bench.a.unref(), bench.a, 'what unref returns')
      assertSame(bench.b.unref(), bench.b, 'what unref returns')
      await bench.transfer([pattern(10)], 'unreferenced')
      assertSame(bench.a.ref(), bench.a, 'what ref returns')
      assertSame(bench.b.ref(), bench.b, 'what ref returns')
    },
  },
  {
    name: 'a reservation ends with the link',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      bench.reserveToB(10).fill(1)
      bench.a.close()
      assertThrows(() => bench.a.commit(), 'commit', 'ERR_CLOSED')
      await bench.quiet()
      assertSame(recorded.payloads.length, 0, 'datagrams that arrive')
      assertAddsUp(bench.a.stats(), 'the closed link')
      assertSame(bench.a.stats().datagramsQueued, 0, 'datagramsQueued')
    },
  },
  {
    name: 'disposing closes and waits for close, also of a closed link, also twice',
    run: async (bench) => {
      const closes = bench.count(bench.a, 'close')
      await Promise.all([bench.a[Symbol.asyncDispose](), bench.a[Symbol.asyncDispose]()])
      assertSame(closes(), 1, "'close'")
      assertSame(bench.a.closed, true, 'closed')
      await bench.a[Symbol.asyncDispose]()
      bench.b.close()
      await bench.b[Symbol.asyncDispose]()
    },
  },
  {
    name: 'a handler may close its link, and still read its batch; no other batch follows',
    run: async (bench) => {
      let batches = 0
      let bytes = 0
      bench.b.on('batch', (batch) => {
        batches++
        bench.b.close()
        for (let i = 0; i < batch.count; i++) bytes += batch.payload(i).length
      })
      const closes = bench.count(bench.b, 'close')
      let i = 0
      await bench.until(() => {
        if (i < 200 && i % 2 === 0) bench.sendToB(pattern(30, i))
        i++
        return closes() > 0
      }, "'close'")
      await bench.quiet()
      assertSame(batches, 1, 'batches')
      assertTrue(bytes > 0 && bytes % 30 === 0, 'the batch could be read')
      assertSame(bench.b.stats().bytesReceived % 30, 0, 'bytesReceived')
    },
  },
  {
    name: 'a handler may send and close: what it sent leaves',
    run: async (bench) => {
      const recorded = bench.record(bench.a)
      bench.b.on('batch', (batch) => {
        if (bench.b.closed) return
        bench.b.send('goodbye', batch.endpoint(0))
        bench.b.close()
      })
      bench.sendToB('hello')
      let turns = 0
      await bench.until(() => {
        if (!bench.traits.lossless && !bench.b.closed && ++turns % 20 === 0) bench.sendToB('hello')
        return bench.b.closed
      }, 'the handler closes')
      if (!bench.traits.lossless) return
      await bench.until(() => recorded.payloads.length > 0, 'the farewell arrives')
      assertSame(recorded.payloads[0]!.toString(), 'goodbye', 'the farewell')
    },
  },
  {
    name: 'nothing comes after close',
    run: async (bench) => {
      const events: string[] = []
      for (const event of ['batch', 'drain', 'sendError', 'error', 'close'] as const) {
        bench.b.on(event as 'close', () => void events.push(event))
      }
      for (let i = 0; i < 5; i++) bench.sendToB(pattern(10))
      bench.a.flush()
      bench.b.close()
      for (let i = 0; i < 5; i++) bench.sendToB(pattern(10))
      await bench.until(() => events.includes('close'), "'close'")
      await bench.quiet()
      assertSame(events.join(' '), 'close', 'the events after close()')
    },
  },
  {
    name: 'one link of a pair may close while the other sends on',
    run: async (bench) => {
      bench.a.on('error', () => undefined)
      bench.record(bench.b)
      bench.sendToB(pattern(10))
      await bench.quiet()
      bench.b.close()
      for (let i = 0; i < 20 && !bench.a.closed; i++) {
        bench.sendToB(pattern(10))
        await bench.pair.turn()
      }
      assertAddsUp(bench.a.stats(), 'the one that sends on')
    },
  },
]
