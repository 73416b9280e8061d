/** Sends by a point-to-point link as fast as it goes, as geysir-source.ts does by its socket; one by one with --single. */
import { openLink } from 'geysir'
import { cpuSeconds, datagramsPerTurn, printLine, readOptions, segmentsPerMessage, untilStopped } from './contender.js'
import { offerOne, offerRun } from './in-place.js'

const options = readOptions()
const segments = segmentsPerMessage(options.bytes)
const turnDatagrams = datagramsPerTurn(segments)
let errors = 0

const link = await openLink({
  kind: 'point-to-point',
  role: 'client',
  serverHost: options.host,
  serverPort: options.port,
  localPort: options.port + 1,
  localInterface: options.host,
})
link.on('sendError', () => errors++)
const startMs = performance.now()
const stopped = untilStopped(options.amount, finish)
link.on('drain', turn)
turn()

function turn(): void {
  if (stopped()) return
  for (let offered = 0; offered < turnDatagrams;) {
    const taken = options.single ? offerOne(link, options.bytes) : offerRun(link, options.bytes, segments)
    if (taken === 0) return
    offered += taken
  }
  setImmediate(turn)
}

function finish(): void {
  const seconds = (performance.now() - startMs) / 1000
  const { datagramsSent: datagrams, bytesSent: bytes } = link.stats()
  printLine({ datagrams, bytes, seconds, cpuSeconds: cpuSeconds(), errors, offload: true })
  link.close()
}
