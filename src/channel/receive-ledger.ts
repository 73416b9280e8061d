import type { Endpoint } from '../core/index.js'
import { SourceTable, type Source } from './source-table.js'

/** What is counted of the datagrams of one channel. */
export interface ReceiveCounters {
  /** From all sources, whoever took them; and the bytes of their payloads. */
  datagramsReceived: number
  bytesReceived: number
  /** Times that numbers of a source were missing, and how many in all. */
  gaps: number
  missing: number
  /** Came after all, after others had passed them: these were counted as missing, if they were not published twice. */
  late: number
  duplicates: number
  restarts: number
}

/** Keeps the books of one channel: who sent what, and what is missing. */
export class ReceiveLedger {
  readonly counters: ReceiveCounters = {
    datagramsReceived: 0,
    bytesReceived: 0,
    gaps: 0,
    missing: 0,
    late: 0,
    duplicates: 0,
    restarts: 0,
  }
  readonly sources: SourceTable
  /** Of the datagram that {@link enter} entered last. */
  lead = 0

  constructor(maxSources: number, restartAfterMs: number) {
    this.sources = new SourceTable(maxSources, restartAfterMs)
  }

  /** @returns Its source, whose `numbers.outcome` tells what became of it. */
  enter(endpoint: Endpoint, sequence: number, payloadBytes: number, nowMs: number): Source {
    const { counters } = this
    const source = this.sources.of(endpoint, sequence, nowMs)
    const lead = source.numbers.take(sequence, nowMs)
    this.lead = lead
    counters.datagramsReceived++
    counters.bytesReceived += payloadBytes
    source.datagrams++
    source.bytes += payloadBytes
    source.heardMs = nowMs
    source.isFresh = true
    switch (source.numbers.outcome) {
      case 'next':
        break
      case 'gap':
        counters.gaps++
        counters.missing += lead - 1
        source.gaps++
        source.missing += lead - 1
        break
      case 'late':
        counters.late++
        source.late++
        break
      case 'duplicate':
        counters.duplicates++
        source.duplicates++
        break
      case 'restart':
        counters.restarts++
        source.restarts++
    }
    return source
  }
}
