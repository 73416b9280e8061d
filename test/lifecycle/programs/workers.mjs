// Worker threads open sockets and end in several ways. Prints what was seen.
//   workers.mjs exit|terminate|natural|throw|parallel [ROUNDS]
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { UdpSocket } from 'geysir'

const openDescriptors = () => readdirSync('/proc/self/fd').length

if (isMainThread) await main(process.argv[2], Number(process.argv[3] ?? 4))
else await work(workerData)

/**
 * @param {string | undefined} kind
 * @param {number} rounds
 */
async function main(kind, rounds) {
  const sender = new UdpSocket()
  const own = new UdpSocket()
  const ownEndpoint = await own.bind({ address: '127.0.0.1' })
  own.on('batch', () => undefined)
  // The first worker opens what a thread opens once.
  await lifeOf(kind, sender)
  const before = openDescriptors()
  const codes = new Set()
  let heard = 0
  if (kind === 'parallel') {
    for (const life of await Promise.all(Array.from({ length: rounds }, () => lifeOf(kind, sender)))) {
      codes.add(life.code)
      heard += life.heard
    }
  } else {
    for (let i = 0; i < rounds; i++) {
      const life = await lifeOf(kind, sender)
      codes.add(life.code)
      heard += life.heard
    }
  }
  // The sockets of this thread are none the worse for it.
  sender.send('still here', ownEndpoint)
  await once(own, 'batch')
  const leaked = openDescriptors() - before
  sender.close()
  own.close()
  console.log(JSON.stringify({ codes: [...codes], leaked, heard }))
}

/**
 * @param {string | undefined} kind
 * @param {UdpSocket} sender
 */
async function lifeOf(kind, sender) {
  const worker = new Worker(new URL(import.meta.url), { workerData: { kind } })
  /** @type {string[]} */
  const errors = []
  worker.on('error', (error) => errors.push(error.message))
  // Not events.once: it would reject at 'error'.
  const exited = new Promise((resolve) => worker.on('exit', resolve))
  let heard = 0
  worker.on('message', async (message) => {
    if (typeof message === 'number') heard = message
    if (!Array.isArray(message)) return
    const traffic = () => {
      for (let i = 0; i < 50; i++) for (const port of message) sender.send(`${i}`, { address: '127.0.0.1', port })
      sender.flush()
    }
    traffic()
    if (kind !== 'terminate') return
    // Under traffic: some of it before, some after.
    setImmediate(() => {
      traffic()
      void worker.terminate()
      traffic()
    })
  })
  const code = await exited
  return { code: errors.length > 0 ? `${code}: ${errors.join()}` : code, heard }
}

/** @param {{ kind: string }} data */
async function work({ kind }) {
  const parent = /** @type {import('node:worker_threads').MessagePort} */ (parentPort)
  const sockets = Array.from({ length: 5 }, (_, i) => new UdpSocket(i % 2 === 0 ? {} : { type: 'udp6' }))
  const ports = []
  let heard = 0
  for (const socket of sockets) {
    ports.push((await socket.bind()).port)
    socket.on('batch', (batch) => {
      heard += batch.count
      // A collector's work, while the thread may end.
      if (heard % 7 === 0) batch.retain()
      socket.send('answer', batch.endpoint(0))
      if (kind === 'exit') process.exit(3)
      if (kind === 'throw') throw new Error('thrown in a worker')
      if (heard === 250 && (kind === 'parallel' || kind === 'natural')) {
        parent.postMessage(heard)
        for (const each of sockets) each.close()
      }
    })
  }
  // Opened and never closed: one idle, one with a signal, one unreferenced.
  new UdpSocket()
  new UdpSocket({ signal: new AbortController().signal })
  new UdpSocket().unref().on('batch', () => undefined)
  parent.postMessage(ports)
}
