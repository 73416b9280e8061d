// A service is announced on the loopback interface, asked for, and answered.
const dgram = require('dgram')
const multicastDns = require('multicast-dns')
const { handles, serving, tell } = require('./witness.cjs')

const [role, port] = process.argv.slice(2)
// Not the port of real mDNS: the machine may run one.
const on = (chosen) => multicastDns({ port: Number(chosen), interface: '127.0.0.1', bind: '0.0.0.0' })

function serve() {
  const probe = dgram.createSocket('udp4')
  probe.bind(0, () => {
    const { port: free } = probe.address()
    probe.close(() => answerOn(free))
  })
}

function answerOn(chosen) {
  const mdns = on(chosen)
  mdns.on('query', (query) => {
    const [question] = query.questions
    if (question.name !== 'geyser.local') return
    mdns.respond({
      answers: [
        { name: 'geyser.local', type: 'A', ttl: 120, data: '192.0.2.7' },
        { name: 'geyser.local', type: 'TXT', ttl: 120, data: Buffer.from('a'.repeat(200)) },
      ],
    })
  })
  mdns.on('ready', () => serving(chosen, () => mdns.destroy()))
}

function ask() {
  const mdns = on(port)
  mdns.on('response', (response, rinfo) => {
    const [address, text] = response.answers
    tell({
      answer: `${address.data} ${String(text.data).length} from ${rinfo.address} ${rinfo.port === Number(port)} ${rinfo.family}`,
      handles: handles(),
    })
    mdns.destroy()
  })
  mdns.on('ready', () => mdns.query('geyser.local', 'A'))
}

if (role === 'serve') serve()
else ask()
