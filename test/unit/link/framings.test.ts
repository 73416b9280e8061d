import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Endpoint } from '../../../src/core/index.js'
import { addressedFraming } from '../../../src/link/framing/addressed-framing.js'
import { internetChecksum } from '../../../src/link/framing/checksum.js'
import type { DecoderLimits, FrameCounters, Framing } from '../../../src/link/framing/framing.js'
import { lengthFraming } from '../../../src/link/framing/length-framing.js'
import { separatorFraming } from '../../../src/link/framing/separator-framing.js'
import { checkProperty } from '../support/check-property.js'

const LIMITS: DecoderLimits = { maxDatagramBytes: 65_507, seed: 1 }
const PEERS = [Endpoint.of('192.0.2.1', 5000), Endpoint.of('2001:db8::1', 6000), Endpoint.of('255.255.255.255', 65_535)]
const FRAMINGS: Readonly<Record<string, Framing>> = {
  length: lengthFraming,
  separator: separatorFraming,
  addressed: addressedFraming,
}

interface Decoded {
  payloads: Buffer[]
  endpoints: (Endpoint | undefined)[]
  understood: boolean
  counters: FrameCounters
}

/** Decodes `stream` in pieces that end at `cuts`. */
function decode(framing: Framing, stream: Buffer, cuts: readonly number[] = [], limits = LIMITS): Decoded {
  const payloads: Buffer[] = []
  const endpoints: (Endpoint | undefined)[] = []
  const decoder = framing.decoder((payload, endpoint) => {
    payloads.push(payload)
    endpoints.push(endpoint)
  }, limits)
  let at = 0
  let understood = true
  for (const end of [...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length]) {
    // A piece of its own memory, which is gone afterwards where nobody kept it.
    understood = decoder.push(Buffer.from(stream.subarray(at, end)))
    at = end
  }
  decoder.end()
  return { payloads, endpoints, understood, counters: decoder.counters }
}

function encode(framing: Framing, payloads: readonly Uint8Array[], inPlace = false): Buffer {
  const out = Buffer.alloc(
    payloads.reduce((sum, payload) => sum + framing.maxFrameBytes(payload.length), 0),
    0xee,
  )
  let at = 0
  for (const [i, payload] of payloads.entries()) {
    const peer = PEERS[i % PEERS.length]!
    const offset = inPlace ? framing.payloadOffset(peer) : undefined
    if (offset === undefined) at = framing.encode(payload, peer, out, at)
    else {
      out.set(payload, at + offset)
      at = framing.complete(out, at, payload.length, peer)
    }
  }
  return out.subarray(0, at)
}

/** Bytes among which the marker is frequent. */
const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    fc.uint8Array({ maxLength }),
    fc.array(fc.constantFrom(0xf5, 0, 1, 2, 7), { maxLength }).map((values) => Uint8Array.from(values)),
  )
const datagrams = fc.array(bytes(40), { maxLength: 12 })
const cuts = fc.array(fc.nat(), { maxLength: 30 })

describe.each(Object.entries(FRAMINGS))('the %s framing', (_name, framing) => {
  test('gives back every datagram, however the stream is cut', async () => {
    await checkProperty(
      fc.property(datagrams, cuts, fc.boolean(), (payloads, ends, inPlace) => {
        const decoded = decode(framing, encode(framing, payloads, inPlace), ends)
        expect(decoded.payloads.map((payload) => [...payload])).toEqual(payloads.map((payload) => [...payload]))
        expect(decoded.understood).toBe(true)
        expect(decoded.counters).toEqual({ malformed: 0, oversized: 0, incomplete: 0, skippedBytes: 0 })
        if (framing.isAddressed) {
          expect(decoded.endpoints.map(String)).toEqual(payloads.map((_, i) => String(PEERS[i % PEERS.length])))
        }
      }),
    )
  })

  test('gives back the empty and the longest datagram, a byte at a time too', () => {
    const payloads = [Buffer.alloc(0), Buffer.alloc(framing.maxPayloadBytes, 0xf5), Buffer.alloc(0)]
    const stream = encode(framing, payloads)
    for (const ends of [[], [1], [...stream.keys()]]) {
      expect(decode(framing, stream, ends).payloads.map(({ length }) => length)).toEqual([0, framing.maxPayloadBytes, 0])
    }
  })

  test('takes any bytes without throwing, and holds back no more than a frame', async () => {
    await checkProperty(
      fc.property(fc.array(bytes(60), { maxLength: 30 }), (chunks) => {
        const decoder = framing.decoder(() => undefined, { maxDatagramBytes: 20, seed: 1 })
        for (const chunk of chunks) decoder.push(Buffer.from(chunk))
        decoder.end()
        decoder.end()
      }),
      1000,
    )
  })

  test('survives damage: what follows the damaged frame comes, or the stream is refused', async () => {
    await checkProperty(
      fc.property(datagrams, fc.nat(), fc.integer({ min: 1, max: 255 }), cuts, (payloads, where, change, ends) => {
        const stream = Buffer.from(encode(framing, payloads))
        if (stream.length > 0) stream[where % stream.length]! ^= change
        const decoded = decode(framing, stream, ends)
        if (framing !== separatorFraming) return
        // At most the frame that was hit and its neighbour are lost, and nothing that was not sent arrives.
        expect(decoded.payloads.length).toBeGreaterThanOrEqual(payloads.length - 2)
      }),
    )
  })

  test('counts what the end of the stream cuts off', () => {
    const stream = encode(framing, [Buffer.from('whole'), Buffer.from('cut')])
    const decoded = decode(framing, stream.subarray(0, -1))
    expect(decoded.payloads.map(String)).toEqual(['whole'])
    expect(decoded.counters.incomplete).toBe(1)
    expect(decode(framing, stream.subarray(0, -3)).counters.incomplete).toBe(1)
  })
})

test('a reader of separators that joins in the middle gets every datagram from the next one on', async () => {
  await checkProperty(
    fc.property(datagrams, fc.nat(), cuts, (payloads, where, ends) => {
      const frames = payloads.map((payload) => encode(separatorFraming, [payload]))
      const stream = Buffer.concat(frames)
      const start = where % (stream.length + 1)
      let end = 0
      const whole = payloads.filter((_, i) => {
        const begin = end
        end += frames[i]!.length
        return begin >= start
      })
      const decoded = decode(separatorFraming, stream.subarray(start), ends)
      expect(decoded.payloads.map((payload) => [...payload])).toEqual(whole.map((payload) => [...payload]))
    }),
  )
})

test('a damaged datagram between separators is not delivered', () => {
  const stream = Buffer.from(encode(separatorFraming, [Buffer.from('first'), Buffer.from('second')]))
  stream[3]! ^= 0x20
  const decoded = decode(separatorFraming, stream)
  expect(decoded.payloads.map(String)).toEqual(['second'])
  expect(decoded.counters).toMatchObject({ malformed: 1, incomplete: 0 })
})

test('separators: a lost end costs one datagram, a wrong escape too', () => {
  const [a, b, c] = ['aa', 'bb', 'cc'].map((text) => encode(separatorFraming, [Buffer.from(text)]))
  const lostEnd = decode(separatorFraming, Buffer.concat([a!.subarray(0, -2), b!, c!]))
  expect(lostEnd.payloads.map(String)).toEqual(['bb', 'cc'])
  expect(lostEnd.counters.incomplete).toBe(1)
  const wrongEscape = decode(separatorFraming, Buffer.concat([Buffer.of(0xf5, 1, 0x61, 0xf5, 9, 0x61, 0xf5, 2), b!]))
  expect(wrongEscape.payloads.map(String)).toEqual(['bb'])
  expect(wrongEscape.counters.malformed).toBe(1)
})

test('separators: a frame without an end does not grow beyond the longest datagram', () => {
  const decoded = decode(
    separatorFraming,
    Buffer.concat([Buffer.of(0xf5, 1), Buffer.alloc(100), encode(separatorFraming, [Buffer.of(1)])]),
    [],
    {
      maxDatagramBytes: 20,
      seed: 1,
    },
  )
  expect(decoded.counters.oversized).toBe(1)
  expect(decoded.payloads).toEqual([Buffer.of(1)])
})

test('separators: the bytes on the wire are those of the documentation', () => {
  expect(encode(separatorFraming, [Buffer.from([0x48, 0x69, 0xf5])]).toString('hex')).toBe('f5014869f500c295f502')
  expect(encode(lengthFraming, [Buffer.from('Hi')]).toString('hex')).toBe('00024869')
  expect(encode(addressedFraming, [Buffer.from('Hi')]).toString('hex')).toBe('000c00000001c000020113884869')
})

test('a length beyond the longest datagram ends the stream', () => {
  const stream = Buffer.concat([encode(lengthFraming, [Buffer.from('ok')]), Buffer.of(0xff, 0xff), Buffer.from('lies')])
  for (const ends of [[], [4], [5], [6]]) {
    const decoded = decode(lengthFraming, stream, ends, { maxDatagramBytes: 100, seed: 1 })
    expect(decoded).toMatchObject({ understood: false, counters: { oversized: 1, skippedBytes: 6, incomplete: 0 } })
    expect(decoded.payloads.map(String)).toEqual(['ok'])
  }
})

test('addresses: fragments, names and short headers are dropped and counted, and the next frame comes', () => {
  const good = encode(addressedFraming, [Buffer.from('good')])
  const frame = (...body: number[]): Buffer => Buffer.from([0, body.length, ...body])
  const bad = [
    frame(0, 0, 1, 1, 1, 2, 3, 4, 0, 9), // FRAG
    frame(0, 1, 0, 1, 1, 2, 3, 4, 0, 9), // RSV
    frame(0, 0, 0, 3, 4, 0x68, 0x6f, 0x73, 0x74, 0, 9, 1), // a name
    frame(0, 0, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8), // IPv6, cut
    frame(0, 0, 0, 1),
    frame(),
  ]
  const decoded = decode(addressedFraming, Buffer.concat([...bad, good]))
  expect(decoded.payloads.map(String)).toEqual(['good'])
  expect(decoded.counters.malformed).toBe(bad.length)
})

test('addresses: the same peer is the same object', () => {
  const stream = Buffer.concat([1, 2, 3].map(() => encode(addressedFraming, [Buffer.of(7)])))
  const { endpoints } = decode(addressedFraming, stream)
  expect(new Set(endpoints).size).toBe(1)
})

test('the checksum is that of RFC 1071', async () => {
  expect(internetChecksum(Buffer.from('0001f203f4f5f6f7', 'hex'))).toBe(~0xddf2 & 0xffff)
  expect(internetChecksum(Buffer.alloc(65_507, 0xff))).toBe(slowChecksum(Buffer.alloc(65_507, 0xff)))
  await checkProperty(
    fc.property(fc.uint8Array({ maxLength: 50 }), (data) => {
      expect(internetChecksum(data)).toBe(slowChecksum(data))
    }),
  )
})

/** With the carry added at each step, as the RFC explains it. */
function slowChecksum(data: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < data.length; i += 2) {
    sum += data[i]! * 256 + (data[i + 1] ?? 0)
    if (sum > 0xffff) sum = sum - 0x1_0000 + 1
  }
  return 0xffff - sum
}
