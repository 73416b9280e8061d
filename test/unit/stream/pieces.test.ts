import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FramePool } from '../../../src/stream/frame-pool.js'
import { PathMtu } from '../../../src/stream/path-mtu.js'
import { Pieces } from '../../../src/stream/pieces.js'
import { DATA_HEADER_BYTES, PIECE } from '../../../src/stream/wire.js'
import { checkProperty } from '../support/check-property.js'

function piece(packet: Buffer, from: number, to: number): Buffer {
  const frame = Buffer.alloc(PIECE.bytes + to - from)
  frame.writeUInt16LE(from, PIECE.offset)
  frame.writeUInt16LE(packet.length, PIECE.total)
  packet.copy(frame, PIECE.bytes, from, to)
  return frame
}

test('a packet is whole when all its bytes are there, in whatever pieces and order they come', async () => {
  const cuts = fc.array(fc.tuple(fc.nat(299), fc.nat(299)), { maxLength: 30 })
  await checkProperty(
    fc.property(cuts, (ranges) => {
      const pool = new FramePool(400, 1 << 20)
      const pieces = new Pieces(pool, { noMemory: 0 })
      const packet = Buffer.from(Array.from({ length: 300 }, (_, i) => i & 255))
      const isHere = new Uint8Array(300)
      let isWhole = false
      for (const [one, other] of [...ranges, [0, 150], [149, 299]] as [number, number][]) {
        if (isWhole) break
        const [from, to] = [Math.min(one, other), Math.max(one, other) + 1]
        isHere.fill(1, from, to)
        const frame = piece(packet, from, to)
        const slot = pieces.add(7, frame, frame.length, false)
        isWhole = isHere.every((byte) => byte === 1)
        expect(slot !== undefined).toBe(isWhole)
        if (slot === undefined || slot === null) continue
        expect(slot.memory.subarray(DATA_HEADER_BYTES, slot.length).equals(packet)).toBe(true)
        pieces.release(slot)
      }
      expect(isWhole).toBe(true)
      expect(pool.takenBytes).toBe(0)
    }),
  )
})

test('pieces that contradict each other or themselves are nonsense', () => {
  const pool = new FramePool(400, 1 << 20)
  const pieces = new Pieces(pool, { noMemory: 0 })
  const first = piece(Buffer.alloc(300), 0, 10)
  expect(pieces.add(1, first, first.length, false)).toBe(undefined)
  const other = piece(Buffer.alloc(200), 0, 10)
  expect(pieces.add(1, other, other.length, false)).toBe(null)
  const beyond = piece(Buffer.alloc(300), 290, 300)
  beyond.writeUInt16LE(291, PIECE.offset)
  expect(pieces.add(2, beyond, beyond.length, false)).toBe(null)
  const huge = piece(Buffer.alloc(369), 0, 10)
  expect(pieces.add(3, huge, huge.length, false)).toBe(null)
  pieces.dispose()
  expect(pool.takenBytes).toBe(0)
})

test('the packet that all others wait for has a place, although another one holds the last', () => {
  const pool = new FramePool(400, 400)
  const counters = { noMemory: 0 }
  const pieces = new Pieces(pool, counters)
  const packet = Buffer.alloc(300, 7)
  const [first, second] = [piece(packet, 0, 200), piece(packet, 200, 300)]
  // The second piece of an earlier sending: it is never completed, as its first one always comes before it.
  expect(pieces.add(17, second, second.length, false)).toBe(undefined)
  expect(pieces.add(11, first, first.length, false)).toBe(undefined)
  expect(counters.noMemory).toBe(1)
  expect(pieces.add(10, first, first.length, true)).toBe(undefined)
  const whole = pieces.add(10, second, second.length, true)!
  expect(whole.memory.subarray(DATA_HEADER_BYTES, whole.length).equals(packet)).toBe(true)
  expect(counters.noMemory).toBe(1)
  pieces.release(whole)
  pieces.dispose()
  expect(pool.takenBytes).toBe(0)
})

test('a path is searched upwards, and downwards when it is suspected', () => {
  const mtu = new PathMtu(1472, 9000, 0)
  let limit = 8500
  let nowMs = 0
  const run = (untilMs: number): void => {
    for (; nowMs < untilMs; nowMs += 10) {
      const bytes = mtu.takeProbe(nowMs, 50)
      if (bytes > 0 && bytes <= limit) mtu.onAcknowledged(bytes, nowMs)
    }
  }
  run(1000)
  expect(mtu.frameBytes).toBe(8152)
  limit = 9000
  run(29_000)
  expect(mtu.frameBytes).toBe(8152)
  run(40_000)
  expect(mtu.frameBytes).toBe(9000)
  expect(mtu.deadlineMs).toBe(Infinity)
  // A false alarm changes nothing.
  mtu.suspect(nowMs)
  run(41_000)
  expect(mtu.frameBytes).toBe(9000)
  limit = 1400
  mtu.suspect(nowMs)
  run(43_000)
  expect(mtu.frameBytes).toBe(1400)
})
