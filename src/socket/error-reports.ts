import type { SocketError } from '../binding/index.js'
import { throwingLater, type Endpoint } from '../core/index.js'
import { PeerError } from './peer-error.js'
import { MAX_REPORTED_ERRORS } from './socket-events.js'

/** Whose errors are told, and what has to be known to tell whose they are. */
export interface ReportingSocket {
  readonly closed: boolean
  /** Has 'close' been told? Nothing comes after it. */
  readonly isOver: boolean
  /** Does the kernel queue ICMP errors with the peers that they concern? */
  readonly receivesErrors: boolean
  readonly remote: Endpoint | undefined
  readPeerErrors(): PeerError[]
  emitSendError(error: SocketError, endpoint: Endpoint | undefined): void
  emitPeerError(error: PeerError): void
}

/** Tells a socket's user which datagrams failed: here, or on their way. */
export class ErrorReports {
  readonly #socket: ReportingSocket
  #sendErrors: [SocketError, Endpoint | undefined][] | undefined

  constructor(socket: ReportingSocket) {
    this.#socket = socket
  }

  /** Sends fail inside `send` or `flush`, so the event follows in a tick of its own. */
  queueSendError(error: SocketError, endpoint: Endpoint | undefined): void {
    this.#sendErrors ??= []
    if (this.#socket.isOver || this.#sendErrors.length >= MAX_REPORTED_ERRORS) return
    if (this.#sendErrors.length === 0) process.nextTick(() => this.reportSendErrors())
    this.#sendErrors.push([error, endpoint])
  }

  reportSendErrors(): void {
    for (const [error, endpoint] of this.#sendErrors?.splice(0) ?? [])
      throwingLater(() => this.#socket.emitSendError(error, endpoint))
  }

  /** An ICMP error made a send fail, which has passed since. Its peer stands in the error queue, if there is one. */
  notePendingError(result: number): void {
    process.nextTick(() => {
      const socket = this.#socket
      if (socket.closed || (socket.receivesErrors && this.takePeerErrors() > 0)) return
      if (!socket.receivesErrors) this.reportPeerError(new PeerError(result, socket.remote))
    })
  }

  /** Tells what is in the kernel's error queue. Returns how many there were. */
  takePeerErrors(): number {
    const errors = this.#socket.readPeerErrors()
    for (const error of errors) this.reportPeerError(error)
    return errors.length
  }

  reportPeerError(error: PeerError): void {
    throwingLater(() => this.#socket.emitPeerError(error))
  }
}
