import { SocketError, type Addon } from '../binding/index.js'
import type { Clock, Endpoint } from '../core/index.js'
import { openMulticastSender, type InterfaceSource, type MulticastSender, type SenderSocketOptions } from '../net/index.js'

/** By which interfaces a channel sends, and how. */
export interface SenderPlan {
  readonly group: Endpoint
  /** Undefined: the one that the routing table chooses. */
  readonly interfaces: readonly (string | number | undefined)[]
  readonly ttl: number
  readonly loopback: boolean
  readonly socket: SenderSocketOptions
  /** The sockets follow their interfaces. */
  readonly monitor: InterfaceSource
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
 * The sending side of a channel: at most one socket an interface, opened when there is something to send.
 *
 * A channel has sockets of its own although one could serve all: so its datagrams stay neighbours, and coalesce, however channels take turns.
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
    // It may have failed in the meantime.
    if (outlet.socket === undefined) this.unsent++
    else outlet.socket.commit(lengthBytes)
  }

  /** Gives up what is reserved, if something is. */
  cancel(): void {
    this.#reserved?.outlet?.socket?.cancel()
    this.#reserved = undefined
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
    const { group, ttl, loopback, socket: options, monitor, clock, addon } = this.#plan
    const nowMs = clock.nowMs()
    if (nowMs < outlet.retryAtMs) return
    outlet.retryAtMs = nowMs + RETRY_MS
    try {
      const where = outlet.wanted === undefined ? {} : { interface: outlet.wanted, monitor }
      const socket = openMulticastSender({ group, ttl, loopback, socket: options, ...where }, addon)
      if (this.#isTaken(socket.interfaceIndex)) {
        socket.close()
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
      // An interface that is not there may come.
      if (!(error instanceof SocketError)) throw error
      this.#events.onSendError(error)
    }
  }

  /** Two names of one interface must not send twice. */
  #isTaken(index: number): boolean {
    return this.#outlets.some(({ socket }) => socket?.interfaceIndex === index)
  }

  #closeSocket(outlet: Outlet): void {
    const { socket } = outlet
    if (socket === undefined) return
    outlet.socket = undefined
    socket.close()
    this.#closedSums = add(this.#closedSums, socket.stats())
  }
}

/** One interface to send by. */
class Outlet {
  socket: MulticastSender | undefined
  /** When to open it again, should it not be open then. */
  retryAtMs = -Infinity

  constructor(readonly wanted: string | number | undefined) {}
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
/** After a socket could not be opened, or failed. */
const RETRY_MS = 1000
