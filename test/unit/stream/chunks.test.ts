import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Assembly } from '../../../src/stream/assembly.js'
import { AssemblyBudget, AssemblyShare } from '../../../src/stream/assembly-budget.js'
import { FramePool, type FrameSlot } from '../../../src/stream/frame-pool.js'
import { FrameWriter, longMessage } from '../../../src/stream/frame-writer.js'
import { CHUNK_FLAG, DATA, RESET_REASON } from '../../../src/stream/wire.js'
import { checkProperty } from '../support/check-property.js'

const FRAME_BYTES = 300

function unlimited(): AssemblyShare {
  return new AssemblyShare(new AssemblyBudget(1 << 30))
}

const onMemory = (): void => expect.unreachable()

/** Frames with these messages in them, as a sender fills them. */
function write(messages: readonly Uint8Array[]): FrameSlot[] {
  const pool = new FramePool(FRAME_BYTES, 1 << 20)
  const writer = new FrameWriter(FRAME_BYTES, 4)
  const slots: FrameSlot[] = []
  const begin = (): FrameSlot => {
    if (slots.length > 0) writer.pad(slots.at(-1)!)
    const slot = pool.take(true)!
    // Whatever the memory held before.
    slot.memory.fill(0xff)
    writer.begin(slot)
    slots.push(slot)
    return slot
  }
  for (const [i, message] of messages.entries()) {
    let slot = slots.at(-1) ?? begin()
    if (message.length <= writer.maxWholeBytes) {
      if (!writer.hasRoom(slot, message.length)) slot = begin()
      writer.writeWhole(slot, message, i & 255)
      continue
    }
    const long = longMessage(message, i & 255)
    while (long.offset < long.length) {
      if (!writer.isWorthAPiece(slot)) slot = begin()
      writer.writePiece(slot, long)
    }
  }
  return slots
}

const someMessages = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.uint8Array({ minLength: 200, maxLength: 1500 }),
    fc.constant(new Uint8Array(264)),
  ),
  { minLength: 1, maxLength: 40 },
)

test('messages come out of frames as they went in, whoever stops in between', async () => {
  await checkProperty(
    fc.property(someMessages, fc.integer({ min: 0, max: 5 }), (messages, stopEvery) => {
      const slots = write(messages)
      for (const slot of slots) expect(slot.length).toBeLessThanOrEqual(FRAME_BYTES - 4)
      let seen = 0
      const budget = new AssemblyBudget(1 << 30)
      const assembly = new Assembly(1 << 20, new AssemblyShare(budget), {
        onMemory,
        onMessage: (message, handler) => {
          expect([handler, Buffer.compare(message, messages[seen]!)]).toEqual([seen & 255, 0])
          seen++
          return stopEvery === 0 || seen % stopEvery !== 0
        },
      })
      for (const slot of slots) {
        for (let at: number = DATA.chunks; ; at = assembly.at) {
          const read = assembly.read(slot.memory, at, slot.length)
          expect(read).not.toBe(undefined)
          if (read) break
        }
      }
      expect(seen).toBe(messages.length)
      assembly.trim()
      expect(budget.takenBytes).toBe(0)
    }),
  )
})

test('after frames that are lost, only whole messages come out, and none twice', async () => {
  await checkProperty(
    fc.property(someMessages, fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }), (messages, lost) => {
      const seen: number[] = []
      const assembly = new Assembly(1 << 20, unlimited(), {
        onMemory,
        onMessage: (message, handler) => {
          expect(Buffer.compare(message, messages[handler]!)).toBe(0)
          seen.push(handler)
          return true
        },
      })
      for (const [i, slot] of write(messages).entries()) {
        if (lost[i % lost.length]) assembly.skip()
        else expect(assembly.read(slot.memory, DATA.chunks, slot.length)).toBe(true)
      }
      expect(seen).toEqual([...new Set(seen)].sort((one, other) => one - other))
    }),
  )
})

test('any bytes are read without an exception, and no more is kept than the budget gives', async () => {
  await checkProperty(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }), (frames) => {
      const budget = new AssemblyBudget(10_000)
      const assembly = new Assembly(10_000, new AssemblyShare(budget), { onMemory, onMessage: () => true })
      for (const bytes of frames) {
        const frame = Buffer.from(bytes)
        assembly.read(frame, 0, frame.length)
        expect(budget.takenBytes).toBeLessThanOrEqual(10_000)
      }
    }),
    3000,
  )
})

test.each([
  ['a middle piece of nothing', [CHUNK_FLAG.present, 0, 1, 0, 9], RESET_REASON.malformed],
  ['an unknown flag', [0x17, 0, 0, 0], RESET_REASON.malformed],
  ['a chunk beyond the frame', [7, 0, 9, 0, 1], RESET_REASON.malformed],
  ['a first piece that is longer than its message', [5, 0, 2, 0, 1, 0, 0, 0, 1, 2], RESET_REASON.malformed],
  ['a message longer than the limit', [5, 0, 1, 0, 0, 0, 1, 0, 1], RESET_REASON.messageTooLong],
])('%s is refused', (_, bytes, reason) => {
  const assembly = new Assembly(1000, unlimited(), { onMemory, onMessage: () => true })
  expect(assembly.read(Buffer.from(bytes), 0, bytes.length)).toBe(undefined)
  expect(assembly.failure).toBe(reason)
})
