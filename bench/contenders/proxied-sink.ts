/** Counts the datagrams that arrive over TCP, by a proxied link. */
import { openLink } from 'geysir'
import { ReceiveWindow, printLine, readOptions } from './contender.js'

const options = readOptions()
const link = await openLink({ kind: 'proxied', role: 'server', host: options.host, port: 0, framing: 'length' })
const window = new ReceiveWindow(
  options,
  () => 0,
  () => link.close(),
)
link.on('batch', (batch) => {
  let { touched } = window
  for (let i = 0; i < batch.count; i++) {
    const payload = batch.payload(i)
    touched = (touched + payload[0]! + payload[payload.length - 1]!) | 0
  }
  window.touched = touched
  window.datagrams += batch.count
  window.bytes += batch.bytes
  window.checkSometimes()
})
printLine({ port: link.address()!.port, receiveBufferBytes: 2 * options.receiveBufferBytes })
