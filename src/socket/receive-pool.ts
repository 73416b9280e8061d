import type { Addon } from '../binding/index.js'
import {
  DATAGRAM_WORDS,
  MAX_MESSAGES_PER_CALL,
  MAX_SEGMENTS_RECEIVED,
  RECEIVED_MESSAGE_WORDS,
  RECEIVE_HEADER_WORDS,
  ReceiveBatch,
  type BatchOwner,
} from '../core/index.js'
import { hasLittleMemory } from './memory-budget.js'

/**
 * The memory that this thread receives into. One batch is enough for all its sockets, because a batch is consumed before the next
 * one is read: so an idle socket costs none. Only a retained batch takes its slab along, and the next one gets another.
 *
 * A slab is not touched before it is used: of its size, only what traffic fills becomes resident.
 */
export class ReceivePool implements BatchOwner {
  /** The pool of this thread. */
  static of(addon: Addon): ReceivePool {
    let pool = pools.get(addon)
    if (pool === undefined) {
      pool = new ReceivePool(addon)
      pools.set(addon, pool)
    }
    return pool
  }

  readonly #addon: Addon
  readonly #free: ReceiveBatch[] = []
  #current: ReceiveBatch

  private constructor(addon: Addon) {
    this.#addon = addon
    this.#current = this.#take()
  }

  /** The batch that the addon fills now. */
  get current(): ReceiveBatch {
    return this.#current
  }

  retain(batch: ReceiveBatch): void {
    if (batch === this.#current) this.#current = this.#take()
  }

  release(batch: ReceiveBatch): void {
    poison(batch)
    if (isLost(batch) || this.#free.length >= MAX_FREE_SLABS) return
    // A batch of its own for the next use of the memory: whoever still holds this one holds an ended batch.
    this.#free.push(new ReceiveBatch(batch.slab, batch.datagramTable, batch.messageTable, this))
  }

  /** Replaces memory that was transferred away (postMessage, structuredClone): it has no bytes any more. */
  replaceLost(): boolean {
    if (!isLost(this.#current)) return false
    this.#current = this.#take()
    return true
  }

  /** Makes stale views visible in test builds: called when the handler of a batch has returned. */
  finish(batch: ReceiveBatch): void {
    if (isLost(batch)) this.replaceLost()
    else if (POISON && batch.isLent && !batch.isRetained) poisonPayloads(batch)
    batch.finish()
  }

  #take(): ReceiveBatch {
    let batch = this.#free.pop()
    while (batch !== undefined && isLost(batch)) batch = this.#free.pop()
    batch ??= this.#make()
    this.#addon.setReceiveTables(batch.slab, batch.datagramTable, batch.messageTable)
    return batch
  }

  #make(): ReceiveBatch {
    const slab = Buffer.allocUnsafeSlow(RECEIVE_SLAB_BYTES)
    const datagrams = new Uint32Array(MAX_DATAGRAMS * DATAGRAM_WORDS)
    const messages = new Uint32Array(RECEIVE_HEADER_WORDS + MAX_MESSAGES_PER_CALL * RECEIVED_MESSAGE_WORDS)
    return new ReceiveBatch(slab, datagrams, messages, this)
  }
}

/** How many slots of `slotBytes` a batch can have. */
export function slotsInSlab(slotBytes: number): number {
  return Math.min(MAX_MESSAGES_PER_CALL, Math.floor(RECEIVE_SLAB_BYTES / strideOf(slotBytes)))
}

/** With coalescing a slot can turn into this many datagrams, and all of them need a record. */
export function slotsForCoalescing(): number {
  return Math.min(slotsInSlab(COALESCED_SLOT_BYTES), MAX_DATAGRAMS / MAX_SEGMENTS_RECEIVED)
}

/**
 * The distance between two slots: whole cache lines, and never a multiple of 4 KiB, where the first lines of all slots would
 * compete for the same few places of the cache.
 */
export function strideOf(slotBytes: number): number {
  const lines = Math.ceil(slotBytes / CACHE_LINE_BYTES)
  return (lines % 2 === 0 ? lines + 1 : lines) * CACHE_LINE_BYTES
}

const pools = new WeakMap<Addon, ReceivePool>()

const POISON = process.env['GEYSIR_POISON'] === '1'
const POISON_BYTE = 0xdb

function isLost(batch: ReceiveBatch): boolean {
  return batch.slab.length === 0
}

function poison(batch: ReceiveBatch): void {
  if (POISON && !isLost(batch)) batch.slab.fill(POISON_BYTE)
}

function poisonPayloads(batch: ReceiveBatch): void {
  for (let i = 0; i < batch.count; i++) batch.payload(i).fill(POISON_BYTE)
}

const CACHE_LINE_BYTES = 64
/** A coalesced message is at most one IP packet long, and the kernel cuts what does not fit (udp(7), UDP_GRO). */
export const COALESCED_SLOT_BYTES = 65_535
/** Slots of a coalesced message: 4 MiB of slab, or 1 MiB, which is what the default of sixteen messages a batch takes. */
const MAX_SLOTS = hasLittleMemory() ? 16 : 64
const RECEIVE_SLAB_BYTES = MAX_SLOTS * strideOf(COALESCED_SLOT_BYTES)
const MAX_DATAGRAMS = MAX_SLOTS * MAX_SEGMENTS_RECEIVED
/** Released slabs that are kept for the next retain. */
const MAX_FREE_SLABS = 4
