/**
 * What a client costs a responding server: `amount` clients, each of an address of its own (of 127.0.0.0/8, by one socket), ask once; then
 * one call announces to all of them. Needs --expose-gc.
 */
import { UdpSocket, endpoint, openLink } from 'geysir'
import { printLine, readOptions } from './contender.js'

const options = readOptions()
const count = options.amount
const server = await openLink({ kind: 'responder', role: 'server', localPort: 0, localAddress: '127.0.0.1', maxClients: count })
let known = 0
server.on('peer', () => known++)
const clients = new UdpSocket({ receiveBufferBytes: options.receiveBufferBytes })
await clients.bind({ address: '0.0.0.0' })
const target = endpoint('127.0.0.1', server.address().port)
// What the first datagrams cost once is not the clients' to pay.
await ask(0, 16)
const before = usedBytes()
const warm = known
await ask(16, count)
const bytesPerClient = (usedBytes() - before) / (known - warm)

const sentBefore = server.stats().datagramsSent
const startMs = performance.now()
server.announce(Buffer.alloc(options.bytes))
while (server.stats().datagramsSent - sentBefore < known) await turns()
const announceMs = performance.now() - startMs
printLine({ clients: known, bytesPerClient, announceMs })
process.exit()

async function ask(from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    clients.send('hello', target, { source: `127.${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}` })
    if (i % 64 === 63) await turns()
  }
  for (let tries = 0; known < to && tries < 1000; tries++) await turns()
}

async function turns(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise(setImmediate)
}

function usedBytes(): number {
  for (let i = 0; i < 4; i++) (globalThis as unknown as { gc: () => void }).gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
