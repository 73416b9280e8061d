/** Counts what arrives by a point-to-point link, as geysir-sink.ts does by its socket. The source's port is the one after ours. */
import { createSocket } from 'node:dgram'
import { openLink, type ReceiveBatch } from 'geysir'
import { ReceiveWindow, printLine, readOptions } from './contender.js'
import { countBatch } from './in-place.js'

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
link.on('batch', (batch) => countBatch(window, batch as ReceiveBatch))
printLine({ port, receiveBufferBytes: 2 * options.receiveBufferBytes })

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
