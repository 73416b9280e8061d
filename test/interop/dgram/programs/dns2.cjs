// A name server, and a client that asks it three questions at once.
const { UDPClient, Packet, createServer } = require('dns2')
const { handles, serving, tell } = require('./witness.cjs')

const [role, port] = process.argv.slice(2)

function serve() {
  const server = createServer({
    udp: true,
    handle: (request, send) => {
      const response = Packet.createResponseFromRequest(request)
      const [{ name }] = request.questions
      response.answers.push({ name, type: Packet.TYPE.A, class: Packet.CLASS.IN, ttl: 300, address: `192.0.2.${name.length}` })
      send(response)
    },
  })
  server.on('listening', ({ udp }) => serving(udp.port, () => server.close()))
  server.listen({ udp: { port: 0, address: '127.0.0.1' } })
}

async function ask() {
  const resolve = UDPClient({ dns: '127.0.0.1', port: Number(port) })
  const names = ['a.test', 'bc.test', 'def.test']
  const answers = Promise.all(names.map((name) => resolve(name)))
  await new Promise(setImmediate)
  const seen = handles()
  const addresses = (await answers).map(({ answers: [answer] }) => answer.address)
  tell({ answer: addresses.join(' '), handles: seen })
}

if (role === 'serve') serve()
else ask()
