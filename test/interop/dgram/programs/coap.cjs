// A resource in memory, read and written with confirmable requests; one answer is longer than a datagram, so that it comes in blocks.
const coap = require('coap')
const { handles, serving, tell } = require('./witness.cjs')

const [role, port] = process.argv.slice(2)
const LONG = 'x'.repeat(3000)

function serve() {
  const server = coap.createServer({ type: 'udp4' }, (request, response) => {
    if (request.url === '/long') response.end(LONG)
    else response.end(`${request.method} ${request.url} ${request.payload}`)
  })
  server.listen(0, '127.0.0.1', () => serving(server._sock.address().port, () => server.close()))
}

async function ask() {
  const agent = new coap.Agent({ type: 'udp4' })
  const answers = [
    await fetched(agent, { method: 'GET', pathname: '/short' }),
    await fetched(agent, { method: 'PUT', pathname: '/short' }, 'hot'),
    (await fetched(agent, { method: 'GET', pathname: '/long' })) === LONG,
  ]
  tell({ answer: answers.join('; '), handles: handles() })
  agent.close()
}

function fetched(agent, options, payload = '') {
  return new Promise((resolve, reject) => {
    const request = coap.request({ ...options, agent, host: '127.0.0.1', port: Number(port) })
    request.on('error', reject)
    request.on('response', (response) => {
      const parts = []
      response.on('data', (part) => parts.push(part))
      response.on('end', () => resolve(String(Buffer.concat(parts))))
    })
    request.end(payload)
  })
}

if (role === 'serve') serve()
else ask()
