import type { SocketError } from '../binding/index.js'
import type { Endpoint, ReceiveBatch } from '../core/index.js'
import type { ReceiverOwner } from './receiver.js'
import type { SendQueueOwner } from './send-queue.js'

/** What a socket shows to who works for it, and not to its user. */
export interface PrivateParts<Socket> {
  watch(socket: Socket): void
  remote(socket: Socket): Endpoint | undefined
  mayBePending(socket: Socket, result: number): boolean
  notePendingError(socket: Socket, result: number): void
  queueSendError(socket: Socket, error: SocketError, endpoint: Endpoint | undefined): void
}

interface Emitting {
  readonly closed: boolean
  emit(event: 'batch', batch: ReceiveBatch): boolean
  emit(event: 'datagram', payload: Buffer, endpoint: Endpoint, batch: ReceiveBatch, i: number): boolean
  emit(event: 'drain'): boolean
  listenerCount(event: 'datagram'): number
}

/** What receiver and queue ask and tell. */
export class SocketInsides<Socket extends Emitting> implements ReceiverOwner, SendQueueOwner {
  readonly #socket: Socket
  readonly #parts: PrivateParts<Socket>

  constructor(socket: Socket, parts: PrivateParts<Socket>) {
    this.#socket = socket
    this.#parts = parts
  }

  get closed(): boolean {
    return this.#socket.closed
  }

  emitBatch(batch: ReceiveBatch): void {
    this.#socket.emit('batch', batch)
  }

  hasDatagramListener(): boolean {
    return this.#socket.listenerCount('datagram') > 0
  }

  emitDatagram(payload: Buffer, endpoint: Endpoint, batch: ReceiveBatch, i: number): void {
    this.#socket.emit('datagram', payload, endpoint, batch, i)
  }

  onBlocked(): void {
    this.#parts.watch(this.#socket)
  }

  onDrain(): void {
    this.#socket.emit('drain')
  }

  onSendError(error: SocketError, endpoint: Endpoint | undefined): void {
    this.#parts.queueSendError(this.#socket, error, endpoint)
  }

  mayBePending(result: number): boolean {
    return this.#parts.mayBePending(this.#socket, result)
  }

  onPendingError(result: number): void {
    this.#parts.notePendingError(this.#socket, result)
  }

  remoteEndpoint(): Endpoint | undefined {
    return this.#parts.remote(this.#socket)
  }
}
