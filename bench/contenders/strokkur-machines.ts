/**
 * The state machines alone: how long a message takes to receive, with `--lose` of its datagrams missing; how fast redundant rows are made
 * and used, in bytes added up a second. The shortest time of many counts, which disturbances do not touch.
 */
import { randomBytes } from 'node:crypto'
import { MemoryPool, MessageReceiver, MessageSender } from 'geysir'
import { printLine, readOptions } from './contender.js'

const options = readOptions()
const DATAGRAM_BYTES = 1472
const message = randomBytes(options.bytes)
const parameters = { id: randomBytes(16), timestampMicroseconds: 1, maxDatagramBytes: DATAGRAM_BYTES }
const sender = new MessageSender({ format: 'compact', hash: options.hash })
const scratch = Buffer.alloc(DATAGRAM_BYTES)

const chunks = chunksWith(0)
const rows = Math.ceil(chunks.length * 0.08)
const all = chunksWith(rows)
const payloadBytes = chunks[0]!.length - 40
const kept = all.filter((_, i) => i >= chunks.length || ((i * 7919) % 1000) / 1000 >= options.lose)
const pool = new MemoryPool(64 << 20)
// Compilers have settled by then, even where they have to wait for a processor.
const LEAST_ROUNDS = 150

const receiveMs = shortest(() => timed(() => receive(kept)))
const encodeMs = shortest(encode)
// What the masks demand: row 0 covers everything, and every chunk stands in six or seven of the others (docs/wire/strokkur.md).
const added = chunks.length * 7.5 * payloadBytes
printLine({ receiveMs, encodedBytesPerSecond: (added * 1000) / encodeMs, chunks: chunks.length, rows })

function chunksWith(redundantChunks: number): Buffer[] {
  const made: Buffer[] = []
  sender.init(message, { ...parameters, redundantChunks })
  for (let state = 'more'; state !== 'done';) {
    const chunk = Buffer.alloc(sender.nextBytes)
    state = sender.pump(chunk)
    made.push(chunk)
  }
  return made
}

/** How long it takes from the last chunk of the message to the last redundant one. */
function encode(): number {
  sender.init(message, { ...parameters, redundantChunks: rows })
  for (let i = 0; i < chunks.length; i++) sender.pump(scratch)
  return timed(() => {
    while (sender.pump(scratch) === 'more');
  })
}

function receive(arriving: readonly Buffer[]): void {
  const receiver = new MessageReceiver({ format: 'compact', pool })
  let i = 0
  let state = receiver.init(arriving[i++]!)
  while (state !== 'ready') state = receiver.addChunk(arriving[i++]!)
  receiver.deinit()
}

function timed(run: () => void): number {
  const startMs = performance.now()
  run()
  return performance.now() - startMs
}

function shortest(measure: () => number): number {
  let least = Infinity
  const endMs = performance.now() + (options.amount * 1000) / 2
  for (let round = 0; round < LEAST_ROUNDS || performance.now() < endMs; round++) least = Math.min(least, measure())
  return least
}
