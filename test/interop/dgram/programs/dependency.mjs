// A module imports a CommonJS package whose own dependency requires dgram, and one that does so itself.
import dns2 from 'dns2'
import multicastDns from 'multicast-dns'
import coap from 'coap'
import witness from './witness.cjs'

const server = dns2.createUDPServer(() => undefined)
const mdns = multicastDns({ port: 0, multicast: false, bind: '127.0.0.1' })
const agent = new coap.Agent({ type: 'udp4' })
setImmediate(() => {
  witness.tell({ handles: witness.handles() })
  server.close()
  mdns.destroy()
  agent.close()
})
