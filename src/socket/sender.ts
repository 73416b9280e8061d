import {
  Endpoint,
  ReceiveBatch,
  checkInteger,
  checkPeerPort,
  featureUnavailable,
  invalidArgType,
  invalidState,
  outOfRange,
  payloadBytes,
  writePayload,
  type EndpointLike,
  type Payload,
} from '../core/index.js'
import type { SocketAddresses } from './addresses.js'
import { MAX_PAYLOAD_BYTES_IPV4, MAX_PAYLOAD_BYTES_IPV6, maxPayloadBytes } from './datagram-limits.js'
import type { OpenSocket } from './open-socket.js'
import { SendControl, type SendOptions } from './send-control.js'
import { SendQueue } from './send-queue.js'
import type { SendQueueOwner } from './send-queue-owner.js'
import type { Counters } from './statistics.js'

/** The sending half of a socket: it checks what its user says, queues it, and flushes at the end of the tick. */
export class Sender {
  readonly #socket: OpenSocket
  readonly #addresses: SocketAddresses
  readonly #queue: SendQueue
  #controlMade: SendControl | undefined
  #checkedEndpoint: Endpoint | undefined
  #flushScheduled = false
  #isHeld = false

  constructor(socket: OpenSocket, addresses: SocketAddresses, statistics: Counters, owner: SendQueueOwner) {
    this.#socket = socket
    this.#addresses = addresses
    const { sendQueueBytes: maxBytes, sendQueueDatagrams: maxDatagrams } = socket.options
    const options = { maxBytes, maxDatagrams, offload: socket.sendOffload, family: socket.family }
    this.#queue = new SendQueue(socket.addon, socket.native, options, statistics, owner)
  }

  get queue(): SendQueue {
    return this.#queue
  }

  send(payload: Payload, endpoint: Endpoint | EndpointLike | undefined, options: SendOptions | undefined): boolean {
    const target = this.#target(endpoint)
    const control = options === undefined ? undefined : this.#controlFor(options, target)
    return this.#enqueue(payload, target, control)
  }

  reserve(
    lengthBytes: number,
    endpoint: Endpoint | EndpointLike | undefined,
    options: SendOptions | undefined,
  ): Buffer | undefined {
    const target = this.#target(endpoint)
    if (!(lengthBytes >= 0 && lengthBytes <= MAX_PAYLOAD_BYTES_IPV4 && Number.isInteger(lengthBytes))) {
      this.#checkLength('lengthBytes', lengthBytes, target)
    }
    const control = options === undefined ? undefined : this.#controlFor(options, target)
    const batch = this.#queue.makeRoom(lengthBytes)
    return batch && this.#queue.reserve(batch, lengthBytes, 1, target, control)
  }

  commit(lengthBytes: number | undefined): void {
    if (lengthBytes !== undefined) checkInteger('lengthBytes', lengthBytes, 0, MAX_PAYLOAD_BYTES_IPV6)
    this.#queue.commit(lengthBytes)
    if (!this.#flushScheduled) this.#scheduleFlush()
  }

  reserveRun(
    lengthBytes: number,
    count: number,
    endpoint: Endpoint | EndpointLike | undefined,
    options: SendOptions | undefined,
  ): Buffer | undefined {
    const target = this.#target(endpoint)
    this.#checkLength('lengthBytes', lengthBytes, target)
    if (lengthBytes === 0) throw outOfRange('lengthBytes', '>= 1', lengthBytes)
    checkInteger('count', count, 1, MAX_RUN)
    const control = options === undefined ? undefined : this.#controlFor(options, target)
    const batch = this.#queue.makeRoom(lengthBytes)
    return batch && this.#queue.reserve(batch, lengthBytes, count, target, control)
  }

  commitRun(count: number | undefined): void {
    if (count !== undefined) checkInteger('count', count, 0, MAX_RUN)
    this.#queue.commitRun(count)
    this.#scheduleFlush()
  }

  reply(batch: ReceiveBatch, i: number, payload: Payload): boolean {
    if (!(batch instanceof ReceiveBatch)) throw invalidArgType('batch', 'an instance of ReceiveBatch', batch)
    const target = batch.endpoint(i)
    if (batch.interfaceIndex(i) === 0) throw invalidState('reply needs the option receivePacketInfo')
    this.#queue.checkNothingReserved()
    this.#control.setReplyTo(batch, i, target.isIpv4)
    return this.#enqueue(payload, target, this.#control)
  }

  /** Gives up what is reserved, if something is. */
  cancel(): void {
    this.#queue.cancel()
  }

  /** Schedules no flush until {@link releaseAndFlush}: while a batch is handed out. */
  hold(): void {
    this.#isHeld = true
  }

  releaseAndFlush(): void {
    this.#isHeld = false
    this.#queue.flush()
  }

  /** What was sent until now is for the peer of now, also where it has to wait. */
  settle(): void {
    const { remote } = this.#addresses
    this.#queue.flush()
    if (remote !== undefined) this.#queue.addressTo(remote)
  }

  /** Another peer, or none: an endpoint that could be sent to may be none now. */
  peerChanged(): void {
    this.#checkedEndpoint = undefined
  }

  get #control(): SendControl {
    return (this.#controlMade ??= new SendControl())
  }

  #enqueue(payload: Payload, target: Endpoint | undefined, control: SendControl | undefined): boolean {
    const length = payloadBytes(payload)
    if (length > MAX_PAYLOAD_BYTES_IPV4) this.#checkLength('payload.length', length, target)
    const batch = this.#queue.makeRoom(length)
    if (batch === undefined) return false
    writePayload(payload, batch.slab, batch.usedBytes)
    batch.append(length, target, control)
    this.#scheduleFlush()
    return true
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#isHeld) return
    this.#flushScheduled = true
    process.nextTick(flushAtEndOfTick, this)
  }

  /** @internal */
  flushScheduled(): void {
    this.#flushScheduled = false
    this.#queue.flush()
  }

  /** The endpoint of a send, checked once for as long as the same one is given. */
  #target(given: Endpoint | EndpointLike | undefined): Endpoint | undefined {
    if (given === undefined) {
      if (this.#addresses.remote === undefined) throw notConnected(': give an endpoint, or connect first')
      return undefined
    }
    if (given === this.#checkedEndpoint) return given as Endpoint
    const last = this.#checkedEndpoint
    // Datagrams coalesce by the endpoint's identity, so an equal one is as good as the same.
    if (last !== undefined && isSameEndpoint(last, given)) return last
    const target = Endpoint.from(given)
    checkPeerPort('endpoint.port', target.port)
    this.#addresses.checkFamily('endpoint', target)
    this.#checkReachable(target)
    this.#checkedEndpoint = target
    return target
  }

  /** A connected socket may send elsewhere, but not one of dgram's. */
  #checkReachable(target: Endpoint): void {
    const { remote } = this.#addresses
    if (this.#socket.addon.backend !== 'dgram' || remote === undefined || target.equals(remote)) return
    throw featureUnavailable('Sending elsewhere from a connected socket', 'node:dgram refuses it')
  }

  #controlFor(options: SendOptions, target: Endpoint | undefined): SendControl {
    const { addon } = this.#socket
    this.#queue.checkNothingReserved()
    this.#control.setOptions(options, (target ?? this.#addresses.remote!).isIpv4, addon)
    if (addon.backend === 'dgram' && Object.keys(options).length > 0) {
      throw featureUnavailable('Send options', 'node:dgram sends every datagram of a socket alike')
    }
    return this.#control
  }

  #checkLength(name: string, length: number, target: Endpoint | undefined): void {
    checkInteger(name, length, 0, Number.MAX_SAFE_INTEGER)
    const max = maxPayloadBytes((target ?? this.#addresses.remote!).isIpv4)
    if (length > max) throw outOfRange(name, `<= ${max}, the longest UDP payload`, length)
  }
}

function flushAtEndOfTick(sender: Sender): void {
  sender.flushScheduled()
}

function isSameEndpoint(endpoint: Endpoint, given: Endpoint | EndpointLike | null): boolean {
  if (given instanceof Endpoint) return endpoint.equals(given)
  return given?.port === endpoint.port && given.address === endpoint.address
}

export function notConnected(advice = ''): Error {
  return Object.assign(new Error(`Not connected${advice}`), { code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' })
}

/** Datagrams of one run; the slab holds fewer of any but the shortest. */
const MAX_RUN = 65_536
