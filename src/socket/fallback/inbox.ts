import type { RemoteInfo } from 'node:dgram'
import { ERRNO, writeSockaddr } from '../../binding/index.js'
import {
  ADDRESS_WORDS,
  DATAGRAM,
  DATAGRAM_WORDS,
  Endpoint,
  FLAG,
  RECEIVED_MESSAGE,
  RECEIVED_MESSAGE_WORDS,
  RECEIVE_HEADER,
  RECEIVE_HEADER_WORDS,
  parseAddress,
} from '../../core/index.js'
import { interfaceIndex } from './interfaces.js'

/** Where batches are written: the memory that the addon would receive into. */
export interface ReceiveTables {
  readonly slab: Uint8Array
  readonly datagrams: Uint32Array
  readonly messages: Uint32Array
}

/**
 * What dgram has handed over and nobody has taken yet: dgram cannot be told to leave datagrams in the kernel's buffer, so this is the
 * buffer of a paused socket. It is bounded; what does not fit is dropped and counted, as the kernel does.
 */
export class Inbox {
  readonly #domain: number
  readonly #waiting: { payload: Uint8Array; source: Uint32Array }[] = []
  /** Sources as sockaddrs, by what dgram calls them. */
  readonly #sources = new Map<string, Uint32Array>()
  #next = 0
  #bytes = 0
  #drops = 0
  slotBytes = 0
  strideBytes = 0
  slots = 0

  constructor(domain: number) {
    this.#domain = domain
  }

  get isEmpty(): boolean {
    return this.#next === this.#waiting.length
  }

  /** @param limitBytes What may wait, with the bookkeeping that the kernel would count too. */
  add(payload: Uint8Array, from: RemoteInfo, limitBytes: number): void {
    if (this.#bytes + payload.length + OVERHEAD_BYTES > limitBytes) {
      this.#drops++
      return
    }
    this.#bytes += payload.length + OVERHEAD_BYTES
    this.#waiting.push({ payload, source: this.#sourceOf(from) })
  }

  /** Writes a batch into the tables. Returns how many datagrams, or a negated errno. */
  receive({ slab, datagrams, messages }: ReceiveTables): number {
    // Memory that was transferred away has no slot.
    const slots = slab.length < this.slotBytes ? 0 : Math.floor((slab.length - this.slotBytes) / this.strideBytes) + 1
    const records = Math.floor((messages.length - RECEIVE_HEADER_WORDS) / RECEIVED_MESSAGE_WORDS)
    const room = Math.min(this.slots, slots, records, Math.floor(datagrams.length / DATAGRAM_WORDS))
    if (room <= 0) return -ERRNO.ENOBUFS
    const count = Math.min(room, this.#waiting.length - this.#next)
    if (count === 0) return -ERRNO.EAGAIN
    messages.fill(0, 0, RECEIVE_HEADER_WORDS + count * RECEIVED_MESSAGE_WORDS)
    for (let i = 0; i < count; i++) this.#write(i, slab, datagrams, messages)
    if (this.isEmpty) {
      this.#waiting.length = 0
      this.#next = 0
    }
    messages[RECEIVE_HEADER.messages] = count
    messages[RECEIVE_HEADER.datagrams] = count
    if (this.#drops > 0) {
      messages[RECEIVE_HEADER.hasKernelDrops] = 1
      messages[RECEIVE_HEADER.kernelDrops] = this.#drops
    }
    return count
  }

  clear(): void {
    this.#waiting.length = 0
    this.#next = 0
    this.#bytes = 0
  }

  #write(i: number, slab: Uint8Array, datagrams: Uint32Array, messages: Uint32Array): void {
    const { payload, source } = this.#waiting[this.#next]!
    // The array is cut when it is empty; until then, what was taken must not be kept alive by it.
    this.#waiting[this.#next++] = TAKEN
    this.#bytes -= payload.length + OVERHEAD_BYTES
    const present = Math.min(payload.length, this.slotBytes)
    const offset = i * this.strideBytes
    slab.set(present === payload.length ? payload : payload.subarray(0, present), offset)

    const record = RECEIVE_HEADER_WORDS + i * RECEIVED_MESSAGE_WORDS
    messages.set(source, record + RECEIVED_MESSAGE.source)
    messages[record + RECEIVED_MESSAGE.sourceBytes] = source.byteLength
    if (present < payload.length) {
      messages[record + RECEIVED_MESSAGE.flags] = FLAG.truncatedPayload
      messages[RECEIVE_HEADER.truncated]!++
    }
    messages[RECEIVE_HEADER.payloadBytes]! += present

    const datagram = i * DATAGRAM_WORDS
    datagrams[datagram + DATAGRAM.offset] = offset
    datagrams[datagram + DATAGRAM.length] = present
    datagrams[datagram + DATAGRAM.message] = i
    datagrams[datagram + DATAGRAM.wireLength] = payload.length
  }

  #sourceOf({ address, port }: RemoteInfo): Uint32Array {
    const key = `${address} ${port}`
    const known = this.#sources.get(key)
    if (known !== undefined) return known
    if (this.#sources.size >= MAX_SOURCES) this.#sources.clear()
    const words = new Uint32Array(ADDRESS_WORDS)
    writeSockaddr(words, 0, endpointOf(address, port), this.#domain)
    this.#sources.set(key, words)
    return words
  }
}

/** An endpoint as dgram writes addresses: the zone is an interface's name. */
export function endpointOf(address: string, port: number): Endpoint {
  const { family, words, zone } = parseAddress(address) ?? { family: 4, words: [0, 0, 0, 0] as const, zone: '' }
  const scopeId = zone === '' ? 0 : /^\d+$/.test(zone) ? Number(zone) : interfaceIndex(zone)
  return new Endpoint(family === 4 ? 'IPv4' : 'IPv6', words, port, scopeId)
}

const TAKEN = { payload: new Uint8Array(0), source: new Uint32Array(0) }
/** Peers whose sockaddr is kept; beyond, all are made anew. */
const MAX_SOURCES = 4096
/** Roughly what a datagram costs besides its payload, here and in the kernel (socket(7), SO_RCVBUF). */
const OVERHEAD_BYTES = 512
