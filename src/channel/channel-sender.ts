import { SocketError, type Addon } from '../binding/index.js'
import type { Clock, Endpoint } from '../core/index.js'
import { openMulticastSender, type InterfaceChange, type MulticastSender, type SenderSocketOptions } from '../net/index.js'

/** By which interfaces a channel sends, and how. */
export interface SenderPlan {
  readonly group: Endpoint
  /** Undefined: the one that the routing table chooses. */
  readonly interfaces: readonly (string | number | undefined)[]
  readonly ttl: number
  readonly loopback: boolean
  readonly socket: SenderSocketOptions
  readonly clock: Clock
  readonly addon: Addon
}

export interface SenderEvents {
  onDrain(): void
  onSendError(error: Error): void
}

/** What the sockets of a channel have counted, those that are closed included. */
export interface SendSums {
  datagramsSent: number
  bytesSent: number
  datagramsFailed: number
  datagramsDiscarded: number
  datagramsRefused: number
  queuedDatagrams: number
  queuedBytes: number
}

/**
 * The sending side of a channel: at most one socket an interface, opened when there is something to send, closed when its interface or
 * that one's address changes, and opened again. So a socket is a source address that holds.
 */
export class ChannelSender {
  /** Published while no interface had a socket. */
  unsent = 0
  readonly #plan: SenderPlan
  readonly #events: SenderEvents
  readonly #outlets: Outlet[]
  #closedSums = emptySums()
  /** What {@link reserve} gave, of whom. Undefined of nobody: a datagram that goes nowhere. */
  #reserved: { readonly bytes: Buffer; readonly outlet: Outlet | undefined } | undefined

  constructor(plan: SenderPlan, events: SenderEvents) {
    this.#plan = plan
    this.#events = events
    this.#outlets = plan.interfaces.map((wanted) => new Outlet(wanted))
  }

  get hasReserved(): boolean {
    return this.#reserved !== undefined
  }

  /** Room for a datagram; undefined when the queue of the first interface is full. */
  reserve(lengthBytes: number): Buffer | undefined {
    const outlet = this.#openAll()
    const bytes = outlet === undefined ? Buffer.allocUnsafe(lengthBytes) : outlet.socket!.reserve(lengthBytes)
    if (bytes !== undefined) this.#reserved = { bytes, outlet }
    return bytes
  }

  /** Sends the first `lengthBytes` bytes of what was reserved by every interface. */
  commit(lengthBytes: number): void {
    const { bytes, outlet } = this.#reserved!
    this.#reserved = undefined
    if (outlet === undefined) {
      this.unsent++
      return
    }
    if (this.#outlets.length > 1) {
      const datagram = bytes.subarray(0, lengthBytes)
      // A full queue is counted by its socket.
      for (const other of this.#outlets) if (other !== outlet) other.socket?.send(datagram)
    }
    outlet.socket!.commit(lengthBytes)
    if (outlet.isStale) this.#closeSocket(outlet)
  }

  flush(): boolean {
    let isAll = true
    for (const { socket } of this.#outlets) if (socket !== undefined && !socket.flush()) isAll = false
    return isAll
  }

  /** Sockets now. */
  get sockets(): number {
    return this.#outlets.filter(({ socket }) => socket !== undefined).length
  }

  sums(): SendSums {
    return this.#outlets.reduce((sums, { socket }) => (socket === undefined ? sums : add(sums, socket.stats())), this.#closedSums)
  }

  /** Interfaces have changed. */
  follow(changes: readonly InterfaceChange[]): void {
    for (const outlet of this.#outlets) {
      if (outlet.wanted === undefined || !changes.some((change) => concerns(change, outlet))) continue
      outlet.retryAtMs = 0
      if (this.#reserved?.outlet === outlet) outlet.isStale = true
      else this.#closeSocket(outlet)
    }
  }

  close(): void {
    this.#reserved = undefined
    for (const outlet of this.#outlets) this.#closeSocket(outlet)
  }

  /** @returns The first that is open. */
  #openAll(): Outlet | undefined {
    let first: Outlet | undefined
    for (const outlet of this.#outlets) {
      if (outlet.socket === undefined) this.#open(outlet)
      if (outlet.socket !== undefined) first ??= outlet
    }
    return first
  }

  #open(outlet: Outlet): void {
    const { group, ttl, loopback, socket: options, clock, addon } = this.#plan
    const nowMs = clock.nowMs()
    if (nowMs < outlet.retryAtMs) return
    try {
      const where = outlet.wanted === undefined ? {} : { interface: outlet.wanted }
      const socket = openMulticastSender({ group, ttl, loopback, socket: options, ...where }, addon)
      if (this.#isTaken(socket.interfaceIndex)) {
        socket.close()
        outlet.retryAtMs = Infinity
        return
      }
      outlet.socket = socket
      socket.on('drain', () => this.#events.onDrain())
      socket.on('sendError', (error) => this.#events.onSendError(error))
      socket.on('error', (error) => {
        this.#closeSocket(outlet)
        this.#events.onSendError(error)
      })
    } catch (error) {
      // An interface that is not there is misuse to a socket, but may come to be here.
      if (!(error instanceof SocketError)) throw error
      outlet.retryAtMs = nowMs + RETRY_MS
      this.#events.onSendError(error)
    }
  }

  /** Two names of one interface must not send twice. */
  #isTaken(index: number): boolean {
    return this.#outlets.some(({ socket }) => socket?.interfaceIndex === index)
  }

  #closeSocket(outlet: Outlet): void {
    const { socket } = outlet
    outlet.isStale = false
    if (socket === undefined) return
    outlet.socket = undefined
    socket.close()
    this.#closedSums = add(this.#closedSums, socket.stats())
  }
}

/** One interface to send by. */
class Outlet {
  socket: MulticastSender | undefined
  /** When to try again to open it. Infinity: when interfaces change, because another outlet has this interface. */
  retryAtMs = 0
  /** It is to be closed, but a datagram of its is being written. */
  isStale = false

  constructor(readonly wanted: string | number | undefined) {}
}

function concerns(change: InterfaceChange, { wanted, socket, retryAtMs }: Outlet): boolean {
  switch (change.type) {
    case 'interfaceAdded':
    case 'interfaceRemoved':
    case 'interfaceRenamed':
      break
    case 'addressAdded':
    case 'addressRemoved':
    case 'addressChanged':
      if ((change.addressAfter ?? change.addressBefore)?.family !== 'IPv4') return false
      break
    case 'interfaceUp':
    case 'interfaceDown':
    case 'mtuChanged':
    case 'interfaceChanged':
    case 'defaultRouteChanged':
      return false
  }
  if (socket === undefined) return retryAtMs > 0
  return [change.before, change.after].some((each) => each?.index === socket.interfaceIndex || each?.name === wanted)
}

function emptySums(): SendSums {
  return Object.fromEntries(SUMMED.map((name) => [name, 0])) as unknown as SendSums
}

function add(one: SendSums, other: SendSums): SendSums {
  return Object.fromEntries(SUMMED.map((name) => [name, one[name] + other[name]])) as unknown as SendSums
}

const SUMMED = [
  'datagramsSent',
  'bytesSent',
  'datagramsFailed',
  'datagramsDiscarded',
  'datagramsRefused',
  'queuedDatagrams',
  'queuedBytes',
] as const satisfies readonly (keyof SendSums)[]
/** After a socket could not be opened. A change of interfaces makes it sooner. */
const RETRY_MS = 1000
