// Two workers share one port, as only Node's own handles can; each has another port for itself.
import cluster from 'node:cluster'
import dgram from 'node:dgram'
import { once } from 'node:events'
import witness from './witness.cjs'

const QUESTIONS = 50
if (cluster.isPrimary) await lead()
else await serve()

async function lead() {
  const workers = [cluster.fork(), cluster.fork()]
  const told = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]))
  const asker = dgram.createSocket('udp4')
  let answers = 0
  const allAnswered = new Promise((resolve) => {
    asker.on('message', function count() {
      if (++answers < QUESTIONS) return
      asker.off('message', count)
      resolve()
    })
  })
  for (let i = 0; i < QUESTIONS; i++) asker.send('?', told[0].shared, '127.0.0.1')
  await allAnswered
  const exclusive = []
  for (const { own } of told) {
    asker.send('?', own, '127.0.0.1')
    const [message] = await once(asker, 'message')
    exclusive.push(String(message))
  }
  asker.close()
  witness.tell({ samePort: told[0].shared === told[1].shared, handles: told.map(({ handles }) => handles), answers, exclusive })
  cluster.disconnect()
}

async function serve() {
  const shared = dgram.createSocket('udp4')
  const own = dgram.createSocket('udp4')
  shared.on('message', (message, { port, address }) => shared.send('!', port, address))
  own.on('message', (message, { port, address }) => own.send('own', port, address))
  const listening = [once(shared, 'listening'), once(own, 'listening')]
  shared.bind(0, '127.0.0.1')
  own.bind({ port: 0, address: '127.0.0.1', exclusive: true })
  await Promise.all(listening)
  process.once('disconnect', () => own.close()) // the other one is the cluster's to close
  process.send({ shared: shared.address().port, own: own.address().port, handles: [shared, own].map(witness.handleName) })
}
