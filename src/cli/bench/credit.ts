/**
 * Flow control of the bench: the sink reports the trains that it has seen the end of, the source keeps only so many ahead of that.
 * A report may be lost; the next one says it all. If nothing comes back at all (every train under way was dropped), the source sends
 * one train more than it should, at every {@link RESYNC_MS}: the next that arrives tells the sink how far the numbers are.
 */
export class CreditWindow {
  sent = 0
  resyncs = 0
  readonly #limit: number
  #seen = 0
  #movedMs = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Trains that may be sent now. */
  get credit(): number {
    return this.#limit - (this.sent - this.#seen)
  }

  report(trains: number, nowMs: number): void {
    if (trains <= this.#seen) return
    this.#seen = trains
    this.#movedMs = nowMs
  }

  /** To be asked regularly: has nothing moved for so long that one more train is in place? */
  mustResync(nowMs: number): boolean {
    if (this.credit > 0 || nowMs - this.#movedMs < RESYNC_MS) return false
    this.#movedMs = nowMs
    this.resyncs++
    return true
  }
}

export const REPORT_BYTES = 12

/** A report: the run's id, and the trains seen in two words. */
export function writeReport(report: Buffer, runId: number, trains: number): void {
  report.writeInt32LE(runId, 0)
  report.writeUInt32LE(trains % WORD, 4)
  report.writeUInt32LE(Math.floor(trains / WORD), 8)
}

/** The trains that a report tells of; undefined if it is none of this run. */
export function readReport(report: Buffer, runId: number): number | undefined {
  if (report.length !== REPORT_BYTES || report.readInt32LE(0) !== runId) return undefined
  return report.readUInt32LE(8) * WORD + report.readUInt32LE(4)
}

export const RESYNC_MS = 50
/** The sink repeats its report so often, so that a lost one costs little. */
export const HEARTBEAT_MS = 10
const WORD = 2 ** 32
