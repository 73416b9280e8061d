import { AF_INET, AF_INET6, networkOrder, writeAddress, type Addon } from '../binding/index.js'
import {
  Endpoint,
  FLAG,
  OUTGOING_MESSAGE,
  RECEIVED_MESSAGE,
  checkInteger,
  checkOptions,
  invalidArgValue,
  isIpv4MulticastWord,
  type ReceiveBatch,
} from '../core/index.js'
import { checkInterface, findInterface } from './interface-lookup.js'

/** What one datagram may say for itself, instead of what the socket is set to. */
export interface SendOptions {
  /** The local address it leaves from: a literal, or an endpoint whose port is ignored. ip(7) IP_PKTINFO. */
  source?: string | Endpoint
  /** The interface it leaves by: an index, or a name or address (looked up at every call); 0 for any. ip(7) IP_PKTINFO. */
  interface?: number | string
  /** TTL or hop limit, 1 to 255. ip(7) IP_TTL, RFC 3542 IPV6_HOPLIMIT. */
  ttl?: number
  /** The whole TOS or traffic class byte: an ECN value alone would clear the socket's DSCP. ip(7) IP_TOS, RFC 3542 IPV6_TCLASS. */
  tos?: number
}

const KNOWN: ReadonlySet<string> = new Set(['source', 'interface', 'ttl', 'tos'])

/** The ancillary data of one message, resolved: the last seven words that an outgoing message has. */
export class SendControl {
  flags = 0
  interfaceIndex = 0
  readonly source = new Uint32Array(4)
  ttl = 0
  tos = 0

  /** @throws Misuse of an option; a system error for an interface that is not there. */
  setOptions(options: SendOptions, toIpv4: boolean, addon: Addon): void {
    checkOptions('options', options, KNOWN)
    this.#clear(toIpv4)
    if (options.source !== undefined) this.#setSource(options.source, toIpv4)
    if (options.interface !== undefined && options.interface !== 0) {
      checkInterface('options.interface', options.interface)
      // An index needs no lookup; one that is not there is the kernel's to refuse.
      this.interfaceIndex =
        typeof options.interface === 'number'
          ? options.interface
          : findInterface(addon, 'options.interface', options.interface).index
    }
    if (options.source !== undefined || options.interface !== undefined) this.#addPacketInfo(toIpv4)
    if (options.ttl !== undefined) {
      this.ttl = checkInteger('options.ttl', options.ttl, 1, 255)
      this.flags |= FLAG.ttl
    }
    if (options.tos !== undefined) {
      this.tos = checkInteger('options.tos', options.tos, 0, 255)
      this.flags |= FLAG.tos
    }
  }

  /** Leave from where datagram `i` came to. */
  setReplyTo(batch: ReceiveBatch, i: number, toIpv4: boolean): void {
    this.#clear(toIpv4)
    const words = batch.messageTable
    const record = batch.recordOf(i)
    this.interfaceIndex = words[record + RECEIVED_MESSAGE.interfaceIndex]!
    if (toIpv4) {
      // Unlike the destination, never a group or a broadcast address (ip(7), ipi_spec_dst).
      const told = (words[record + RECEIVED_MESSAGE.flags]! & FLAG.localIpv4) !== 0
      this.source[0] = told
        ? words[record + RECEIVED_MESSAGE.replyAddress]!
        : unlessIpv4Group(words[record + RECEIVED_MESSAGE.localAddress + 3]!)
    } else if (!isIpv6Group(words[record + RECEIVED_MESSAGE.localAddress]!)) {
      for (let w = 0; w < 4; w++) this.source[w] = words[record + RECEIVED_MESSAGE.localAddress + w]!
    }
    this.#addPacketInfo(toIpv4)
  }

  writeTo(table: Uint32Array, at: number): void {
    table[at + OUTGOING_MESSAGE.flags] = this.flags
    table[at + OUTGOING_MESSAGE.interfaceIndex] = this.interfaceIndex
    for (let w = 0; w < 4; w++) table[at + OUTGOING_MESSAGE.sourceAddress + w] = this.source[w]!
    table[at + OUTGOING_MESSAGE.ttl] = this.ttl
    table[at + OUTGOING_MESSAGE.tos] = this.tos
  }

  /** Does message `at` carry the same? Then a datagram can join it. */
  equalsAt(table: Uint32Array, at: number): boolean {
    return (
      table[at + OUTGOING_MESSAGE.flags] === this.flags &&
      table[at + OUTGOING_MESSAGE.interfaceIndex] === this.interfaceIndex &&
      table[at + OUTGOING_MESSAGE.ttl] === this.ttl &&
      table[at + OUTGOING_MESSAGE.tos] === this.tos &&
      this.source.every((word, w) => word === table[at + OUTGOING_MESSAGE.sourceAddress + w])
    )
  }

  #clear(toIpv4: boolean): void {
    this.flags = toIpv4 ? 0 : FLAG.ipv6Control
    this.interfaceIndex = 0
    this.source.fill(0)
    this.ttl = 0
    this.tos = 0
  }

  #addPacketInfo(toIpv4: boolean): void {
    this.flags |= toIpv4 ? FLAG.localIpv4 : FLAG.localIpv6
  }

  #setSource(value: string | Endpoint, toIpv4: boolean): void {
    const source = value instanceof Endpoint ? value : Endpoint.of(value, 0, 'options.source')
    if (source.isIpv4 !== toIpv4) {
      throw invalidArgValue(
        'options.source',
        source.address,
        `must be an ${toIpv4 ? 'IPv4' : 'IPv6'} address, like the destination`,
      )
    }
    writeAddress(this.source, 0, source, toIpv4 ? AF_INET : AF_INET6)
  }
}

/** The mapped destination is all there is where the kernel did not tell the reply address. */
function unlessIpv4Group(word: number): number {
  return isIpv4MulticastWord(networkOrder(word)) || word === IPV4_BROADCAST ? 0 : word
}

const IPV4_BROADCAST = 0xffff_ffff

/** ff00::/8 (RFC 4291 section 2.7), from the first word of an address. */
function isIpv6Group(word: number): boolean {
  return networkOrder(word) >>> 24 === 0xff
}
