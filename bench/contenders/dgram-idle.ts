/**
 * Opens sockets with node:dgram or the drop-in, binds them and lets them be. Says how much resident memory each takes.
 *
 *   dgram-idle sockets [--drop-in]     with node --expose-gc
 */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { printLine } from './contender.js'
import { createSocket } from './dgram-module.js'

const { positionals } = parseArgs({ allowPositionals: true, options: { 'drop-in': { type: 'boolean' } } })
const count = Number(positionals[0])
const sockets: ReturnType<typeof createSocket>[] = []

// What the first ones take is code, compiled once, and memory that all sockets share.
await openMore(100)
await collect()
const before = process.memoryUsage()
await openMore(count)
await collect()
const after = process.memoryUsage()
printLine({
  residentBytes: (after.rss - before.rss) / count,
  heapBytes: (after.heapUsed - before.heapUsed) / count,
  externalBytes: (after.external - before.external) / count,
})
process.exit(0)

async function openMore(more: number): Promise<void> {
  for (let i = 0; i < more; i++) {
    const socket = createSocket('udp4', () => undefined)
    sockets.push(socket)
    await once(socket.bind(0, '127.0.0.1'), 'listening')
    await turnOfLoop()
  }
}

/** Handles are freed when the loop has closed them. */
async function collect(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await turnOfLoop()
    globalThis.gc!()
  }
}

function turnOfLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
