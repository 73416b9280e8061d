/** Counts what comes by a stream of udx-native, in messages of a given size. */
// @ts-expect-error -- it has no types
import UDX from 'udx-native'
import { ReceiveWindow, printLine, readOptions } from './contender.js'

interface UdxSocket {
  bind(port: number, host: string): void
  address(): { port: number }
}
interface UdxStream {
  connect(socket: unknown, remoteId: number, port: number, host: string): void
  on(event: 'data', listener: (chunk: Buffer) => void): void
  on(event: 'error', listener: () => void): void
}
type Firewall = (socket: unknown, port: number, host: string) => boolean

const options = readOptions()
const udx = new (
  UDX as new () => { createSocket(): UdxSocket; createStream(id: number, options: { firewall: Firewall }): UdxStream }
)()
const socket = udx.createSocket()
socket.bind(options.port, options.host)
const window = new ReceiveWindow(
  options,
  () => 0,
  () => setImmediate(() => process.exit()),
)
const stream = udx.createStream(1, {
  firewall: (from, port, host) => {
    stream.connect(from, 2, port, host)
    return false
  },
})
stream.on('data', (chunk) => {
  window.touched = (window.touched + chunk[0]! + chunk[chunk.length - 1]!) | 0
  window.bytes += chunk.length
  window.datagrams = window.bytes / options.bytes
  window.checkSometimes()
})
stream.on('error', () => undefined)
printLine({ port: socket.address().port, receiveBufferBytes: null })
