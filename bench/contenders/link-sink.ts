/** Counts what arrives by a point-to-point link, as geysir-sink.ts does by its socket. The source's port is the one after ours. */
import { createSocket } from 'node:dgram'
import { openLink, type ReceiveBatch } from 'geysir'
import { ReceiveWindow, printLine, readOptions } from './contender.js'

const options = readOptions()
const port = await portPair()
const link = await openLink({
  kind: 'point-to-point',
  role: 'server',
  clientHost: options.host,
  clientPort: port + 1,
  localPort: port,
  localInterface: options.host,
  receiveBufferBytes: options.receiveBufferBytes,
})
const kernelDrops = 0
const window = new ReceiveWindow(
  options,
  () => kernelDrops,
  () => link.close(),
)
// A raw link hands on the batches of its socket.
link.on('batch', (batch) => countBatch(batch as ReceiveBatch))
printLine({ port, receiveBufferBytes: 2 * options.receiveBufferBytes })

function countBatch(batch: ReceiveBatch): void {
  const { slab, count } = batch
  let { touched } = window
  for (let i = 0; i < count; i++) {
    const offset = batch.offset(i)
    touched = (touched + slab[offset]! + slab[offset + batch.length(i) - 1]!) | 0
  }
  window.touched = touched
  window.datagrams += count
  window.bytes += batch.bytes
  window.checkSometimes()
}

/** A free port with a free port after it. */
async function portPair(): Promise<number> {
  for (;;) {
    const first = await bind(0)
    const found = first.address().port
    const second = await bind(found + 1).catch(() => undefined)
    first.close()
    second?.close()
    if (second !== undefined) return found
  }
}

function bind(wanted: number): Promise<ReturnType<typeof createSocket>> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', reject)
    socket.bind(wanted, options.host, () => resolve(socket))
  })
}
