import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { decodeHex } from './arguments.js'
import { UsageError } from './exit.js'

/** Payloads to send, a group at a time: what a group holds is sent without letting the event loop run. */
export type PayloadGroups = AsyncIterable<readonly Buffer[]>

/** One payload, `count` times. */
export async function* repeated(payload: Buffer, count: number): PayloadGroups {
  const full = new Array<Buffer>(GROUP_DATAGRAMS).fill(payload)
  for (let left = count; left > 0; left -= GROUP_DATAGRAMS) {
    yield left >= GROUP_DATAGRAMS ? full : full.slice(0, left)
    await turn()
  }
}

/** A datagram a line, without its line end. A line leaves when it has come: a pipe or a terminal may be slow. */
export async function* linesOf(input: Readable, hex: boolean): PayloadGroups {
  const lines = createInterface({ input, crlfDelay: Infinity })
  for await (const line of lines) yield [hex ? decodeHex(line) : Buffer.from(line)]
}

/** All of the input in one datagram. */
export async function* wholeOf(input: Readable, hex: boolean, maxBytes: number): PayloadGroups {
  const chunks: Buffer[] = []
  let total = 0
  for await (const chunk of input as AsyncIterable<Buffer>) {
    total += chunk.length
    chunks.push(chunk)
    if (!hex && total > maxBytes)
      throw new UsageError(`the input is longer than one datagram, ${maxBytes} bytes: cut it with --bytes`)
  }
  const all = Buffer.concat(chunks)
  yield [hex ? decodeHex(all.toString('latin1')) : all]
}

/** The input in datagrams of `bytes` bytes, the last one shorter. */
export async function* cut(input: AsyncIterable<Buffer>, bytes: number): PayloadGroups {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of input) {
    const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const whole = all.length - (all.length % bytes)
    if (whole > 0) yield sliced(all, whole, bytes)
    rest = all.subarray(whole)
  }
  if (rest.length > 0) yield [rest]
}

/** A file, `count` times over, read in pieces that hold whole datagrams of `bytes` bytes. */
export class FilePayloads {
  readonly #path: string
  readonly #bytes: number
  readonly #count: number
  /** Bytes of the file, once {@link open}ed. */
  size = 0

  constructor(path: string, bytes: number, count: number) {
    this.#path = path
    this.#bytes = bytes
    this.#count = count
  }

  /** @throws The system error of open(2): before anything is sent. */
  async open(): Promise<PayloadGroups> {
    const file = await open(this.#path)
    const stat = await file.stat()
    if (stat.isDirectory()) {
      await file.close()
      throw new UsageError(`${this.#path} is a directory`)
    }
    this.size = stat.size
    return this.#read(file)
  }

  async *#read(file: Awaited<ReturnType<typeof open>>): PayloadGroups {
    const highWaterMark = Math.max(1, Math.floor(CHUNK_BYTES / this.#bytes)) * this.#bytes
    try {
      for (let i = 0; i < this.#count; i++) {
        // Only what is read again must be seekable.
        const from = this.#count > 1 ? { start: 0 } : {}
        const stream = file.createReadStream({ ...from, autoClose: false, highWaterMark })
        yield* cut(stream as AsyncIterable<Buffer>, this.#bytes)
      }
    } finally {
      await file.close()
    }
  }
}

function sliced(all: Buffer, end: number, bytes: number): Buffer[] {
  const payloads: Buffer[] = []
  for (let at = 0; at < end; at += bytes) payloads.push(all.subarray(at, at + bytes))
  return payloads
}

/** Lets the event loop look at sockets and signals. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Enough to fill several coalesced messages, few enough to stay responsive. */
const GROUP_DATAGRAMS = 256
const CHUNK_BYTES = 262_144
