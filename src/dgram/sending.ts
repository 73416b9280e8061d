import { AsyncResource } from 'node:async_hooks'
import { AF_INET, ERRNO, type Addon, type NativeSocket } from '../binding/index.js'
import type { Endpoint } from '../core/index.js'
import { trySetInteger } from '../socket/kernel-options.js'
import * as k from '../socket/kernel-constants.js'
import { SendQueue } from '../socket/send-queue.js'
import type { SendQueueOwner } from '../socket/send-queue-owner.js'
import type { Counters } from '../socket/statistics.js'
import { destination } from './destinations.js'

/** A datagram on its way, and what became of it. */
export class PendingSend {
  /** The negated errno, or 0; undefined until the kernel has decided. */
  result: number | undefined
  /** Called when the result is there, by who could not wait for it. */
  onResult: (() => void) | undefined
}

/** Who sends. */
export interface Sender {
  readonly isBound: boolean
  /** Is a batch being delivered, at whose end what it made the program send leaves? */
  readonly isDelivering: boolean
  remoteEndpoint(): Endpoint | undefined
  /** The kernel's send buffer is full, or no longer. */
  onBlocked(): void
}

/**
 * The sending half of a socket of the drop-in: what was sent, in order, and who waits for its result. Made by the first send: a socket
 * that only listens needs none.
 */
export class Sending implements SendQueueOwner {
  readonly #sender: Sender
  readonly #family: number
  readonly #queue: SendQueue
  #pending: PendingSend[] = []
  #settledCount = 0
  /** Sends of this tick: payload, endpoint and pending send of each, in turn. */
  #deferred: (Uint8Array | string | Endpoint | PendingSend)[] = []
  #lastAddress: string | undefined
  #lastPort = 0
  #lastEndpoint: Endpoint | undefined
  #flushScheduled = false
  #tickScheduled = false
  #owes = false

  /** @param openFamily Of the descriptor; `family` is the socket's. */
  constructor(addon: Addon, native: NativeSocket, family: number, openFamily: number, counters: Counters, sender: Sender) {
    this.#sender = sender
    this.#family = family
    const offload = trySetInteger(native, k.IPPROTO_UDP, k.UDP_SEGMENT, 0)
    // Node's queue has no bound, and a drop-in cannot refuse what it takes.
    const options = { maxBytes: UNBOUNDED, maxDatagrams: UNBOUNDED, offload, family: openFamily }
    this.#queue = new SendQueue(addon, native, options, counters, this)
  }

  get isBlocked(): boolean {
    return this.#queue.isBlocked
  }

  /** As libuv counts: what the kernel would not take yet. */
  get waitingBytes(): number {
    return this.#queue.isBlocked ? this.#queue.queuedBytes : 0
  }

  get waitingDatagrams(): number {
    return this.#queue.isBlocked ? this.#queue.queuedDatagrams : 0
  }

  /** The endpoint of a literal destination of this socket's family, undefined for anything else. No address means this host. */
  destination(address: string | undefined, port: number): Endpoint | undefined {
    // Most programs send to one destination, or a few in turn.
    if (port === this.#lastPort && address === this.#lastAddress) return this.#lastEndpoint
    const endpoint = destination(address ?? (this.#family === AF_INET ? '127.0.0.1' : '::1'), port)
    if (endpoint === undefined || (endpoint.family === 'IPv4') !== (this.#family === AF_INET)) return undefined
    this.#lastPort = port
    this.#lastAddress = address
    this.#lastEndpoint = endpoint
    return endpoint
  }

  /**
   * Takes a datagram for the end of the tick; what becomes of it is in `pending` then. Returns its bytes.
   *
   * Node reads a payload when its lookup is done, in the next tick, and so do we: a change until then is sent. To a connected peer
   * it sends within the call: we, the first of a tick, so that an error that an earlier datagram met fails the send that it fails
   * with Node; the others are copied.
   */
  queue(payload: Uint8Array | string, endpoint: Endpoint | undefined, pending: PendingSend): number {
    if (endpoint !== undefined) {
      this.#deferred.push(payload, endpoint, pending)
      return typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
    }
    const isFirst = !this.#flushScheduled
    if (isFirst) flushOwing()
    this.#queueDeferred()
    const bytes = this.#enqueue(payload, undefined, pending)
    if (isFirst) this.#queue.flush()
    else this.#owe()
    this.scheduleFlush()
    return bytes
  }

  /** Sends a datagram at once, behind what is queued. */
  sendNow(payload: Uint8Array, endpoint: Endpoint | undefined): PendingSend {
    const pending = new PendingSend()
    this.#enqueue(payload, endpoint, pending)
    // Not flush(): what was sent after this, to literals, waits for a tick that comes after this one.
    flushOwing()
    this.#queue.flush()
    return pending
  }

  /** Calls `done`, in the async context of now, when the kernel has taken or refused the datagram. */
  whenSettled(pending: PendingSend, done: () => void): void {
    const resource = new AsyncResource('UDPSENDWRAP')
    pending.onResult = () => resource.runInAsyncScope(done)
  }

  flush(): void {
    this.#flushScheduled = false
    flushOwing()
    if (!this.#sender.isBound) return
    this.#queueDeferred()
    this.#queue.flush()
  }

  get isOpen(): boolean {
    return this.#sender.isBound
  }

  get isFlushScheduled(): boolean {
    return this.#flushScheduled
  }

  /** Sends nobody waits for leave with the tick; those of a batch that is being delivered, with the batch. */
  scheduleFlush(): void {
    this.#flushScheduled = true
    if (this.#tickScheduled) return
    this.#tickScheduled = true
    process.nextTick(atTick, this)
  }

  /** The tick in which Node would send. What is queued from here on leaves also if the program closes the socket next. */
  tick(): void {
    this.#tickScheduled = false
    if (!this.#sender.isDelivering) this.flush()
    else if (this.#sender.isBound) this.#queueDeferred()
  }

  /** The kernel has room again. */
  writable(): void {
    this.#queue.writable()
  }

  /** What was sent until now is for the peer of now, also where it has to wait. */
  settleFor(remote: Endpoint): void {
    this.#queue.flush()
    this.#queue.addressTo(remote)
  }

  /** Nothing more leaves. Who waits for a result is called as libuv calls: after the socket is closed, with ECANCELED. */
  end(): void {
    // What is queued would have left with Node; what is deferred still waits for its lookup, and is lost with the handle.
    this.#deferred = []
    this.#queue.flush()
    this.#queue.discard()
    for (const pending of this.#pending.slice(this.#settledCount)) {
      if (pending.onResult === undefined) continue
      pending.result = -ERRNO.ECANCELED
      setImmediate(pending.onResult)
    }
    this.#pending = []
  }

  payDebt(): void {
    this.#owes = false
    if (this.#sender.isBound) this.#queue.flush()
  }

  // What the send queue asks and tells.

  onBlocked(): void {
    this.#sender.onBlocked()
  }

  onDrain(): void {
    // Node tells nobody.
  }

  onSendError(): void {
    // Every send hears of itself: see onSettled.
  }

  /** As with Node, an error of an earlier datagram fails the next send of a connected socket. */
  mayBePending(): boolean {
    return false
  }

  onPendingError(): void {
    // There is none.
  }

  remoteEndpoint(): Endpoint | undefined {
    return this.#sender.remoteEndpoint()
  }

  onSettled(datagrams: number, result: number): void {
    const end = this.#settledCount + datagrams
    for (let i = this.#settledCount; i < end; i++) {
      const pending = this.#pending[i]!
      pending.result = result
      if (pending.onResult !== undefined) process.nextTick(pending.onResult)
    }
    this.#settledCount = end
    if (end === this.#pending.length) {
      this.#pending.length = 0
      this.#settledCount = 0
    } else if (end > MAX_SETTLED_KEPT) {
      this.#pending = this.#pending.slice(end)
      this.#settledCount = 0
    }
  }

  /** Queues a copy of `payload` now. */
  #enqueue(payload: Uint8Array | string, endpoint: Endpoint | undefined, pending: PendingSend): number {
    const bytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
    const batch = bytes > MAX_PAYLOAD_BYTES ? undefined : this.#queue.makeRoom(bytes)
    if (batch === undefined) {
      pending.result = -ERRNO.EMSGSIZE
      return bytes
    }
    if (typeof payload === 'string') batch.slab.write(payload, batch.usedBytes)
    else batch.slab.set(payload, batch.usedBytes)
    batch.append(bytes, endpoint, undefined)
    this.#pending.push(pending)
    return bytes
  }

  #queueDeferred(): void {
    if (this.#deferred.length === 0) return
    const deferred = this.#deferred
    this.#deferred = []
    for (let i = 0; i < deferred.length; i += 3) {
      this.#enqueue(deferred[i] as Uint8Array | string, deferred[i + 1] as Endpoint, deferred[i + 2] as PendingSend)
    }
  }

  /** What Node would have sent within the call leaves before anything that is sent later, whatever socket sends it. */
  #owe(): void {
    if (this.#owes) return
    this.#owes = true
    owing.push(this)
  }
}

/** Connected sockets that have queued in this tick what Node would have sent, in order. */
const owing: Sending[] = []

function flushOwing(): void {
  if (owing.length === 0) return
  for (const sending of owing.splice(0)) sending.payDebt()
}

function atTick(sending: Sending): void {
  sending.tick()
}

const UNBOUNDED = Number.MAX_SAFE_INTEGER
const MAX_PAYLOAD_BYTES = 65_527
/** Entries of the list of pending sends that may be done before it is cut. */
const MAX_SETTLED_KEPT = 4096
