import { Endpoint } from '../../../src/core/index.js'
import { MemoryPool } from '../../../src/fec/index.js'
import { ReceiverContext } from '../../../src/strokkur/receiver-context.js'
import { MessageTable, type TableLimits } from '../../../src/strokkur/message-table.js'
import type { DroppedMessage, MessageReceiverOptions, ReceivedMessage } from '../../../src/strokkur/index.js'

/** A table with what came of it. */
export interface Tabled {
  readonly table: MessageTable
  readonly pool: MemoryPool
  readonly messages: ReceivedMessage[]
  readonly dropped: DroppedMessage[]
}

export function makeTable(
  options: Partial<MessageReceiverOptions> & { limitBytes?: number } = {},
  limits: Partial<TableLimits> = {},
): Tabled {
  const pool = new MemoryPool(options.limitBytes ?? 64 << 20)
  const messages: ReceivedMessage[] = []
  const dropped: DroppedMessage[] = []
  const table = new MessageTable(
    new ReceiverContext({ format: 'compact', ...options, pool }),
    { ...LIMITS, ...limits },
    {
      onMessage: (message) => messages.push(message),
      onDropped: (drop) => dropped.push(drop),
      onEnded: () => undefined,
    },
  )
  return { table, pool, messages, dropped }
}

export function give({ table }: Tabled, chunk: Uint8Array, endpoint: Endpoint, nowMs = 0): void {
  table.receive(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length), endpoint, nowMs, 1.7e15)
}

export function peer(i: number): Endpoint {
  return Endpoint.of(`10.0.${i >> 8}.${i & 255}`, 1000 + i)
}

const LIMITS: TableLimits = {
  maxMessages: 4096,
  maxPeerMessages: 1024,
  maxPeerBytes: 64 << 20,
  expiryMs: 1000,
  rememberedMessages: 65_536,
}
