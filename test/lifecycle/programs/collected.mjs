// Run with --expose-gc. Sockets that nobody holds are collected with their descriptors, unless they listen.
import { readdirSync } from 'node:fs'
import { UdpSocket } from 'geysir'

/** Exposed by --expose-gc. */
const collect = /** @type {() => void} */ (globalThis.gc)

const count = () => readdirSync('/proc/self/fd').length

/**
 * Until `done`, or until it is clear that it will never be.
 *
 * @param {() => boolean} done
 */
async function collectUntil(done) {
  for (let i = 0; i < 50 && !done(); i++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** @param {(socket: UdpSocket) => Promise<void>} [prepare] */
async function openAndDrop(prepare) {
  for (let i = 0; i < 20; i++) {
    const socket = new UdpSocket()
    await prepare?.(socket)
  }
}

/** @type {Record<string, number>} */
const result = {}
new UdpSocket().close()
const before = count()

await openAndDrop()
result.opened = count() - before
await collectUntil(() => count() === before)
result.idleLeft = count() - before

await openAndDrop(async (socket) => {
  await socket.bind({ address: '127.0.0.1' })
  socket.send('x', { address: '127.0.0.1', port: socket.address().port })
  const listener = () => undefined
  socket.on('batch', listener)
  await new Promise((resolve) => setImmediate(resolve))
  socket.off('batch', listener)
})
await collectUntil(() => count() === before)
result.usedLeft = count() - before

// Nobody holds these but the loop that polls them.
/** @type {number[]} */
const ports = []
let heard = 0
/** @type {() => void} */
let allHeard
/** @type {Promise<void>} */
const heardAll = new Promise((resolve) => (allHeard = resolve))
await openAndDrop(async (socket) => {
  socket.on('batch', () => {
    if (++heard === 20) allHeard()
  })
  ports.push((await socket.bind({ address: '127.0.0.1' })).port)
})
await collectUntil(() => count() === before)
result.listeningLeft = count() - before
const sender = new UdpSocket()
for (const port of ports) sender.send('still there?', { address: '127.0.0.1', port })
await heardAll
result.heard = heard

// A signal that is still there holds what it would close.
const controller = new AbortController()
const signalled = count()
await openAndDrop()
new UdpSocket({ signal: controller.signal })
await collectUntil(() => count() === signalled)
controller.abort()
result.signalledLeft = count() - signalled

console.log(JSON.stringify(result))
process.exit()
