// A program counts with statsd, in single datagrams and in buffered ones; a collector writes down what it gets.
const dgram = require('dgram')
const StatsD = require('hot-shots')
const { handles, serving, tell } = require('./witness.cjs')

const [role, port] = process.argv.slice(2)
const METRICS = 200

function serve() {
  const collector = dgram.createSocket('udp4')
  let metrics = 0
  let datagrams = 0
  collector.on('message', (message, rinfo) => {
    datagrams++
    metrics += String(message).trim().split('\n').length
    if (metrics === 2 * METRICS) collector.send(`${metrics} metrics, ${datagrams < 2 * METRICS}`, rinfo.port, rinfo.address)
  })
  collector.bind(0, '127.0.0.1', () => serving(collector.address().port, () => collector.close()))
}

async function ask() {
  const single = new StatsD({ host: '127.0.0.1', port: Number(port), errorHandler: fail })
  const buffered = new StatsD({
    host: '127.0.0.1',
    port: Number(port),
    maxBufferSize: 1000,
    bufferFlushInterval: 20,
    errorHandler: fail,
  })
  const sent = []
  for (let i = 0; i < METRICS; i++) {
    sent.push(
      new Promise((resolve) => {
        single.increment('requests', 1, ['route:home'], (error) => resolve(error ? fail(error) : 1))
      }),
    )
  }
  const reported = (await Promise.all(sent)).length
  const answer = new Promise((resolve) => buffered.socket.on('message', (message) => resolve(String(message))))
  for (let i = 0; i < METRICS; i++) buffered.timing('latency', i)
  // The last datagram leaves with the buffer's flush, and the answer comes to its sender.
  const seen = handles()
  const keepAlive = setInterval(() => undefined, 1000)
  const text = await answer
  clearInterval(keepAlive)
  await Promise.all([single, buffered].map((client) => new Promise((resolve) => client.close(resolve))))
  tell({ answer: `${reported} reported, ${text}`, handles: seen })
}

function fail(error) {
  console.error(error)
  process.exit(1)
}

if (role === 'serve') serve()
else ask()
