import type { Endpoint, OwnedBatch } from '../core/index.js'
import { DATAGRAM_TYPE, HEADER_BYTES, emptyHeader, readHeader } from './header.js'
import { IncomingRequest, type Responder } from './incoming-request.js'
import type { KindLinkEvents } from './link-events.js'
import { SelectedBatch } from './selected-batch.js'

/** Looks at datagram `i` of a raw batch: false, and it is not for the user. */
export type Inspect = (batch: OwnedBatch, i: number) => boolean

/** What an inbox needs of its link. */
export interface InboxOwner {
  readonly isServer: boolean
  readonly hasHeader: boolean
  readonly senderId: number
  readonly respond: Responder
  isClosed(): boolean
  /** Does somebody listen to datagrams? */
  isHeard(): boolean
  hasListener(event: keyof KindLinkEvents): boolean
  tell<Name extends keyof KindLinkEvents>(name: Name, ...args: KindLinkEvents[Name]): void
  /** Hands a batch to an iteration that waits. */
  offer(batch: OwnedBatch): void
  /** False: nobody waits for this response. */
  answered(correlation: number, payload: Buffer, from: Endpoint): boolean
  /** False: this kind has no status messages. */
  heardStatus(payload: Buffer, sender: number, endpoint: Endpoint): boolean
}

/** The receiving half of a link: it sorts out a batch by its headers, and hands every datagram to whoever it is for. */
export class LinkInbox {
  readonly counters = { received: 0, bytesReceived: 0, malformed: 0, own: 0, foreign: 0, unheard: 0, requests: 0 }
  readonly #owner: InboxOwner
  readonly #seen = emptyHeader()

  constructor(owner: InboxOwner) {
    this.#owner = owner
  }

  receive(batch: OwnedBatch, inspect: Inspect | undefined): void {
    const { hasHeader } = this.#owner
    if (!hasHeader && inspect === undefined) {
      this.#deliver(batch)
      return
    }
    const { count } = batch
    // Undefined: all of them.
    let selected: number[] | undefined = hasHeader ? [] : undefined
    for (let i = 0; i < count; i++) {
      if (inspect !== undefined && !inspect(batch, i)) selected ??= Array.from({ length: i }, (_, before) => before)
      else if (hasHeader) this.#sortOut(batch, i, selected!)
      else selected?.push(i)
      // A handler of what was found in it may have ended the link.
      if (this.#owner.isClosed()) return
    }
    if (selected === undefined) this.#deliver(batch)
    else if (selected.length > 0) this.#deliver(new SelectedBatch(batch, selected, hasHeader ? HEADER_BYTES : 0))
  }

  /** Who gets a datagram with a header: those for the batch are added to `selected`. */
  #sortOut(batch: OwnedBatch, i: number, selected: number[]): void {
    const payload = batch.payload(i)
    const header = this.#seen
    if (!readHeader(payload, header)) {
      this.counters.malformed++
      return
    }
    if (header.sender === this.#owner.senderId) {
      this.counters.own++
      return
    }
    const content = payload.subarray(HEADER_BYTES)
    switch (header.type) {
      case DATAGRAM_TYPE.datagram:
        selected.push(i)
        return
      case DATAGRAM_TYPE.request:
        this.#countReceived(1, content.length)
        this.#heardRequest(content, batch.endpoint(i), header.sender, header.correlation)
        return
      case DATAGRAM_TYPE.response:
        this.#heardResponse(content, batch.endpoint(i))
        return
      default:
        if (!this.#owner.heardStatus(content, header.sender, batch.endpoint(i))) this.counters.foreign++
    }
  }

  #heardRequest(payload: Buffer, endpoint: Endpoint, sender: number, correlation: number): void {
    this.counters.requests++
    if (!this.#owner.hasListener('request')) {
      this.counters.unheard++
      return
    }
    this.#owner.tell('request', new IncomingRequest(payload, endpoint, sender, correlation, this.#owner.respond))
  }

  #heardResponse(payload: Buffer, endpoint: Endpoint): void {
    const { addressee, correlation } = this.#seen
    // On a multicast link everybody hears everybody's responses.
    if (addressee !== this.#owner.senderId) {
      this.counters.foreign++
      return
    }
    this.#countReceived(1, payload.length)
    if (!this.#owner.answered(correlation, payload, endpoint)) this.#owner.tell('response', payload, endpoint)
  }

  #deliver(batch: OwnedBatch): void {
    const owner = this.#owner
    const { count } = batch
    this.#countReceived(count, batch.bytes)
    if (!owner.isHeard()) {
      this.counters.unheard += count
      return
    }
    owner.tell('batch', batch)
    if (owner.isServer) {
      if (!owner.hasHeader && owner.hasListener('request')) {
        this.#forEach(batch, (i) => this.#heardRequest(batch.payload(i), batch.endpoint(i), 0, 0))
      }
    } else if (owner.hasListener('announce')) {
      this.#forEach(batch, (i) => owner.tell('announce', batch.payload(i), batch.endpoint(i)))
    }
    owner.offer(batch)
  }

  /** A handler may close the link, or give the batch back. */
  #forEach(batch: OwnedBatch, call: (i: number) => void): void {
    for (let i = 0; i < batch.count && !this.#owner.isClosed(); i++) call(i)
  }

  #countReceived(datagrams: number, bytes: number): void {
    this.counters.received += datagrams
    this.counters.bytesReceived += bytes
  }
}
