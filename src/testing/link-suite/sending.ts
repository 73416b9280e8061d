import { assertPayloads, assertSame, assertThrows, assertTrue } from './assert.js'
import { assertAddsUp, pattern, type LinkCase } from './workbench.js'

export const sendingCases: LinkCase[] = [
  {
    name: 'payloads of all lengths arrive whole, and none is merged or cut',
    run: async (bench) => {
      const { unfragmentedBytes } = lengthsOf(bench.a, bench.pair.toB)
      const lengths = [1, 2, 3, 4, 5, 63, 64, 65, 100, 255, 256, 257, 1000, 1000, 1000, 999, unfragmentedBytes, 1]
      await bench.transfer(
        lengths.filter((length) => length <= unfragmentedBytes).map((length, i) => pattern(length, i)),
        'lengths',
      )
    },
  },
  {
    name: 'a datagram of no bytes arrives as one',
    needs: 'empty',
    run: async (bench) => {
      await bench.transfer([pattern(10, 1), Buffer.alloc(0), Buffer.alloc(0), pattern(10, 2)], 'empty datagrams')
    },
  },
  {
    name: 'many datagrams in a row arrive',
    run: async (bench) => {
      await bench.transfer(
        Array.from({ length: 300 }, (_, i) => pattern(40 + (i % 7), i)),
        '300 datagrams',
      )
    },
  },
  {
    name: 'the longest payload is taken, and one more byte is refused',
    run: async (bench) => {
      const { maxPayloadBytes } = bench.a
      assertTrue(Number.isInteger(maxPayloadBytes) && maxPayloadBytes > 0, 'maxPayloadBytes is a number of bytes')
      const before = bench.a.stats()
      assertThrows(() => bench.sendToB(Buffer.alloc(maxPayloadBytes + 1)), 'send of too much', 'ERR_OUT_OF_RANGE')
      assertThrows(() => bench.a.reserve(maxPayloadBytes + 1, bench.pair.toB), 'reserve of too much', 'ERR_OUT_OF_RANGE')
      assertSame(bench.a.stats().datagramsQueued, before.datagramsQueued, 'datagramsQueued after refusals')
      if (maxPayloadBytes <= bench.traits.maxTestBytes) await bench.transfer([pattern(maxPayloadBytes)], 'the longest payload')
      else assertTrue(bench.sendToB(Buffer.alloc(maxPayloadBytes)), 'send takes the longest payload')
    },
  },
  {
    name: 'unfragmentedBytes is a length that send takes, with and without an endpoint',
    run: async (bench) => {
      const { unfragmentedBytes, maxPayloadBytes } = lengthsOf(bench.a, bench.pair.toB)
      for (const bytes of [unfragmentedBytes, bench.a.unfragmentedBytes()]) {
        assertTrue(Number.isInteger(bytes) && bytes > 0 && bytes <= maxPayloadBytes, 'it is from 1 to maxPayloadBytes')
      }
      await bench.transfer([pattern(unfragmentedBytes)], 'a payload of unfragmentedBytes')
    },
  },
  {
    name: 'a payload may be a string, a Buffer, a Uint8Array that is a part of another, a DataView',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      const bytes = pattern(32)
      await bench.sendPatiently('zwölf ☃')
      await bench.sendPatiently(bytes)
      await bench.sendPatiently(new Uint8Array(bytes.buffer, bytes.byteOffset + 5, 9))
      await bench.sendPatiently(new DataView(bytes.buffer, bytes.byteOffset + 3, 11))
      const expected = [Buffer.from('zwölf ☃'), bytes, bytes.subarray(5, 14), bytes.subarray(3, 14)]
      await bench.arrived(recorded, expected, 'payloads')
    },
  },
  {
    name: 'what was sent may be written over at once',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      const payload = pattern(100)
      const sent = Buffer.from(payload)
      bench.sendToB(payload)
      payload.fill(0xee)
      await bench.arrived(recorded, [sent], 'the payload as it was')
    },
  },
  {
    name: 'it leaves at the end of the tick, without flush',
    run: async (bench) => {
      bench.sendToB(pattern(10))
      const { datagramsQueued, datagramsSent, queuedDatagrams, queuedBytes } = bench.a.stats()
      assertSame(datagramsQueued, 1, 'datagramsQueued')
      assertSame(datagramsSent + queuedDatagrams, 1, 'sent or queued')
      assertSame(queuedBytes, queuedDatagrams * 10, 'queuedBytes')
      await bench.until(() => bench.a.stats().datagramsSent === 1, 'it is sent')
      assertSame(bench.a.stats().queuedDatagrams, 0, 'queuedDatagrams')
    },
  },
  {
    name: 'flush sends what is queued, now',
    run: async (bench) => {
      // A link that has to connect first may need a while for the first one.
      bench.sendToB(pattern(1))
      await bench.until(() => bench.a.flush(), 'the link is ready')
      bench.sendToB(pattern(10))
      bench.sendToB(pattern(11))
      assertSame(bench.a.flush(), true, 'flush')
      const { datagramsSent, bytesSent, queuedDatagrams, queuedBytes } = bench.a.stats()
      assertSame(datagramsSent, 3, 'datagramsSent')
      assertSame(bytesSent, 22, 'bytesSent')
      assertSame(queuedDatagrams + queuedBytes, 0, 'what is queued')
      assertSame(bench.a.flush(), true, 'flush of an empty queue')
    },
  },
  {
    name: 'answers reach the sender at the endpoint of its batch',
    run: async (bench) => {
      const answers = bench.record(bench.a)
      bench.b.on('batch', (batch) => {
        for (let i = 0; i < batch.count; i++) bench.b.send(batch.copy(i).reverse(), batch.endpoint(i))
      })
      await bench.sendPatiently(Buffer.from('there'))
      let turns = 0
      await bench.until(() => {
        if (!bench.traits.lossless && ++turns % 20 === 0) bench.sendToB(Buffer.from('there'))
        return answers.payloads.length > 0
      }, 'the answer arrives')
      assertSame(answers.payloads[0]!.toString(), 'ereht', 'the answer')
    },
  },
  {
    name: 'an endpoint may be an object with address and port',
    needs: 'many peers',
    run: async (bench) => {
      const { address, port } = bench.pair.toB!
      const recorded = bench.record(bench.b)
      bench.a.send(pattern(20), { address, port })
      await bench.arrived(recorded, [pattern(20)], 'sent to an object')
    },
  },
  {
    name: 'the endpoint may be left out',
    needs: 'one peer',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      bench.a.send(pattern(20))
      bench.a.reserve(21)!.set(pattern(21))
      bench.a.commit()
      await bench.arrived(recorded, [pattern(20), pattern(21)], 'sent to the peer')
    },
  },
  {
    name: 'the statistics add up, and are a copy',
    run: async (bench) => {
      const payloads = Array.from({ length: 50 }, (_, i) => pattern(i + 1))
      const recorded = await bench.transfer(payloads, '50 datagrams')
      const [sender, receiver] = [bench.a.stats(), bench.b.stats()]
      assertAddsUp(sender, 'the sender')
      assertAddsUp(receiver, 'the receiver')
      assertSame(sender.datagramsRefused, 0, 'datagramsRefused')
      assertSame(receiver.datagramsReceived, recorded.payloads.length, 'datagramsReceived')
      assertSame(receiver.bytesReceived, total(recorded.payloads), 'bytesReceived')
      if (bench.traits.lossless) assertSame(sender.bytesSent, total(payloads), 'bytesSent')
      sender.datagramsSent += 1000
      assertTrue(bench.a.stats().datagramsSent < 1000, 'changing a copy changes nothing')
    },
  },
]

export const reservingCases: LinkCase[] = [
  {
    name: 'a reserved datagram is what was written, as long as was committed',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      bench.reserveToB(30).set(pattern(30))
      bench.a.commit()
      bench.reserveToB(50).set(pattern(50))
      bench.a.commit(20)
      bench.sendToB(pattern(10))
      bench.reserveToB(1)[0] = 77
      bench.a.commit(1)
      const expected = [pattern(30), pattern(50).subarray(0, 20), pattern(10), Buffer.of(77)]
      await bench.arrived(recorded, expected, 'reserved datagrams')
    },
  },
  {
    name: 'a reserved datagram may be empty, or committed empty',
    needs: 'empty',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      bench.reserveToB(0)
      bench.a.commit()
      bench.reserveToB(9).fill(1)
      bench.a.commit(0)
      await bench.arrived(recorded, [Buffer.alloc(0), Buffer.alloc(0)], 'empty datagrams')
    },
  },
  {
    name: 'one at a time: nothing else is queued before commit',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      bench.reserveToB(10).set(pattern(10))
      assertThrows(() => bench.sendToB('x'), 'send after reserve', 'ERR_INVALID_STATE')
      assertThrows(() => bench.a.reserve(5, bench.pair.toB), 'reserve after reserve', 'ERR_INVALID_STATE')
      bench.a.commit()
      assertThrows(() => bench.a.commit(), 'commit after commit', 'ERR_INVALID_STATE')
      await bench.arrived(recorded, [pattern(10)], 'the reserved datagram')
      assertSame(bench.a.stats().datagramsQueued, bench.a.stats().datagramsSent, 'datagramsQueued')
    },
  },
  {
    name: 'a cancelled reservation is as if it had never been',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      bench.sendToB(pattern(5))
      bench.reserveToB(40).fill(0xcc)
      bench.a.cancel()
      assertThrows(() => bench.a.commit(), 'commit after cancel', 'ERR_INVALID_STATE')
      bench.reserveToB(30).fill(0xcc)
      bench.a.flush()
      bench.a.cancel()
      await bench.quiet()
      bench.a.cancel()
      bench.sendToB(pattern(6))
      bench.reserveToB(7).set(pattern(7))
      bench.a.commit()
      assertSame(bench.a.stats().datagramsQueued, 3, 'datagramsQueued')
      await bench.arrived(recorded, [pattern(5), pattern(6), pattern(7)], 'what was not cancelled')
      assertAddsUp(bench.a.stats(), 'the sender')
    },
  },
  {
    name: 'commit without reserve is misuse',
    run: (bench) => {
      assertThrows(() => bench.a.commit(), 'commit', 'ERR_INVALID_STATE')
      assertThrows(() => bench.a.commit(0), 'commit of no bytes', 'ERR_INVALID_STATE')
      return Promise.resolve()
    },
  },
  {
    name: 'a commit that is refused leaves the reservation',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      bench.reserveToB(10).set(pattern(10))
      assertThrows(() => bench.a.commit(11), 'commit of more', 'ERR_INVALID_ARG_VALUE', 'ERR_OUT_OF_RANGE')
      assertThrows(() => bench.a.commit(-1), 'commit of less than nothing', 'ERR_OUT_OF_RANGE')
      assertThrows(() => bench.a.commit('1' as unknown as number), 'commit of a string', 'ERR_INVALID_ARG_TYPE')
      bench.a.commit(4)
      await bench.arrived(recorded, [pattern(10).subarray(0, 4)], 'the reserved datagram')
    },
  },
  {
    name: 'flush sends what was queued before a reservation, and leaves that alone',
    run: async (bench) => {
      const recorded = bench.record(bench.b)
      bench.sendToB(pattern(5))
      const room = bench.reserveToB(6)
      bench.a.flush()
      await bench.quiet()
      room.set(pattern(6))
      bench.a.commit()
      await bench.arrived(recorded, [pattern(5), pattern(6)], 'both')
      assertAddsUp(bench.a.stats(), 'the sender')
    },
  },
]

export const misuseCases: LinkCase[] = [
  {
    name: 'payloads that are none are refused, without side effect',
    run: async (bench) => {
      for (const payload of [undefined, null, 7, true, {}, [1, 2], new ArrayBuffer(4)]) {
        assertThrows(() => bench.sendToB(payload as never), `send of ${typeof payload}`, 'ERR_INVALID_ARG_TYPE')
      }
      await bench.quiet()
      assertSame(bench.a.stats().datagramsQueued, 0, 'datagramsQueued')
    },
  },
  {
    name: 'lengths that are none are refused, without side effect',
    run: (bench) => {
      for (const length of ['1', undefined, null, 1n]) {
        assertThrows(() => bench.a.reserve(length as never, bench.pair.toB), 'reserve of no number', 'ERR_INVALID_ARG_TYPE')
      }
      for (const length of [-1, 1.5, Number.NaN, Infinity]) {
        assertThrows(() => bench.a.reserve(length, bench.pair.toB), `reserve of ${length}`, 'ERR_OUT_OF_RANGE')
      }
      assertThrows(() => bench.a.commit(), 'nothing is reserved', 'ERR_INVALID_STATE')
      return Promise.resolve()
    },
  },
  {
    name: 'endpoints that are none are refused, without side effect',
    run: async (bench) => {
      const wrong: [unknown, string][] = [
        [7, 'ERR_INVALID_ARG_TYPE'],
        ['127.0.0.1:1', 'ERR_INVALID_ARG_TYPE'],
        [null, 'ERR_INVALID_ARG_TYPE'],
        [{ address: 7, port: 1 }, 'ERR_INVALID_ARG_TYPE'],
        [{ address: 'nowhere', port: 1 }, 'ERR_INVALID_ARG_VALUE'],
        [{ address: '127.0.0.1', port: '1' }, 'ERR_INVALID_ARG_TYPE'],
        [{ address: '127.0.0.1', port: 65_536 }, 'ERR_OUT_OF_RANGE'],
        [{ address: '127.0.0.1', port: 0 }, 'ERR_OUT_OF_RANGE'],
      ]
      for (const [endpoint, code] of wrong) {
        assertThrows(() => bench.a.send('x', endpoint as never), `send to ${JSON.stringify(endpoint)}`, code)
        assertThrows(() => bench.a.reserve(1, endpoint as never), `reserve for ${JSON.stringify(endpoint)}`, code)
      }
      await bench.quiet()
      assertSame(bench.a.stats().datagramsQueued, 0, 'datagramsQueued')
    },
  },
  {
    name: 'without a peer the endpoint may not be left out',
    needs: 'many peers',
    run: (bench) => {
      assertThrows(() => bench.a.send('x'), 'send', 'ERR_SOCKET_DGRAM_NOT_CONNECTED')
      assertThrows(() => bench.a.reserve(1), 'reserve', 'ERR_SOCKET_DGRAM_NOT_CONNECTED')
      return Promise.resolve()
    },
  },
  {
    name: 'a link works after misuse as before',
    run: async (bench) => {
      assertThrows(() => bench.sendToB(7 as never), 'send', 'ERR_INVALID_ARG_TYPE')
      const recorded = await bench.transfer([pattern(12)], 'what follows')
      assertPayloads(recorded.payloads.slice(0, 1), [pattern(12)], 'what follows')
    },
  },
]

function lengthsOf(
  link: { maxPayloadBytes: number; unfragmentedBytes(endpoint?: never): number },
  endpoint: unknown,
): { unfragmentedBytes: number; maxPayloadBytes: number } {
  return { unfragmentedBytes: link.unfragmentedBytes(endpoint as never), maxPayloadBytes: link.maxPayloadBytes }
}

function total(payloads: readonly Buffer[]): number {
  return payloads.reduce((sum, { length }) => sum + length, 0)
}
