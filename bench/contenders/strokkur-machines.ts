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
const seconds = options.amount

const [receiveMs] = shortest(seconds / 2, [() => receive(kept)])
const [plainMs, rowsMs] = shortest(seconds / 2, [() => send(0), () => send(rows)])
// What the masks demand: row 0 covers everything, and every chunk stands in six or seven of the others (docs/wire/strokkur.md).
const added = chunks.length * 7.5 * payloadBytes
printLine({ receiveMs, encodedBytesPerSecond: (added * 1000) / (rowsMs! - plainMs!), chunks: chunks.length, rows })

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

function send(redundantChunks: number): void {
  sender.init(message, { ...parameters, redundantChunks })
  while (sender.pump(scratch) === 'more');
}

function receive(arriving: readonly Buffer[]): void {
  const receiver = new MessageReceiver({ format: 'compact', pool })
  let i = 0
  let state = receiver.init(arriving[i++]!)
  while (state !== 'ready') state = receiver.addChunk(arriving[i++]!)
  receiver.deinit()
}

/** Each for itself, taking turns. */
function shortest(time: number, runs: readonly (() => void)[]): number[] {
  const least = runs.map(() => Infinity)
  for (const endMs = performance.now() + time * 1000; performance.now() < endMs;) {
    for (const [i, run] of runs.entries()) {
      const startMs = performance.now()
      run()
      least[i] = Math.min(least[i]!, performance.now() - startMs)
    }
  }
  return least
}
