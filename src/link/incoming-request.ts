import type { Endpoint } from '../core/index.js'

/** How a link sends a response. */
export type Responder = (payload: Uint8Array | DataView | string, request: IncomingRequest) => boolean

/** A request that a server has received. */
export class IncomingRequest {
  /** A view that lives until the handler returns; the answer may be given later. */
  readonly payload: Buffer
  readonly endpoint: Endpoint
  /**
   * The sender's own number, and the number that it gave this request. A request that is repeated, because its response was lost or
   * late, has the same two. Both 0 on a raw link.
   */
  readonly sender: number
  readonly correlation: number
  readonly #respond: Responder

  /** @internal */
  constructor(payload: Buffer, endpoint: Endpoint, sender: number, correlation: number, respond: Responder) {
    this.payload = payload
    this.endpoint = endpoint
    this.sender = sender
    this.correlation = correlation
    this.#respond = respond
  }

  /**
   * Answers.
   *
   * @returns False when the queue is full: **the response was not queued**; 'drain' follows on the link.
   * @throws `ERR_CLOSED` when the link is closed; misuse.
   */
  respond(payload: Uint8Array | DataView | string): boolean {
    return this.#respond(payload, this)
  }
}
