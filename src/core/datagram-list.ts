import type { Endpoint } from './endpoint.js'
import { outOfRange } from './errors.js'
import { HeldBatch } from './held-batch.js'
import type { DatagramBatch } from './link.js'

/**
 * A batch of a link that has no slab of the kernel's: each payload is memory of its own, so keeping one costs nothing, but the rules
 * are those of every batch, and a program that breaks them is seen here as well.
 */
export class DatagramList extends HeldBatch implements DatagramBatch {
  #payloads: readonly Buffer[]
  #endpoints: readonly Endpoint[]
  #bytes = 0
  readonly #poison: number | undefined

  /**
   * `payloads[i]` came from `endpoints[i]`. The list is lent until {@link finish}.
   *
   * @param poison A byte that the payloads are overwritten with when nobody has the batch any more, so that a view that outlived it is
   *   seen. Default: they are left as they are.
   */
  constructor(payloads: readonly Buffer[], endpoints: readonly Endpoint[], poison?: number) {
    super()
    this.lend()
    this.#poison = poison
    this.#payloads = payloads
    this.#endpoints = endpoints
    for (const payload of payloads) this.#bytes += payload.length
  }

  get count(): number {
    return this.#payloads.length
  }

  get bytes(): number {
    return this.#bytes
  }

  payload(i: number): Buffer {
    return this.#at(this.#payloads, i)
  }

  copy(i: number): Buffer {
    return Buffer.from(this.payload(i))
  }

  truncated(i: number): boolean {
    this.payload(i)
    return false
  }

  endpoint(i: number): Endpoint {
    return this.#at(this.#endpoints, i)
  }

  protected override end(): void {
    if (this.#poison !== undefined) for (const payload of this.#payloads) payload.fill(this.#poison)
    this.#payloads = []
    this.#endpoints = []
    this.#bytes = 0
  }

  #at<T>(items: readonly T[], i: number): T {
    const item = Number.isInteger(i) ? items[i] : undefined
    if (item === undefined) throw outOfRange('i', `>= 0 && < ${this.count} (the batch's count)`, i)
    return item
  }
}
