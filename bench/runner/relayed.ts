/** Traffic over a path of 100 Mbit/s with 20 ms round trip and losses in both directions, which a relay process is. */
import type { Contender } from './benchmark.js'
import { contenderProgram } from './programs.js'
import { measureTraffic } from './trials.js'

/** Bytes of IP a second. */
export const CAPACITY = 12.5e6
export const ROUND_TRIP_MS = 20
export const QUEUE_BYTES = 256 << 10
/** What a fixed rate is set to, in bytes of frames: with the 28 bytes that IP adds to 1472 and some control frames, the capacity. */
export const FIXED_RATE = 0.975 * CAPACITY
/** A message a frame. */
export const MESSAGE_BYTES = 1400

export type Control = 'cubic' | 'fixed'

/** Bytes of messages that arrive, as a share of the capacity. */
export function streamThroughRelay(control: Control, loss: number): Contender {
  return throughRelay('stream-source', 'stream-sink', MESSAGE_BYTES, loss, control === 'fixed' ? ['--rate', String(FIXED_RATE)] : [])
}

/** Raw datagrams, a tenth more than the relay carries: what it carries at most. */
export function datagramsThroughRelay(): Contender {
  return throughRelay('paced-source', 'geysir-sink', 1472, 0, ['--rate', String(1.1 * CAPACITY)])
}

function throughRelay(source: string, sink: string, bytes: number, loss: number, options: readonly string[]): Contender {
  const relay = ['--rate', CAPACITY, '--queue', QUEUE_BYTES, '--delay', ROUND_TRIP_MS / 2, '--loss', loss].map(String)
  let seed = 0
  return async (trial) => {
    seed += 2
    const figures = await measureTraffic(
      {
        source: { program: contenderProgram(source), options },
        sink: { program: contenderProgram(sink), options: [] },
        relay: { program: contenderProgram('relay'), options: [...relay, '--seed', String(seed)] },
        bytes,
      },
      trial,
    )
    return { ...figures, goodput: figures['bytes']! / figures['seconds']! / CAPACITY }
  }
}
