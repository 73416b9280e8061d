import type { LookupFunction } from 'node:net'
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkOneOf,
  checkOptions,
  checkSignal,
  invalidArgValue,
} from '../core/index.js'
import { checkOptionValue } from './kernel-options.js'
import { hasLittleMemory } from './memory-budget.js'
import { KERNEL_OPTION_NAMES, OPTION_TABLE, type KernelOptionName, type KernelOptionValues } from './option-table.js'
import { COALESCED_SLOT_BYTES, slotsForCoalescing, slotsInSlab } from './receive-pool.js'
import { SEND_SLAB_BYTES } from './send-queue.js'

export type SocketType = 'udp4' | 'udp6'

/** Options of `new UdpSocket`: the kernel's ({@link KernelOptionValues}) and these. */
export interface UdpSocketOptions extends Partial<Omit<KernelOptionValues, 'pathMtuBytes'>> {
  /** Default 'udp4'. A 'udp6' socket takes IPv4 as well (dual stack), unless it is `ipv6Only`. */
  type?: SocketType
  /** For 'udp6': do not take IPv4. ipv6(7) IPV6_V6ONLY. Default false. */
  ipv6Only?: boolean
  /**
   * Receive datagrams that the kernel coalesced (udp(7) UDP_GRO). Default: on where the kernel can, unless `maxDatagramBytes`
   * is given. `true` fails where the kernel cannot.
   */
  receiveOffload?: boolean
  /** Let the kernel segment neighbours of one size and destination (udp(7) UDP_SEGMENT). Default: on where the kernel can. */
  sendOffload?: boolean
  /** Longer datagrams are cut and marked. 1 to 65 535, the default. Smaller makes for more datagrams a batch; excludes `receiveOffload`. */
  maxDatagramBytes?: number
  /** Messages received in one system call, 1 to 256. Default 64, and 16 with `receiveOffload`, where each can be many datagrams. */
  receiveBatchMessages?: number
  /**
   * After a batch, how long to look for the next one before going back to the event loop, in microseconds, 0 to 1000. It spares a
   * peer that answers within that time the wait for our process to be woken. A socket that looks in vain does it ever more rarely
   * (at worst after every 256th batch). Default 50; 0 turns it off.
   */
  spinMicroseconds?: number
  /** Payload bytes that may wait to be sent. Default 4 MiB, and 1 MiB where this process has 1 GiB of memory or less. */
  sendQueueBytes?: number
  /** Datagrams that may wait to be sent. Default 65 536. */
  sendQueueDatagrams?: number
  /** Resolves names given to `bind`, `connect` and `resolve`: `dns.lookup` or a function like it. Default: names are refused. */
  lookup?: LookupFunction
  /** Closes the socket when it is aborted. */
  signal?: AbortSignal
}

/** Every option that is not the kernel's, with its default filled in. */
export interface ResolvedOptions {
  readonly type: SocketType
  readonly ipv6Only: boolean
  readonly receiveOffload: boolean
  /** Asked for by name, so that lacking it is an error. */
  readonly receiveOffloadRequired: boolean
  readonly sendOffload: boolean
  readonly sendOffloadRequired: boolean
  readonly maxDatagramBytes: number
  readonly receiveBatchMessages: number | undefined
  readonly spinMicroseconds: number
  readonly sendQueueBytes: number
  readonly sendQueueDatagrams: number
  readonly lookup: LookupFunction | undefined
  readonly signal: AbortSignal | undefined
  readonly kernel: readonly KernelOptionName[]
}

const OWN_NAMES = [
  'type',
  'ipv6Only',
  'receiveOffload',
  'sendOffload',
  'maxDatagramBytes',
  'receiveBatchMessages',
  'spinMicroseconds',
  'sendQueueBytes',
  'sendQueueDatagrams',
  'lookup',
  'signal',
] as const
const KNOWN: ReadonlySet<string> = new Set<string>([...OWN_NAMES, ...KERNEL_OPTION_NAMES])

/** Checks everything before a socket is opened. @throws Misuse, naming the option. */
export function resolveOptions(options: UdpSocketOptions): ResolvedOptions {
  checkOptions('options', options, KNOWN)
  // Many sockets, one object.
  return Object.keys(options).length === 0 ? (defaults ??= resolve(options)) : resolve(options)
}

let defaults: ResolvedOptions | undefined

function resolve(options: UdpSocketOptions): ResolvedOptions {
  const type = options.type === undefined ? 'udp4' : checkOneOf('options.type', options.type, ['udp4', 'udp6'])
  const ipv6Only = booleanOr('options.ipv6Only', options.ipv6Only, false)
  if (ipv6Only && type === 'udp4') throw invalidArgValue('options.ipv6Only', true, "is for type 'udp6'")
  const cut = options.maxDatagramBytes !== undefined && options.maxDatagramBytes < COALESCED_SLOT_BYTES
  if (cut && options.receiveOffload === true) {
    throw invalidArgValue('options.maxDatagramBytes', options.maxDatagramBytes, 'needs receiveOffload to be off')
  }
  const kernel = KERNEL_OPTION_NAMES.filter((name) => options[name as keyof UdpSocketOptions] !== undefined)
  for (const name of kernel) {
    const value: unknown = options[name as keyof UdpSocketOptions]
    if (OPTION_TABLE[name].readOnly) throw invalidArgValue(`options.${name}`, value, 'cannot be set, only read')
    checkOptionValue(name, value)
  }
  return Object.freeze({
    type,
    ipv6Only,
    receiveOffload: booleanOr('options.receiveOffload', options.receiveOffload, !cut),
    receiveOffloadRequired: options.receiveOffload === true,
    sendOffload: booleanOr('options.sendOffload', options.sendOffload, true),
    sendOffloadRequired: options.sendOffload === true,
    maxDatagramBytes: integerOr(
      'options.maxDatagramBytes',
      options.maxDatagramBytes,
      1,
      COALESCED_SLOT_BYTES,
      COALESCED_SLOT_BYTES,
    ),
    receiveBatchMessages:
      options.receiveBatchMessages === undefined
        ? undefined
        : checkInteger('options.receiveBatchMessages', options.receiveBatchMessages, 1, MAX_RECEIVE_BATCH_MESSAGES),
    spinMicroseconds: integerOr(
      'options.spinMicroseconds',
      options.spinMicroseconds,
      0,
      MAX_SPIN_MICROSECONDS,
      DEFAULT_SPIN_MICROSECONDS,
    ),
    sendQueueBytes: integerOr('options.sendQueueBytes', options.sendQueueBytes, 1, MAX_QUEUE, DEFAULT_QUEUE_BYTES),
    sendQueueDatagrams: integerOr(
      'options.sendQueueDatagrams',
      options.sendQueueDatagrams,
      1,
      MAX_QUEUE,
      DEFAULT_QUEUE_DATAGRAMS,
    ),
    lookup: options.lookup === undefined ? undefined : checkFunction('options.lookup', options.lookup),
    signal: checkSignal('options.signal', options.signal),
    kernel,
  })
}

/** How a batch divides the slab: the size of a slot and the number of slots. */
export function slotPlan(options: ResolvedOptions, coalescing: boolean): { slotBytes: number; slots: number } {
  if (coalescing) {
    const slots = Math.min(options.receiveBatchMessages ?? DEFAULT_COALESCED_SLOTS, slotsForCoalescing())
    return { slotBytes: COALESCED_SLOT_BYTES, slots }
  }
  const slotBytes = options.maxDatagramBytes
  return { slotBytes, slots: Math.min(options.receiveBatchMessages ?? DEFAULT_SLOTS, slotsInSlab(slotBytes)) }
}

function booleanOr(name: string, value: unknown, otherwise: boolean): boolean {
  return value === undefined ? otherwise : checkBoolean(name, value)
}

function integerOr(name: string, value: unknown, min: number, max: number, otherwise: number): number {
  return value === undefined ? otherwise : checkInteger(name, value, min, max)
}

const DEFAULT_SLOTS = 64
/** 16 × 64 KiB stays in a second-level cache, and a turn of the event loop stays short. */
const DEFAULT_COALESCED_SLOTS = 16
const MAX_RECEIVE_BATCH_MESSAGES = 256
const DEFAULT_QUEUE_BYTES = (hasLittleMemory() ? 2 : 8) * SEND_SLAB_BYTES
const DEFAULT_QUEUE_DATAGRAMS = 65_536
const MAX_QUEUE = 0x7fff_ffff
/** About what a sleep and a wake-up cost, so that spinning in vain at most doubles the cost of a batch. */
const DEFAULT_SPIN_MICROSECONDS = 50
const MAX_SPIN_MICROSECONDS = 1000
/** A turn that keeps finding datagrams ends all the same: timers and other sockets wait no longer than this, and one batch. */
export const MAX_TURN_MICROSECONDS = 1000
