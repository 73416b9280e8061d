/** Sends by a point-to-point link as fast as it goes, as geysir-source.ts does by its socket; one by one with --single. */
import { openLink } from 'geysir'
import { cpuSeconds, datagramsPerTurn, printLine, readOptions, segmentsPerMessage, untilStopped } from './contender.js'

const options = readOptions()
const segments = segmentsPerMessage(options.bytes)
const turnDatagrams = datagramsPerTurn(segments)
let value = 0
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
    const taken = options.single ? offerOne() : offerRun()
    if (taken === 0) return
    offered += taken
  }
  setImmediate(turn)
}

function offerRun(): number {
  const payloads = link.reserveRun(options.bytes, segments)
  if (payloads === undefined) return 0
  for (let at = 0; at < payloads.length; at += options.bytes) {
    value = (value + 1) & 0xff
    payloads[at] = payloads[at + options.bytes - 1] = value
  }
  link.commitRun()
  return payloads.length / options.bytes
}

function offerOne(): number {
  const payload = link.reserve(options.bytes)
  if (payload === undefined) return 0
  value = (value + 1) & 0xff
  payload[0] = payload[options.bytes - 1] = value
  link.commit()
  return 1
}

function finish(): void {
  const seconds = (performance.now() - startMs) / 1000
  const { datagramsSent: datagrams, bytesSent: bytes } = link.stats()
  printLine({ datagrams, bytes, seconds, cpuSeconds: cpuSeconds(), errors, offload: true })
  link.close()
}
