import { expect } from 'vitest'
import { Endpoint, SeededRandom, randomFill } from '../../src/core/index.js'
import { MemoryPool } from '../../src/fec/index.js'
import { MessageSender, type MessageFormat } from '../../src/strokkur/index.js'
import { ReceiverContext } from '../../src/strokkur/receiver-context.js'
import { MessageTable } from '../../src/strokkur/message-table.js'

/** Messages that fuzzing begins with. Their digests cannot be found by chance: nothing but these may ever be delivered. */
const MESSAGES = [1, 100, 700, 20_000].map((bytes) => {
  const message = new Uint8Array(bytes)
  randomFill(new SeededRandom(bytes), message)
  return message
})
const DELIVERABLE = new Set(MESSAGES.map((message) => Buffer.from(message).toString('latin1')))

/** Inputs to begin with: each message in each format, in order, with losses, with repetitions. */
export function seedInputs(): Buffer[] {
  const random = new SeededRandom(1)
  const inputs: Buffer[] = []
  for (const format of ['classic', 'compact'] as const) {
    const sender = new MessageSender({ format })
    for (const message of MESSAGES) {
      const id = new Uint8Array(16)
      randomFill(random, id)
      sender.init(message, {
        id,
        redundantChunks: 4,
        timestampMicroseconds: 1e15,
        maxDatagramBytes: message.length > 1000 ? 1472 : 140,
        random,
      })
      const datagrams: Buffer[] = []
      while (sender.initialised) {
        const datagram = Buffer.alloc(sender.nextBytes)
        sender.pump(datagram)
        datagrams.push(datagram)
      }
      inputs.push(pack(format, datagrams), pack(format, datagrams.slice(1)), pack(format, [...datagrams, ...datagrams].reverse()))
    }
  }
  return inputs
}

/** An input: flags, then datagrams, each after its length. */
function pack(format: MessageFormat, datagrams: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [Buffer.from([format === 'classic' ? 0 : 1])]
  for (const datagram of datagrams) {
    const length = Buffer.alloc(2)
    length.writeUInt16LE(datagram.length)
    parts.push(length, datagram)
  }
  return Buffer.concat(parts)
}

/** Gives an input to a table, and checks what must always hold. */
export function runInput(input: Buffer): void {
  const flags = input[0] ?? 0
  const format = (flags & 1) === 0 ? 'classic' : 'compact'
  const acceptUnhashed = format === 'classic' && (flags & 2) !== 0
  const pool = new MemoryPool((flags & 4) === 0 ? 1 << 20 : 30_000)
  const context = new ReceiverContext({ format, pool, acceptUnhashed, maxMessageBytes: 500_000 })
  let ended = 0
  const table = new MessageTable(context, LIMITS, {
    onMessage: ({ bytes, hash }) => {
      if (hash !== 'none' && !DELIVERABLE.has(bytes.toString('latin1'))) throw new Error('a wrong message was delivered')
    },
    onDropped: () => undefined,
    onEnded: () => ended++,
  })
  let nowMs = 0
  for (let at = 1; at + 2 <= input.length;) {
    const length = input.readUInt16LE(at)
    const datagram = input.subarray(at + 2, at + 2 + length)
    at += 2 + length
    table.receive(Buffer.from(datagram), PEERS[datagram.length % PEERS.length]!, nowMs++, 1e15)
    expect(pool.usedBytes).toBeLessThanOrEqual(pool.limitBytes)
    expect(table.messages).toBeLessThanOrEqual(LIMITS.maxMessages)
  }
  table.expire(1e9)
  const { chunksReceived, chunksUsed, chunksRejected } = table.counters
  expect(chunksReceived).toBe(chunksUsed + Object.values(chunksRejected).reduce((sum, count) => sum + count))
  expect(ended).toBeLessThanOrEqual(chunksUsed)
  expect([pool.usedBytes, table.messages, table.peers]).toEqual([0, 0, 0])
}

const PEERS = [Endpoint.of('10.0.0.1', 1), Endpoint.of('::1', 2)]
const LIMITS = { maxMessages: 8, maxPeerMessages: 6, maxPeerBytes: 1 << 19, expiryMs: 100, rememberedMessages: 16 }
