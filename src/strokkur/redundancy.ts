import { invalidArgType, invalidArgValue, checkInteger, checkOptions, outOfRange } from '../core/index.js'
import type { MessageFormat } from './chunk-header.js'
import { MAX_CLASSIC_ROWS } from './classic-codec.js'
import { MAX_ROWS } from './limits.js'

/**
 * How many redundant chunks a message gets.
 *
 * - a number: so many.
 * - `{ fraction }`: so many for each of its chunks, rounded to the nearest; a message of one chunk gets a second one from 0.5 on.
 * - `'adaptive'`: as many as the losses that its receivers report make advisable (compact; the receivers need `reports: true`).
 */
export type Redundancy = number | { readonly fraction: number } | 'adaptive'

/** Checks what a caller wrote. */
export function checkRedundancy(name: string, value: unknown, format: MessageFormat): Redundancy {
  if (typeof value === 'number') return checkInteger(name, value, 0, maxRedundantChunks(format))
  if (value === 'adaptive') {
    if (format === 'classic') throw invalidArgValue(name, value, 'needs reports, which only the compact format has')
    return value
  }
  if (typeof value !== 'object' || value === null)
    throw invalidArgType(name, "a number, an object with fraction, or 'adaptive'", value)
  checkOptions(name, value, FRACTION)
  const { fraction } = value as { fraction: unknown }
  if (typeof fraction !== 'number') throw invalidArgType(`${name}.fraction`, 'of type number', fraction)
  if (!(fraction >= 0 && fraction <= MAX_FRACTION)) throw outOfRange(`${name}.fraction`, `>= 0 && <= ${MAX_FRACTION}`, fraction)
  return { fraction }
}

/** Redundant chunks for a message of `chunkCount` chunks. */
export function redundantChunksFor(
  redundancy: Redundancy,
  chunkCount: number,
  format: MessageFormat,
  loss: LossEstimate | undefined,
): number {
  if (typeof redundancy === 'number') return redundancy
  const wanted =
    redundancy === 'adaptive'
      ? adaptiveChunks(chunkCount, loss?.loss ?? INITIAL_LOSS)
      : Math.round(redundancy.fraction * chunkCount)
  return Math.min(wanted, maxRedundantChunks(format))
}

/** What is known of the losses on the way to a peer. */
export class LossEstimate {
  /** The part of the chunks that is lost. */
  loss = INITIAL_LOSS

  /** Of `chunks` chunks, `lost` did not arrive. More loss is believed sooner than less. */
  add(lost: number, chunks: number): void {
    const sample = Math.min(lost, chunks) / chunks
    const weight = (sample > this.loss ? WORSE_WEIGHT : BETTER_WEIGHT) * Math.min(1, chunks / FULL_WEIGHT_CHUNKS)
    this.loss = Math.min(MAX_LOSS, this.loss + weight * (sample - this.loss))
  }
}

/** Enough that about one message in a thousand is not delivered, as long as losses are independent. */
function adaptiveChunks(chunkCount: number, loss: number): number {
  if (loss <= 0) return 0
  if (chunkCount === 1) return Math.max(0, Math.ceil(Math.log(FAILURE_GOAL) / Math.log(loss)) - 1)
  const sent = chunkCount / (1 - loss)
  const deviation = Math.sqrt(sent * loss * (1 - loss))
  return Math.ceil(sent - chunkCount + DEVIATIONS * deviation) + SPARE_CHUNKS
}

function maxRedundantChunks(format: MessageFormat): number {
  return format === 'classic' ? MAX_CLASSIC_ROWS : MAX_ROWS
}

const FRACTION: ReadonlySet<string> = new Set(['fraction'])
const MAX_FRACTION = 10
/** Before anything was reported. */
const INITIAL_LOSS = 0.02
/** Beyond this, sending more helps nobody. */
const MAX_LOSS = 0.5
const WORSE_WEIGHT = 0.5
const BETTER_WEIGHT = 0.125
/** A message of fewer chunks says less. */
const FULL_WEIGHT_CHUNKS = 16
const FAILURE_GOAL = 1e-3
/** Of a normal distribution, one in a thousand lies beyond. */
const DEVIATIONS = 3.1
/** For rows that say nothing new. */
const SPARE_CHUNKS = 3
