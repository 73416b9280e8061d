// Monitors of interfaces in workers that end in different ways, and in the main thread when the process ends.
import { once } from 'node:events'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { InterfaceMonitor, interfaces } from 'geysir'

if (isMainThread) {
  for (let i = 0; i < 10; i++) {
    const worker = new Worker(new URL(import.meta.url))
    await once(worker, 'message')
    if (i % 2 === 0) await worker.terminate()
    else {
      worker.postMessage('end')
      await once(worker, 'exit')
    }
  }
  const held = new InterfaceMonitor()
  new InterfaceMonitor().unref()
  console.log(`interfaces ${interfaces().length > 0}`)
  if (process.argv[2] === 'exit') process.exit(0)
  held.unref() // and the process ends by itself
} else {
  new InterfaceMonitor({ settleMs: 0 })
  interfaces()
  parentPort?.once('message', () => process.exit(0))
  parentPort?.postMessage('up')
}
