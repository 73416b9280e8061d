import { expect, test } from 'vitest'
import { SeededRandom } from '../../../src/core/index.js'
import { AssemblyBudget, AssemblyShare } from '../../../src/stream/assembly-budget.js'
import { FramePool, FrameSlot } from '../../../src/stream/frame-pool.js'
import { GroupReceiving } from '../../../src/stream/group-receiving.js'
import { ReceiveHalf } from '../../../src/stream/receive-half.js'
import { encodeRepair } from '../../../src/stream/repair-code.js'
import { RoundTrip } from '../../../src/stream/round-trip.js'
import { EMPTY_MASK, withBit } from '../../../src/stream/span-mask.js'
import { DATA_HEADER_BYTES, PIECE } from '../../../src/stream/wire.js'

const FRAME_BYTES = 1200
const roundTrip = new RoundTrip()

/** A receiver of a multicast group that reads everything. Packet i is one message, which is i. */
class Receiver {
  readonly messages: number[] = []
  readonly group: GroupReceiving
  readonly half: ReceiveHalf

  constructor(memoryBytes = 1 << 20) {
    const context = {
      pool: new FramePool(FRAME_BYTES, memoryBytes),
      roundTrip,
      memory: new AssemblyShare(new AssemblyBudget(1 << 20)),
      maxMessageBytes: 1000,
    }
    const owner = {
      onMessage: (message: Buffer) => void this.messages.push(message.readUInt32LE()),
      onGap: () => undefined,
      onEnd: () => undefined,
      onResumed: () => undefined,
      onFailure: () => expect.unreachable(),
    }
    const terms = { group: 1, receivers: 1, backOff: 0 }
    const random = new SeededRandom(1)
    this.group = new GroupReceiving({ terms, endpoint: '239.1.2.3:5000', historyBytes: 1 << 18, random }, context)
    this.half = new ReceiveHalf(
      { kind: 'reliable', windowPackets: 1000, windowBytes: 1000 * FRAME_BYTES, ordered: true },
      context,
      owner,
      { position: 0, counters: undefined, isPaused: true },
      this.group.schedules,
    )
    this.group.attach(this.half, owner)
    this.half.resume()
  }

  data(packet: number): void {
    const { memory, length } = frameOf(packet)
    this.group.onData(packet, 0, 1, memory, length, 0)
  }

  repair(...packets: number[]): void {
    const frame = Buffer.alloc(FRAME_BYTES)
    this.group.onRepair(0, frame, encodeRepair(frame, packets.reduce(withBit, EMPTY_MASK), frameOf), 0)
  }

  /** A whole packet, as a piece that is all of it. */
  piece(packet: number): void {
    const { memory, length } = frameOf(packet)
    const bytes = length - DATA_HEADER_BYTES
    const frame = Buffer.alloc(PIECE.bytes + bytes)
    frame.writeUInt16LE(bytes, PIECE.total)
    memory.copy(frame, PIECE.bytes, DATA_HEADER_BYTES, length)
    this.group.onPiece(packet, 1, 1, frame, frame.length, 0)
  }

  /** What it asks for, for as long as nothing comes, time by time. */
  asks(times: number): number[][] {
    return Array.from({ length: times }, () =>
      this.half.takeNak(this.half.deadlineMs).flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i)),
    )
  }
}

function frameOf(packet: number): FrameSlot {
  const slot = new FrameSlot(Buffer.alloc(FRAME_BYTES))
  slot.memory.writeUInt32LE(0x0004_0007, DATA_HEADER_BYTES)
  slot.memory.writeUInt32LE(packet, DATA_HEADER_BYTES + 4)
  slot.length = DATA_HEADER_BYTES + 8
  return slot
}

test('what follows from other packets is not asked for, until they have not come for some time', () => {
  const receiver = new Receiver()
  for (const packet of [0, 2, 4]) receiver.data(packet)
  receiver.repair(0, 1, 2, 3)
  expect(receiver.asks(3)).toEqual([[3], [3], [3]])
  // There may be no memory for 3 before 1 is here.
  expect(receiver.asks(2).flat()).toContain(1)
  receiver.data(1)
  expect(receiver.messages).toEqual([0, 1, 2, 3, 4])
})

test('a packet that came in pieces is no reason to wait for what would follow from it', () => {
  const receiver = new Receiver()
  for (const packet of [0, 2, 4]) receiver.data(packet)
  receiver.repair(0, 1, 2, 3)
  receiver.piece(3)
  expect(receiver.asks(1)).toEqual([[1]])
  receiver.piece(1)
  expect(receiver.messages).toEqual([0, 1, 2, 3, 4])
})

test('what is kept to be taken out of repairs gives way to packets that wait for others', () => {
  const receiver = new Receiver(4 * FRAME_BYTES)
  for (const packet of [0, 1, 2, 3]) receiver.data(packet)
  for (const packet of [5, 6, 7]) receiver.data(packet)
  expect(receiver.half.counters.noMemory).toBe(0)
  receiver.data(4)
  expect(receiver.messages).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
})
