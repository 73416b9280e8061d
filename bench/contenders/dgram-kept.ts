/**
 * Receives messages with node:dgram or the drop-in and keeps some of them. Says how many bytes each kept message retains.
 *
 *   dgram-kept kept bytes one-of [--drop-in]     with node --expose-gc
 *
 * `one-of` 64 keeps every 64th message.
 */
import { createSocket as createSender } from 'node:dgram'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { printLine } from './contender.js'
import { createSocket } from './dgram-module.js'

/** Few enough for any receive buffer. */
const BURST = 64

const { positionals } = parseArgs({ allowPositionals: true, options: { 'drop-in': { type: 'boolean' } } })
const [kept, bytes, oneOf] = positionals.map(Number) as [number, number, number]

const sender = createSender('udp4')
const receiver = createSocket('udp4')
await once(receiver.bind(0, '127.0.0.1'), 'listening')
sender.connect(receiver.address().port, '127.0.0.1')
await once(sender, 'connect')

const payload = Buffer.alloc(bytes, 1)
const messages: Buffer[] = new Array<Buffer>(kept)
let keptCount = 0
let received = 0
let onBurst: (() => void) | undefined
let keeping = false
receiver.on('message', (message) => {
  if (keeping && received % oneOf === 0 && keptCount < kept) messages[keptCount++] = message
  if (++received % BURST === 0) onBurst?.()
})

// Without keeping any: what the sockets themselves need.
for (let i = 0; i < 200; i++) await burst()
collect()
const before = process.memoryUsage()
keeping = true
while (keptCount < kept) await burst()
collect()
const after = process.memoryUsage()
const [heapBytes, externalBytes, residentBytes] = [
  (after.heapUsed - before.heapUsed) / kept,
  (after.external - before.external) / kept,
  (after.rss - before.rss) / kept,
]
printLine({ heapBytes, externalBytes, residentBytes, retainedBytes: heapBytes + externalBytes, checked: messages.length })
process.exit(0)

async function burst(): Promise<void> {
  const done = new Promise<void>((resolve) => (onBurst = resolve))
  for (let i = 0; i < BURST; i++) sender.send(payload)
  await done
}

function collect(): void {
  for (let i = 0; i < 3; i++) globalThis.gc!()
}
