import { assertSame, assertTrue } from './assert.js'
import { assertAddsUp, pattern, type Workbench, type LinkCase } from './workbench.js'

export const backPressureCases: LinkCase[] = [
  {
    name: 'a full queue refuses: not queued, counted, and drain follows; everything that was taken arrives once',
    needs: 'hold',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      const drains = bench.count(bench.a, 'drain')
      const release = bench.options.hold!(bench.pair)
      const taken = fill(bench)
      const refused = bench.a.stats()
      assertSame(refused.datagramsQueued, taken, 'datagramsQueued')
      assertSame(refused.datagramsRefused, 1, 'datagramsRefused')
      assertAddsUp(refused, 'the full link')
      assertSame(bench.a.reserve(PAYLOAD_BYTES, bench.pair.toB), undefined, 'reserve')
      assertSame(bench.a.stats().datagramsRefused, 2, 'datagramsRefused by reserve')
      assertSame(bench.sendToB(pattern(PAYLOAD_BYTES)), false, 'send')
      assertSame(bench.a.stats().datagramsQueued, taken, 'datagramsQueued after refusals')
      await bench.quiet()
      assertSame(drains(), 0, "'drain' while it is held")
      release()
      await bench.until(() => drains() > 0, "'drain'")
      await bench.quiet()
      assertSame(drains(), 1, "'drain'")
      assertSame(bench.a.stats().queuedDatagrams, 0, 'queuedDatagrams')
      assertAddsUp(bench.a.stats(), 'the emptied link')
      // How much of such a burst the receiver can take is not the sender's concern.
      assertTrue(recorded.payloads.length <= taken, 'nothing arrives twice')
      for (const [i, payload] of recorded.payloads.slice(0, FIRST).entries()) {
        if (bench.traits.ordered && bench.traits.lossless)
          assertTrue(payload.equals(numbered(i)), `datagram ${i} is in its place`)
      }
    },
  },
  {
    name: 'a flush that cannot finish returns false, and drain follows',
    needs: 'hold',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      const drains = bench.count(bench.a, 'drain')
      const release = bench.options.hold!(bench.pair)
      const payloads = await holdBack(bench)
      assertSame(bench.a.flush(), false, 'flush')
      assertTrue(bench.a.stats().queuedDatagrams > 0, 'something is queued')
      await bench.quiet()
      assertSame(drains(), 0, "'drain' while it is held")
      release()
      await bench.until(() => drains() === 1, "'drain'")
      assertSame(bench.a.flush(), true, 'flush')
      if (payloads.length < FIRST) await bench.arrived(recorded, payloads, 'what waited')
    },
  },
  {
    name: 'a drain handler may send, and who waits for drain each time loses nothing',
    needs: 'hold',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      const release = bench.options.hold!(bench.pair)
      const taken = fill(bench)
      let sent = 0
      bench.a.on('drain', () => {
        while (sent < 3 && bench.sendToB(pattern(40, 7 + sent))) sent++
      })
      release()
      await bench.until(() => sent === 3, 'the handler sends')
      await bench.until(() => bench.a.flush(), 'all is sent')
      assertSame(bench.a.stats().datagramsQueued, taken + 3, 'datagramsQueued')
      assertAddsUp(bench.a.stats(), 'the emptied link')
      assertTrue(recorded.payloads.length <= taken + 3, 'nothing arrives twice')
    },
  },
  {
    name: 'close discards what cannot leave, counted; there is no drain afterwards',
    needs: 'hold',
    run: async (bench) => {
      const drains = bench.count(bench.a, 'drain')
      const closes = bench.count(bench.a, 'close')
      const release = bench.options.hold!(bench.pair)
      fill(bench)
      const { queuedDatagrams } = bench.a.stats()
      bench.a.close()
      const statistics = bench.a.stats()
      assertSame(statistics.datagramsDiscarded, queuedDatagrams, 'datagramsDiscarded')
      assertSame(statistics.queuedDatagrams + statistics.queuedBytes, 0, 'what is queued')
      assertAddsUp(statistics, 'the closed link')
      release()
      await bench.until(() => closes() === 1, "'close'")
      await bench.quiet()
      assertSame(drains(), 0, "'drain'")
    },
  },
]

export const failingCases: LinkCase[] = [
  {
    name: 'a datagram that fails is an event and a number, and costs no other',
    needs: 'fail',
    run: async (bench) => {
      const errors: [unknown, unknown][] = []
      bench.a.on('sendError', (error, endpoint) => void errors.push([error, endpoint]))
      const recorded = bench.record(bench.b)
      bench.sendToB(pattern(10))
      await bench.options.fail!(bench.pair)
      bench.sendToB(pattern(20))
      await bench.until(() => errors.length > 0, "'sendError'")
      assertTrue(errors[0]![0] instanceof Error, 'the error is one')
      assertSame(bench.a.stats().datagramsFailed, errors.length, 'datagramsFailed')
      assertAddsUp(bench.a.stats(), 'the sender')
      await bench.arrived(recorded, [pattern(10), pattern(20)], 'what was sent before and after')
      assertSame(bench.a.closed, false, 'closed')
    },
  },
  {
    name: 'errors of sending come before close',
    needs: 'fail',
    run: async (bench) => {
      const events: string[] = []
      bench.a.on('sendError', () => void events.push('sendError'))
      bench.a.on('close', () => void events.push('close'))
      await bench.options.fail!(bench.pair)
      bench.a.close()
      await bench.until(() => events.includes('close'), "'close'")
      await bench.quiet()
      assertSame(events.at(-1), 'close', 'the last event')
      assertSame(events.filter((event) => event === 'close').length, 1, "'close'")
    },
  },
]

export const breakingCases: LinkCase[] = [
  {
    name: 'a link that can no longer work is closed: error, then close',
    needs: 'breakDown',
    run: async (bench) => {
      const events: string[] = []
      bench.a.on('error', (error) => {
        assertTrue(error instanceof Error, 'the error is one')
        events.push(`error, ${bench.a.closed ? 'closed' : 'open'}`)
      })
      bench.a.on('close', () => void events.push('close'))
      bench.a.on('batch', () => undefined)
      await bench.options.breakDown!(bench.pair)
      await bench.until(() => events.includes('close'), "'close'")
      await bench.quiet()
      assertSame(events.join('; '), 'error, closed; close', 'the events')
    },
  },
]

/** Fills the queue of a link that is held, until it refuses. */
function fill(bench: Workbench): number {
  for (let taken = 0; taken < MAX_FILL; taken++) {
    if (!bench.sendToB(numbered(taken))) return taken
  }
  assertTrue(false, `the queue is full after ${MAX_FILL} datagrams of ${PAYLOAD_BYTES} bytes: it has a bound`)
}

/** Sends until something has to stay in the queue: what carries the datagrams may take some although the link is held. */
async function holdBack(bench: Workbench): Promise<Buffer[]> {
  const payloads: Buffer[] = []
  while (payloads.length < MAX_FILL) {
    const payload = numbered(payloads.length)
    if (!bench.sendToB(payload)) break
    payloads.push(payload)
    if (!bench.a.flush()) break
    if (payloads.length % 1000 === 0) await bench.pair.turn()
  }
  return payloads
}

function numbered(i: number): Buffer {
  const payload = Buffer.alloc(PAYLOAD_BYTES, i & 0xff)
  payload.writeUInt32BE(i)
  return payload
}

/** Long enough that a queue of some MiB is soon full. */
const PAYLOAD_BYTES = 1000
const MAX_FILL = 200_000
/** Datagrams that any receiver has room for. */
const FIRST = 30
