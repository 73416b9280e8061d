import type { Endpoint } from '../core/index.js'
import { LossEstimate } from './redundancy.js'
import { Remembered } from './remembered.js'
import { ID_BYTES } from './limits.js'
import { readReport } from './report-codec.js'

/** What receivers report, by endpoint. Only about messages that were sent from here, and once about each. */
export class LossReports {
  readonly #estimates = new Map<string, LossEstimate>()
  readonly #sent = new Remembered(REMEMBERED_SENT)
  readonly #reported = new Remembered(REMEMBERED_SENT)
  #hasOnePeer = false

  /** A message leaves, about which a report may come. */
  expect(id: Uint8Array, endpoint: Endpoint | undefined): void {
    this.#sent.add(Buffer.from(id).toString('latin1'))
    // What a link's only peer reports comes from an endpoint as well, under which nothing is sent: it is kept under one name.
    if (endpoint === undefined) this.#hasOnePeer = true
  }

  /** False for a report that says nothing here. */
  take(datagram: Buffer, endpoint: Endpoint): boolean {
    const report = readReport(datagram)
    if (report === undefined) return false
    const id = report.identity.slice(0, ID_BYTES)
    if (!this.#sent.has(id) || this.#reported.has(id)) return false
    this.#reported.add(id)
    const key = this.#key(endpoint)
    let estimate = this.#estimates.get(key)
    if (estimate === undefined) {
      estimate = new LossEstimate()
      if (this.#estimates.size >= MAX_PEERS) this.#estimates.delete(this.#estimates.keys().next().value!)
      this.#estimates.set(key, estimate)
    }
    estimate.add(report.chunksMissing, report.chunkCount)
    return true
  }

  of(endpoint: Endpoint | undefined): LossEstimate | undefined {
    return this.#estimates.get(this.#key(endpoint))
  }

  /** A link's only peer may be named or not: it is the same one. */
  #key(endpoint: Endpoint | undefined): string {
    return endpoint === undefined || this.#hasOnePeer ? ONE_PEER : endpoint.toString()
  }
}

const ONE_PEER = ''
const MAX_PEERS = 1024
const REMEMBERED_SENT = 4096
