/** Sends datagrams over TCP as fast as it goes, by a proxied link. */
import { openLink } from 'geysir'
import { cpuSeconds, printLine, readOptions, untilStopped } from './contender.js'
import { offerOne } from './in-place.js'

const DATAGRAMS_A_TURN = 4096

const options = readOptions()
const link = await openLink({ kind: 'proxied', role: 'client', host: options.host, port: options.port, framing: 'length' })
const startMs = performance.now()
const stopped = untilStopped(options.amount, finish)
link.on('drain', turn)
turn()

function turn(): void {
  if (stopped()) return
  for (let offered = 0; offered < DATAGRAMS_A_TURN; offered++) {
    if (offerOne(link, options.bytes) === 0) return
  }
  setImmediate(turn)
}

function finish(): void {
  const seconds = (performance.now() - startMs) / 1000
  const { datagramsSent: datagrams, bytesSent: bytes } = link.stats()
  printLine({ datagrams, bytes, seconds, cpuSeconds: cpuSeconds(), errors: 0 })
  process.exit()
}
