/** Sends with geysir as fast as it goes: payloads written in place in runs, one by one with --single, or copied with --copy. */
import { UdpSocket } from 'geysir'
import { cpuSeconds, datagramsPerTurn, printLine, readOptions, segmentsPerMessage, untilStopped } from './contender.js'
import { offerOne, offerRun } from './in-place.js'

/** Datagrams written at once where nothing coalesces. */
const PLAIN_RUN = 64

const options = readOptions()
const socket = new UdpSocket({ type: 'udp4', sendOffload: options.offload })
// With --batch the source flushes by itself, after as many datagrams as so many messages hold.
const segments = options.offload ? segmentsPerMessage(options.bytes) : 1
const turnDatagrams = datagramsPerTurn(segments)
const datagramsPerFlush = options.batch === undefined ? Infinity : options.batch * segments
const copied = Buffer.alloc(options.bytes)
let unflushed = 0
let value = 0
let errors = 0

socket.on('sendError', () => errors++)
socket.on('peerError', () => errors++)
await socket.connect({ address: options.host, port: options.port })
const startMs = performance.now()
const stopped = untilStopped(options.amount, finish)
// What is offered at once: as much as makes one message.
const run = options.offload ? segments : PLAIN_RUN
const offer = options.copy
  ? offerCopied
  : options.single
    ? () => offerOne(socket, options.bytes)
    : () => offerRun(socket, options.bytes, Math.min(run, datagramsPerFlush - unflushed))
socket.on('drain', turn)
turn()

function turn(): void {
  if (stopped()) return
  for (let offered = 0; offered < turnDatagrams;) {
    const taken = offer()
    if (taken === 0) return
    offered += taken
    unflushed += taken
    if (unflushed < datagramsPerFlush) continue
    unflushed = 0
    if (!socket.flush()) return
  }
  setImmediate(turn)
}

function offerCopied(): number {
  value = (value + 1) & 0xff
  copied[0] = copied[options.bytes - 1] = value
  return socket.send(copied) ? 1 : 0
}

function finish(): void {
  const seconds = (performance.now() - startMs) / 1000
  const { datagramsSent: datagrams, bytesSent: bytes, coalescedSends } = socket.stats()
  printLine({ datagrams, bytes, seconds, cpuSeconds: cpuSeconds(), errors, offload: coalescedSends > 0 })
  socket.close()
}
