import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeControl, encodeControl, type ControlFrame } from '../../../src/stream/control-frame.js'
import {
  HEADER_BYTES,
  MAX_BACK_OFF_MICROSECONDS,
  MAX_GROUP_RECEIVERS,
  MAX_NAK_RANGES,
  MAX_WINDOW_PACKETS,
  SPAN_PACKETS,
  TYPE,
} from '../../../src/stream/wire.js'
import { checkProperty } from '../support/check-property.js'

const uint8 = fc.integer({ min: 0, max: 255 })
const uint16 = fc.integer({ min: 0, max: 0xffff })
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })
const name = fc.string({ unit: 'grapheme', maxLength: 255 }).filter((text) => Buffer.byteLength(text) <= 255)
const cookie = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes))
const session = fc.integer({ min: 1, max: 0xffff_ffff })
const window = fc.integer({ min: 1, max: MAX_WINDOW_PACKETS })
const terms = {
  group: fc.integer({ min: 1, max: 0xffff_ffff }),
  receivers: fc.integer({ min: 1, max: MAX_GROUP_RECEIVERS }),
  backOff: fc.integer({ min: 0, max: MAX_BACK_OFF_MICROSECONDS }),
}
const type = <T extends number>(value: T): fc.Arbitrary<T> => fc.constant(value)

const frames: fc.Arbitrary<ControlFrame> = fc.oneof(
  fc.record({
    type: type(TYPE.hello),
    minVersion: uint8,
    maxVersion: uint8,
    cookie: fc.oneof(cookie, fc.constant(Buffer.alloc(0))),
    frameBytes: uint16,
    timestamp: uint32,
    session,
    name,
  }),
  fc.record({ type: type(TYPE.challenge), timestamp: uint32, cookie }),
  fc.record({ type: type(TYPE.welcome), version: uint8, frameBytes: uint16, timestamp: uint32, session, asked: uint32, name }),
  fc.record({ type: type(TYPE.refuse), reason: uint16, minVersion: uint8, maxVersion: uint8, asked: uint32 }),
  fc.record({ type: type(TYPE.bye), reason: uint16, session: uint32 }),
  fc.record({ type: type(TYPE.stranger), place: uint32, life: uint32, session: uint32 }),
  fc.record({ type: type(TYPE.ping), timestamp: uint32, session: uint32 }),
  fc.record({ type: type(TYPE.pong), timestamp: uint32 }),
  fc.record({
    type: type(TYPE.open),
    stream: uint32,
    kind: fc.integer({ min: 1, max: 3 }),
    options: uint8,
    packet: uint32,
    windowPackets: window,
    label: name,
  }),
  fc.record({
    type: type(TYPE.status),
    stream: uint32,
    next: uint32,
    consumed: uint32,
    highest: uint32,
    beyond: uint32,
    timestamp: uint32,
    delay: uint32,
    flags: uint8,
    missed: uint32,
  }),
  fc.record({
    type: type(TYPE.nak),
    stream: uint32,
    ranges: fc.oneof(
      fc.record({ first: uint32, count: window }).map((range) => [range]),
      fc.array(fc.record({ first: uint32, count: fc.integer({ min: 1, max: 512 }) }), {
        minLength: 1,
        maxLength: MAX_NAK_RANGES,
      }),
    ),
  }),
  fc.record({ type: type(TYPE.heartbeat), stream: uint32, floor: uint32, next: uint32, timestamp: uint32, flags: uint8 }),
  fc.record({ type: type(TYPE.reset), stream: uint32, reason: uint16 }),
  fc.record({
    type: type(TYPE.openGroup),
    stream: uint32,
    kind: fc.integer({ min: 1, max: 3 }),
    options: uint8,
    packet: uint32,
    windowPackets: window,
    label: name,
    endpoint: name,
    ...terms,
  }),
  fc.record({ type: type(TYPE.groupHeartbeat), floor: uint32, next: uint32, timestamp: uint32, flags: uint8, ...terms }),
  fc.record({
    type: type(TYPE.nakEcho),
    group: uint32,
    base: uint32,
    mask: fc.record({ low: uint32, high: uint32 }),
    most: fc.integer({ min: 1, max: SPAN_PACKETS }),
  }),
  fc.record({ type: type(TYPE.gone), stream: uint32 }),
  fc.record({ type: type(TYPE.probe), frameBytes: uint16 }),
  fc.record({ type: type(TYPE.probeAck), frameBytes: uint16 }),
)

test('a control frame is read as it was written, also with bytes of a later version behind it', async () => {
  await checkProperty(
    fc.property(frames, fc.integer({ min: 0, max: 20 }), (frame, extra) => {
      const out = Buffer.alloc(1500, 0xee)
      const end = encodeControl(out, frame)
      expect(decodeControl(out, frame.type, end + extra)).toEqual(frame)
    }),
  )
})

test('a control frame that is cut anywhere is refused or, behind its fields, the same', async () => {
  await checkProperty(
    fc.property(frames, (frame) => {
      const out = Buffer.alloc(1500)
      const end = encodeControl(out, frame)
      for (let cut = HEADER_BYTES; cut < end; cut++) expect(decodeControl(out, frame.type, cut)).toBe(undefined)
    }),
  )
})

test('any bytes are read without an exception', async () => {
  await checkProperty(
    fc.property(uint8, fc.uint8Array({ maxLength: 200 }), (anyType, bytes) => {
      const frame = Buffer.concat([Buffer.alloc(HEADER_BYTES), bytes])
      const read = decodeControl(frame, anyType, frame.length)
      if (read !== undefined) expect(read.type).toBe(anyType)
    }),
    2000,
  )
})

test('the layouts are those of the document', () => {
  const hex = (frame: ControlFrame): string => {
    const out = Buffer.alloc(400)
    return out.subarray(HEADER_BYTES, encodeControl(out, frame)).toString('hex')
  }
  expect(
    hex({
      type: TYPE.status,
      stream: 1,
      next: 2,
      consumed: 3,
      highest: 4,
      beyond: 5,
      timestamp: 6,
      delay: 7,
      flags: 1,
      missed: 8,
    }),
  ).toBe('010000000200000003000000040000000500000006000000070000000108000000')
  expect(hex({ type: TYPE.nak, stream: 1, ranges: [{ first: 0xffffffff, count: 2 }] })).toBe('0100000001000000ffffffff02000000')
  expect(hex({ type: TYPE.heartbeat, stream: 1, floor: 2, next: 3, timestamp: 4, flags: 1 })).toBe(
    '0100000002000000030000000400000001',
  )
  expect(hex({ type: TYPE.open, stream: 1, kind: 3, options: 0, packet: 2, windowPackets: 3, label: 'ab' })).toBe(
    '010000000300020002000000030000006162',
  )
  const to = { group: 4, receivers: 5, backOff: 6 }
  const open = { stream: 1, kind: 3, options: 0, packet: 2, windowPackets: 3, label: 'ab', endpoint: 'c' }
  expect(hex({ type: TYPE.openGroup, ...open, ...to })).toBe(
    '010000000300020102000000030000000400000005000000060000006162' + '63',
  )
  expect(hex({ type: TYPE.groupHeartbeat, floor: 2, next: 3, timestamp: 7, flags: 1, ...to })).toBe(
    '04000000020000000300000007000000010000000500000006000000',
  )
  expect(hex({ type: TYPE.nakEcho, group: 4, base: 2, mask: { low: 1, high: 8 }, most: 3 })).toBe(
    '0400000002000000010000000800000003',
  )
  const hello = { minVersion: 1, maxVersion: 1, cookie: Buffer.alloc(0), frameBytes: 2, timestamp: 3, session: 4, name: 'a' }
  expect(hex({ type: TYPE.hello, ...hello })).toBe(`01010001${'02000000'}03000000${'00'.repeat(16)}0400000061`)
  expect(hex({ type: TYPE.welcome, version: 1, frameBytes: 2, timestamp: 3, session: 4, asked: 5, name: 'a' })).toBe(
    '0101020003000000040000000500000061',
  )
  expect(hex({ type: TYPE.refuse, reason: 2, minVersion: 1, maxVersion: 1, asked: 5 })).toBe('0200010105000000')
  expect(hex({ type: TYPE.bye, reason: 1, session: 4 })).toBe('010004000000')
  expect(hex({ type: TYPE.stranger, place: 1, life: 2, session: 3 })).toBe('010000000200000003000000')
  expect(hex({ type: TYPE.ping, timestamp: 1, session: 2 })).toBe('010000000200000000000000')
})
