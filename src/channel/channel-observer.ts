import { EventEmitter } from 'node:events'
import {
  Endpoint,
  checkInteger,
  checkOptions,
  checkPeerPort,
  checkSignal,
  invalidArgType,
  obeySignal,
  type Clock,
  type DatagramBatch,
  type Timer,
} from '../core/index.js'
import { InterfaceMonitor, Membership } from '../net/index.js'
import { UdpSocket } from '../socket/index.js'
import { systemClock } from '../system/index.js'
import { NOT_PULICAST, nameBytesOf, nameOf, sequenceOf, headerBytes } from './channel-datagram.js'
import { checkWireName, multicastGroupForChannel } from './channel-name.js'
import { ReceiveLedger, type ReceiveCounters } from './receive-ledger.js'
import type { ChannelSource } from './source-table.js'

/** Options of {@link observeChannels}. */
export interface ChannelObserverOptions {
  port: number
  /**
   * The channels to observe, by their names in datagrams. Default: all that programs of this host subscribe to, in whatever process. What
   * nobody here has joined does not reach this host, and cannot be listed. Without names the socket is bound to any address: unicast to
   * the port comes to it as long as it is open.
   */
  names?: readonly string[]
  /** Where to join the groups of `names`: as in `ChannelNodeOptions`. Default 'all'. */
  interfaces?: 'all' | 'kernel' | readonly (string | number)[]
  /** The channels that are told apart, 1 to 1 048 576. Default 4096. Datagrams of more are counted as `otherChannels`. */
  maxChannels?: number
  /** Default: real time. */
  clock?: Clock
  /** Closes the observer when it is aborted. */
  signal?: AbortSignal
}

/** A channel as an observer has seen it since it was opened. */
export interface ObservedChannel extends ReceiveCounters {
  readonly name: string
  readonly group: string
  /** Who was heard within the last minute. */
  readonly sources: readonly ChannelSource[]
}

/** What an observer has counted besides its channels. */
export interface ChannelObserverStatistics {
  notPulicast: number
  tooShort: number
  truncated: number
  /** Of more channels than are told apart, or not of those that were asked for. */
  otherChannels: number
  /** Of the receiving sockets. */
  kernelDrops: number
}

/**
 * Watches the traffic of channels without taking part in it: names, rates, gaps, sources.
 *
 * @throws Misuse; a `SocketError` when no socket can be opened or bound.
 */
export function observeChannels(options: ChannelObserverOptions): ChannelObserver {
  return new ChannelObserver(options)
}

/** See {@link observeChannels}. 'close' follows {@link close}. It keeps the process alive. */
export class ChannelObserver extends EventEmitter<{ close: [] }> {
  readonly #clock: Clock
  readonly #maxChannels: number
  readonly #names: ReadonlySet<string> | undefined
  readonly #ledgers = new Map<string, ReceiveLedger>()
  readonly #counters = { notPulicast: 0, tooShort: 0, truncated: 0, otherChannels: 0 }
  readonly #receiver: Membership | UdpSocket
  readonly #monitor: InterfaceMonitor | undefined
  readonly #letGo: () => void
  #timer: Timer
  #closed = false

  /** @internal Use {@link observeChannels}. */
  constructor(options: ChannelObserverOptions) {
    checkOptions('options', options, KNOWN)
    const port = checkPeerPort('options.port', options.port)
    const names = checkNames(options.names)
    checkSignal('options.signal', options.signal)
    super()
    this.#clock = options.clock ?? systemClock
    this.#maxChannels = checkInteger('options.maxChannels', options.maxChannels ?? DEFAULT_MAX_CHANNELS, 1, MAX_MAX_CHANNELS)
    this.#names = names
    if (names === undefined) {
      this.#receiver = openEavesdropper(port)
    } else {
      this.#monitor = new InterfaceMonitor({ clock: this.#clock })
      this.#receiver = this.#join(names, port, options.interfaces ?? 'all', this.#monitor)
    }
    this.#timer = this.#scheduleExpiry()
    this.#letGo = obeySignal(options.signal, () => this.close())
    const receive = (batch: DatagramBatch): void => this.#take(batch)
    if (this.#receiver instanceof UdpSocket) this.#receiver.on('batch', receive)
    else this.#receiver.on('batch', receive)
  }

  /** What was seen, by name. */
  channels(): ObservedChannel[] {
    const seen = [...this.#ledgers].map(([name, { counters, sources }]) => {
      return { name, group: multicastGroupForChannel(name), ...counters, sources: sources.snapshots() }
    })
    return seen.sort((one, other) => (one.name < other.name ? -1 : 1))
  }

  /** A copy. Also of a closed observer. */
  stats(): ChannelObserverStatistics {
    return { ...this.#counters, kernelDrops: this.#receiver.stats().kernelDrops }
  }

  /** Harmless to repeat. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#letGo()
    this.#timer.cancel()
    this.#receiver.close()
    this.#monitor?.close()
    process.nextTick(() => this.emit('close'))
  }

  #join(
    names: ReadonlySet<string>,
    port: number,
    interfaces: 'all' | 'kernel' | readonly (string | number)[],
    monitor: InterfaceMonitor,
  ): Membership {
    const membership = new Membership({ monitor, port, clock: this.#clock, copies: 'deliver' })
    try {
      for (const group of new Set([...names].map(multicastGroupForChannel))) membership.join(group, { interfaces })
    } catch (error) {
      membership.close()
      monitor.close()
      throw error
    }
    return membership
  }

  #take(batch: DatagramBatch): void {
    const nowMs = this.#clock.nowMs()
    for (let i = 0; i < batch.count; i++) {
      const datagram = batch.payload(i)
      const nameBytes = nameBytesOf(datagram)
      if (nameBytes < 0) this.#counters[nameBytes === NOT_PULICAST ? 'notPulicast' : 'tooShort']++
      else if (batch.truncated(i)) this.#counters.truncated++
      else {
        const ledger = this.#ledgerOf(nameOf(datagram, nameBytes))
        const payloadBytes = datagram.length - headerBytes(nameBytes)
        if (ledger === undefined) this.#counters.otherChannels++
        else ledger.enter(batch.endpoint(i), sequenceOf(datagram, nameBytes), payloadBytes, nowMs)
      }
    }
  }

  #ledgerOf(name: string): ReceiveLedger | undefined {
    const known = this.#ledgers.get(name)
    if (known !== undefined) return known
    if (this.#ledgers.size >= this.#maxChannels || this.#names?.has(name) === false || !isAscii(name)) return undefined
    const ledger = new ReceiveLedger(MAX_SOURCES, RESTART_AFTER_MS)
    this.#ledgers.set(name, ledger)
    return ledger
  }

  #scheduleExpiry(): Timer {
    const timer = this.#clock.setTimer(() => {
      for (const { sources } of this.#ledgers.values()) sources.expire(this.#clock.nowMs() - SOURCE_EXPIRY_MS)
      this.#timer = this.#scheduleExpiry()
    }, SOURCE_EXPIRY_MS / 4)
    timer.unref()
    return timer
  }
}

/**
 * A socket without memberships of its own, which hears what others of this host have joined: IP_MULTICAST_ALL (ip(7)), which Linux sets
 * unless it is told otherwise. So nothing is asked for, that it may run on node:dgram as well.
 */
function openEavesdropper(port: number): UdpSocket {
  const socket = new UdpSocket({ type: 'udp4', reuseAddress: true })
  try {
    socket.bindNow(Endpoint.of('0.0.0.0', port))
  } catch (error) {
    socket.close()
    throw error
  }
  return socket
}

function checkNames(names: unknown): ReadonlySet<string> | undefined {
  if (names === undefined) return undefined
  if (!Array.isArray(names)) throw invalidArgType('options.names', 'an array of names', names)
  return new Set(names.map((name, i) => checkWireName(`options.names[${i}]`, name)))
}

function isAscii(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 0x7f) return false
  return true
}

const KNOWN: ReadonlySet<string> = new Set(['port', 'names', 'interfaces', 'maxChannels', 'clock', 'signal'])
const DEFAULT_MAX_CHANNELS = 4096
const MAX_MAX_CHANNELS = 1_048_576
/** A channel. Fewer than a node's, for there may be thousands of channels. */
const MAX_SOURCES = 64
const SOURCE_EXPIRY_MS = 60_000
const RESTART_AFTER_MS = 1000
