import { beforeEach, describe, expect, test } from 'vitest'
import {
  DATAGRAM,
  DATAGRAM_WORDS,
  Endpoint,
  FLAG,
  RECEIVED_MESSAGE,
  RECEIVED_MESSAGE_WORDS,
  RECEIVE_HEADER,
  RECEIVE_HEADER_WORDS,
  ReceiveBatch,
  type BatchOwner,
  type EndpointInterner,
} from '../../../src/core/index.js'
import { failure } from '../support/errors.js'

const MESSAGES = 4
const DATAGRAMS = 8
const SLOT_BYTES = 100

let slab: Buffer
let datagrams: Uint32Array
let messages: Uint32Array
let batch: ReceiveBatch
let retained: ReceiveBatch[]
let released: ReceiveBatch[]

/** Gives the endpoint whose port is the first source word, and counts how often it was asked. */
class CountingInterner implements EndpointInterner {
  calls = 0
  endpointAt(words: Uint32Array, offset: number): Endpoint {
    this.calls++
    return Endpoint.of('192.0.2.1', words[offset]!)
  }
  localAddressAt(words: Uint32Array, offset: number): Endpoint | undefined {
    const flags = words[offset + RECEIVED_MESSAGE.flags]!
    return (flags & FLAG.localIpv4) === 0 ? undefined : Endpoint.of('198.51.100.1', 0)
  }
}

beforeEach(() => {
  slab = Buffer.alloc(MESSAGES * SLOT_BYTES)
  for (let i = 0; i < slab.length; i++) slab[i] = i & 0xff
  datagrams = new Uint32Array(DATAGRAMS * DATAGRAM_WORDS)
  messages = new Uint32Array(RECEIVE_HEADER_WORDS + MESSAGES * RECEIVED_MESSAGE_WORDS)
  retained = []
  released = []
  const owner: BatchOwner = { retain: (b) => void retained.push(b), release: (b) => void released.push(b) }
  batch = new ReceiveBatch(slab, datagrams, messages, owner)
})

interface Record {
  length: number
  wireLength?: number
  port?: number
  flags?: number
}

/** Describes one datagram a message, each in a slot of its own, and opens the batch. */
function open(records: Record[], interner: EndpointInterner = new CountingInterner()): void {
  let bytes = 0
  for (const [i, record] of records.entries()) {
    datagrams[i * DATAGRAM_WORDS + DATAGRAM.offset] = i * SLOT_BYTES
    datagrams[i * DATAGRAM_WORDS + DATAGRAM.length] = record.length
    datagrams[i * DATAGRAM_WORDS + DATAGRAM.message] = i
    datagrams[i * DATAGRAM_WORDS + DATAGRAM.wireLength] = record.wireLength ?? record.length
    const at = RECEIVE_HEADER_WORDS + i * RECEIVED_MESSAGE_WORDS
    messages[at + RECEIVED_MESSAGE.source] = record.port ?? 1
    messages[at + RECEIVED_MESSAGE.flags] = record.flags ?? 0
    bytes += record.length
  }
  messages[RECEIVE_HEADER.messages] = records.length
  messages[RECEIVE_HEADER.datagrams] = records.length
  messages[RECEIVE_HEADER.payloadBytes] = bytes
  batch.begin(interner)
}

describe('a batch that its handler holds', () => {
  test('tells how many datagrams and bytes it has', () => {
    open([{ length: 10 }, { length: 0 }, { length: 100 }])
    expect(batch.count).toBe(3)
    expect(batch.bytes).toBe(110)
  })

  test('gives payloads as views over its slab', () => {
    open([{ length: 10 }, { length: 5 }])
    const view = batch.payload(1)
    expect([...view]).toEqual([100, 101, 102, 103, 104])
    expect(view.buffer).toBe(slab.buffer)
    expect(batch.offset(1)).toBe(100)
    expect(batch.slab.subarray(batch.offset(1), batch.offset(1) + batch.length(1)).equals(view)).toBe(true)
    slab[100] = 7
    expect(view[0]).toBe(7)
  })

  test('gives a datagram of no bytes as an empty payload', () => {
    open([{ length: 0 }])
    expect(batch.payload(0)).toHaveLength(0)
    expect(batch.copy(0)).toHaveLength(0)
  })

  test('gives copies with memory of their own', () => {
    open([{ length: 3 }])
    const copy = batch.copy(0)
    slab.fill(0xff)
    expect([...copy]).toEqual([0, 1, 2])
  })

  test('gives the same view object again, in the next batch too, while place and size stay', () => {
    open([{ length: 10 }, { length: 5 }])
    const [first, second] = [batch.payload(0), batch.payload(1)]
    expect(batch.payload(0)).toBe(first)
    batch.finish()
    open([{ length: 10 }, { length: 6 }])
    expect(batch.payload(0)).toBe(first)
    expect(batch.payload(1)).not.toBe(second)
    expect(batch.payload(1)).toHaveLength(6)
    expect(second).toHaveLength(5)
  })

  test('gives another view where a datagram of the same size lies elsewhere', () => {
    open([{ length: 10 }, { length: 10 }])
    const second = batch.payload(1)
    datagrams[DATAGRAM_WORDS + DATAGRAM.offset] = 200
    expect(batch.payload(1)).not.toBe(second)
    expect(batch.payload(1)[0]).toBe(200)
  })

  test('says which datagrams were cut, and how long they were', () => {
    open([{ length: 10 }, { length: 100, wireLength: 1400 }])
    expect([batch.truncated(0), batch.truncated(1)]).toEqual([false, true])
    expect([batch.wireLength(0), batch.wireLength(1)]).toEqual([10, 1400])
    expect(batch.payload(1)).toHaveLength(100)
  })

  test('asks for an endpoint once a message, and anew in the next batch', () => {
    const interner = new CountingInterner()
    open(
      [
        { length: 1, port: 7 },
        { length: 1, port: 8 },
      ],
      interner,
    )
    expect(batch.endpoint(0)).toBe(batch.endpoint(0))
    expect([batch.endpoint(0).port, batch.endpoint(1).port]).toEqual([7, 8])
    expect(interner.calls).toBe(2)
    batch.finish()
    open([{ length: 1, port: 9 }], interner)
    expect(batch.endpoint(0).port).toBe(9)
    expect(interner.calls).toBe(3)
  })

  test('gives the datagrams of a coalesced message one source and one set of ancillary data', () => {
    open([{ length: 10, flags: FLAG.ttl }])
    datagrams.set([20, 10, 0, 10], DATAGRAM_WORDS)
    messages[RECEIVE_HEADER.datagrams] = 2
    messages[RECEIVE_HEADER_WORDS + RECEIVED_MESSAGE.ttl] = 63
    const interner = new CountingInterner()
    batch.begin(interner)
    expect(batch.count).toBe(2)
    expect(batch.messages).toBe(1)
    expect(batch.endpoint(1)).toBe(batch.endpoint(0))
    expect(interner.calls).toBe(1)
    expect(batch.ttl(1)).toBe(63)
    expect(batch.recordOf(1)).toBe(batch.recordOf(0))
  })

  test('gives ancillary data that came', () => {
    open([{ length: 1, flags: FLAG.ttl | FLAG.tos | FLAG.time | FLAG.localIpv4 }])
    const at = RECEIVE_HEADER_WORDS
    messages[at + RECEIVED_MESSAGE.ttl] = 64
    messages[at + RECEIVED_MESSAGE.tos] = 0b1011_1010
    messages[at + RECEIVED_MESSAGE.seconds] = 4_000_000_000
    messages[at + RECEIVED_MESSAGE.nanoseconds] = 999_999_999
    messages[at + RECEIVED_MESSAGE.interfaceIndex] = 3
    expect(batch.ttl(0)).toBe(64)
    expect(batch.tos(0)).toBe(0b1011_1010)
    expect(batch.ecn(0)).toBe(0b10)
    expect(batch.receiveTimeNs(0)).toBe(4_000_000_000_999_999_999n)
    expect(batch.receiveSeconds(0)).toBe(4_000_000_000)
    expect(batch.receiveNanoseconds(0)).toBe(999_999_999)
    expect(batch.interfaceIndex(0)).toBe(3)
    expect(batch.destination(0)).toBe('198.51.100.1')
  })

  test('says of ancillary data that did not come that there is none, whatever the record holds', () => {
    open([{ length: 1 }])
    messages.fill(77, RECEIVE_HEADER_WORDS + RECEIVED_MESSAGE.ttl, RECEIVE_HEADER_WORDS + RECEIVED_MESSAGE_WORDS)
    expect(batch.ttl(0)).toBe(-1)
    expect(batch.tos(0)).toBe(-1)
    expect(batch.ecn(0)).toBe(-1)
    expect(batch.receiveSeconds(0)).toBe(-1)
    expect(batch.receiveNanoseconds(0)).toBe(-1)
    expect(batch.receiveTimeNs(0)).toBeUndefined()
    expect(batch.destination(0)).toBeUndefined()
    expect(batch.interfaceIndex(0)).toBe(0)
  })
})

test('every reader of a batch refuses an index between two datagrams', () => {
  open([{ length: 1 }, { length: 1 }])
  for (const reader of READERS) failure(() => batch[reader](0.5), 'ERR_OUT_OF_RANGE', /"i"/)
})

const READERS = [
  'payload',
  'copy',
  'offset',
  'length',
  'wireLength',
  'truncated',
  'endpoint',
  'destination',
  'interfaceIndex',
  'ttl',
  'tos',
  'ecn',
  'receiveTimeNs',
  'receiveSeconds',
  'receiveNanoseconds',
] as const

describe.each(READERS)('%s(i)', (reader) => {
  test('refuses a datagram that is not there', () => {
    open([{ length: 1 }, { length: 1 }])
    for (const i of [-1, 2, 1e9, NaN, Infinity, undefined as never]) {
      failure(() => batch[reader](i), 'ERR_OUT_OF_RANGE', /"i" is out of range.*< 2/)
    }
  })

  test('refuses a batch whose handler has returned', () => {
    open([{ length: 1 }])
    batch.finish()
    failure(() => batch[reader](0), 'ERR_OUT_OF_RANGE', /"i"/)
  })

  test('refuses a batch that was given back', () => {
    open([{ length: 1 }])
    batch.retain().release()
    failure(() => batch[reader](0), 'ERR_OUT_OF_RANGE', /"i"/)
  })
})

describe('a retained batch', () => {
  test('outlives its handler, until it is released', () => {
    open([{ length: 2 }])
    expect(batch.retain()).toBe(batch)
    expect(batch.isRetained).toBe(true)
    batch.finish()
    expect(batch.count).toBe(1)
    expect([...batch.payload(0)]).toEqual([0, 1])
    batch.release()
    expect(batch.isRetained).toBe(false)
    expect(batch.count).toBe(0)
    expect(batch.bytes).toBe(0)
  })

  test('takes its memory from the owner and gives it back, each once', () => {
    open([{ length: 1 }])
    batch.retain()
    expect([retained, released]).toEqual([[batch], []])
    batch.release()
    batch.release()
    expect([retained, released]).toEqual([[batch], [batch]])
  })

  test('cannot be retained a second time, nor after its handler', () => {
    open([{ length: 1 }])
    batch.retain()
    failure(() => batch.retain(), 'ERR_INVALID_STATE', /once/)
    batch.release()
    failure(() => batch.retain(), 'ERR_INVALID_STATE')
    open([{ length: 1 }])
    batch.finish()
    failure(() => batch.retain(), 'ERR_INVALID_STATE')
    expect(retained).toHaveLength(1)
  })

  test('is not what release of another one ends', () => {
    open([{ length: 1 }])
    batch.release()
    expect(batch.count).toBe(1)
    expect(released).toEqual([])
  })
})
