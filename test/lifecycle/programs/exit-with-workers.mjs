// The process ends while workers send to themselves without end.
//   exit-with-workers.mjs exit|throw
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { UdpSocket } from 'geysir'

const WORKERS = 3

if (isMainThread) main()
else await flood()

function main() {
  let ready = 0
  for (let i = 0; i < WORKERS; i++) {
    new Worker(new URL(import.meta.url), { workerData: 'flood' }).on('message', () => {
      if (++ready < WORKERS) return
      if (process.argv[2] === 'throw') throw new Error('thrown in the main thread')
      process.exit(5)
    })
  }
}

async function flood() {
  if (workerData !== 'flood') throw new Error('not one of ours')
  for (let i = 0; i < 3; i++) {
    const socket = new UdpSocket()
    const own = await socket.bind({ address: '127.0.0.1' })
    socket.on('batch', (batch) => {
      for (let n = 0; n < batch.count; n++) socket.send('again', own)
      if (socket.stats().batchesReceived === 20 && i === 0) parentPort?.postMessage('ready')
    })
    for (let n = 0; n < 10; n++) socket.send('again', own)
  }
}
