// Memberships in workers that end in different ways, and in the main thread when the process ends.
import { once } from 'node:events'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { InterfaceMonitor, Membership, openMulticastSender } from 'geysir'

/** @param {InterfaceMonitor} monitor */
function open(monitor) {
  const membership = new Membership({ monitor })
  // More than one socket holds by default.
  for (let i = 1; i <= 25; i++) membership.join(`239.77.9.${i}`, { interfaces: ['lo'] })
  return membership
}

if (isMainThread) {
  for (let i = 0; i < 6; i++) {
    const worker = new Worker(new URL(import.meta.url))
    await once(worker, 'message')
    if (i % 2 === 0) await worker.terminate()
    else {
      worker.postMessage('end')
      await once(worker, 'exit')
    }
  }
  const monitor = new InterfaceMonitor()
  const membership = open(monitor)
  const sender = openMulticastSender({ group: { address: '239.77.9.25', port: membership.port }, ttl: 0 })
  sender.send('heard')
  membership.once('datagram', (payload) => console.log(payload.toString()))
  await once(membership, 'batch')
  await new Promise((resolve) => setImmediate(resolve))
  membership.on('batch', () => undefined)
  if (process.argv[2] === 'exit') process.exit(0)
  // And the process ends by itself.
  membership.unref()
  monitor.unref()
} else {
  open(new InterfaceMonitor()).on('batch', () => undefined)
  parentPort?.once('message', () => process.exit(0))
  parentPort?.postMessage('up')
}
