import { expect } from 'vitest'
import { SeededRandom, randomBelow, randomFill, type Random } from '../../../src/core/index.js'
import { MemoryPool } from '../../../src/fec/index.js'
import {
  MessageReceiver,
  MessageSender,
  type MessageFormat,
  type MessageReceiverOptions,
  type MessageSenderOptions,
} from '../../../src/strokkur/index.js'

export const KEY = Buffer.from('a preshared secret of some bytes')

/** A message and its chunks, as they leave. */
export interface Sent {
  readonly message: Uint8Array
  readonly id: Uint8Array
  readonly chunks: Uint8Array[]
  /** The first ones are the message, the others redundant. */
  readonly chunkCount: number
}

export interface Wanted extends MessageSenderOptions {
  readonly bytes: number
  readonly redundantChunks?: number
  readonly maxDatagramBytes?: number
}

const senders = new Map<string, MessageSender>()

/** The chunks of a random message. */
export function sendMessage(random: Random, wanted: Wanted): Sent {
  const { bytes, redundantChunks = 0, maxDatagramBytes = 140, ...options } = wanted
  const message = new Uint8Array(bytes)
  randomFill(random, message)
  const id = new Uint8Array(16)
  randomFill(random, id)
  const name = `${options.format} ${options.hash} ${options.key !== undefined}`
  let sender = senders.get(name)
  if (sender === undefined) senders.set(name, (sender = new MessageSender(options)))
  sender.init(message, {
    id,
    redundantChunks,
    timestampMicroseconds: 1.7e15 + randomBelow(random, 1e6),
    maxDatagramBytes,
    random,
  })
  const { chunkCount } = sender
  const chunks: Uint8Array[] = []
  for (let state = 'more'; state !== 'done';) {
    const chunk = new Uint8Array(sender.nextBytes)
    state = sender.pump(chunk)
    chunks.push(chunk)
  }
  return { message, id, chunks, chunkCount }
}

export function makeReceiver(
  format: MessageFormat,
  options: Partial<MessageReceiverOptions> = {},
): { receiver: MessageReceiver; pool: MemoryPool } {
  const pool = options.pool ?? new MemoryPool(64 << 20)
  return { receiver: new MessageReceiver({ format, pool, ...options }), pool }
}

/** Gives chunks to a receiver until it is ready, and returns the message. */
export function receiveMessage(receiver: MessageReceiver, chunks: readonly Uint8Array[]): Uint8Array | undefined {
  for (const chunk of chunks) {
    const result = receiver.initialised ? receiver.addChunk(chunk) : receiver.init(chunk)
    if (result !== 'ready') continue
    const into = new Uint8Array(receiver.extract())
    receiver.extract(into)
    return into
  }
  return undefined
}

export function seeded(seed: number): Random {
  return new SeededRandom(seed)
}

export function without<T>(items: readonly T[], ...lost: number[]): T[] {
  return items.filter((_, i) => !lost.includes(i))
}

/** `toEqual` looks at each byte by itself, which takes seconds for megabytes. */
export function expectSame(received: Uint8Array | undefined, message: Uint8Array): void {
  expect(received?.length).toBe(message.length)
  expect(Buffer.compare(received!, message), 'the bytes are the same').toBe(0)
}
