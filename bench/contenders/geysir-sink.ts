/** Counts what arrives with geysir: from a handler of batches, or of single datagrams. */
import { UdpSocket } from 'geysir'
import { ReceiveWindow, printLine, readOptions } from './contender.js'
import { countBatch } from './in-place.js'

const options = readOptions()
const socket = new UdpSocket({
  type: 'udp4',
  receiveBufferBytes: options.receiveBufferBytes,
  receiveOffload: options.offload,
  ...(options.batch === undefined ? {} : { receiveBatchMessages: options.batch }),
})
const window = new ReceiveWindow(
  options,
  () => socket.stats().kernelDrops,
  () => socket.close(),
)

if (options.mode === 'batch') socket.on('batch', (batch) => countBatch(window, batch))
else socket.on('datagram', countDatagram)
const { port } = await socket.bind({ port: options.port, address: options.host })
printLine({ port, receiveBufferBytes: socket.getOption('receiveBufferBytes') })

function countDatagram(payload: Buffer): void {
  window.touched = (window.touched + payload[0]! + payload[payload.length - 1]!) | 0
  window.datagrams++
  window.bytes += payload.length
  window.checkSometimes()
}
