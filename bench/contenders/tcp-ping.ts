/** Measures round trips over TCP with node:net, one message in flight. */
import { connect } from 'node:net'
import { RoundTrips, readOptions } from './contender.js'

const options = readOptions()
const payload = Buffer.alloc(options.bytes)
const socket = connect({ host: options.host, port: options.port, noDelay: true })
const roundTrips = new RoundTrips(options)
let received = 0
socket.on('data', (chunk) => {
  received += chunk.length
  if (received < options.bytes) return
  received = 0
  if (!roundTrips.finish()) {
    socket.write(payload)
    return
  }
  roundTrips.print()
  socket.destroy()
})
socket.write(payload)
