import {
  AF_INET,
  AF_INET6,
  ERRNO,
  EVENT,
  INTEREST,
  RECORD_LAYOUT,
  decodeSockaddr,
  encodeSockaddr,
  readAddress,
  readSockaddr,
  writeAddress,
  writeSockaddr,
  type Addon,
  type NativeEventHandler,
  type NativeInterfaceEntry,
  type NativeLayout,
  type NativeSocket,
} from '../../src/binding/index.js'
import {
  ADDRESS_WORDS,
  DATAGRAM,
  DATAGRAM_WORDS,
  Endpoint,
  FLAG,
  MAX_MESSAGES_PER_CALL,
  OUTGOING_MESSAGE,
  OUTGOING_MESSAGE_WORDS,
  RECEIVED_MESSAGE,
  RECEIVED_MESSAGE_WORDS,
  RECEIVE_HEADER,
  RECEIVE_HEADER_WORDS,
} from '../../src/core/index.js'
import * as k from '../../src/socket/kernel-constants.js'

/**
 * The addon's contract without a kernel: what a real one will not do on command is scripted here, and what was sent is recorded.
 *
 * Give it to `new UdpSocket(options, addon)`, then take its {@link FakeSocket} from {@link socket}. Nothing happens by itself:
 * {@link FakeSocket.turn} is one turn of the event loop. Where nothing is scripted it behaves as Linux does.
 */
export class FakeAddon implements Addon {
  /** One for every `new addon.Socket`, opened or not. */
  readonly sockets: FakeSocket[] = []
  /** What was thrown out of an event, which the addon would have made an uncaught exception. */
  readonly uncaught: unknown[] = []
  /** socket(2) fails with this errno. */
  openErrno = 0
  /** What getifaddrs(3) says, or a negated errno. */
  interfaceEntries: NativeInterfaceEntry[] | number = LOOPBACK_AND_ETHERNET
  readonly layout: NativeLayout = LAYOUT
  readonly Socket: new (domain: number, type: number, protocol: number, onEvent: NativeEventHandler) => FakeSocket
  /** Options (by {@link optionKey}) that every socket's kernel answers with this errno. */
  readonly optionErrnos = new Map<string, number>()
  /** Called with each socket that is made, before it is used: for scripts that a constructor runs into. */
  onSocket: ((socket: FakeSocket) => void) | undefined
  tables: { slab: Uint8Array; datagrams: Uint32Array; messages: Uint32Array } | undefined

  constructor() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the class below has a `this` of its own
    const addon = this
    this.Socket = class extends FakeSocket {
      constructor(domain: number, type: number, protocol: number, onEvent: NativeEventHandler) {
        super(addon, domain, type, protocol, onEvent)
        addon.sockets.push(this)
        addon.onSocket?.(this)
      }
    }
  }

  setReceiveTables(slab: Uint8Array, datagrams: Uint32Array, messages: Uint32Array): void {
    this.tables = { slab, datagrams, messages }
  }

  interfaces(): NativeInterfaceEntry[] | number {
    return this.interfaceEntries
  }

  /** The socket that was made last. */
  get socket(): FakeSocket {
    const last = this.sockets.at(-1)
    if (last === undefined) throw new Error('no socket was made')
    return last
  }

  /** Sockets that hold a descriptor now. */
  get open(): number {
    return this.sockets.filter((socket) => socket.isOpen).length
  }

  /** The kernel does not know this option: ENOPROTOOPT. */
  lacks(level: number, name: number): void {
    this.optionErrnos.set(optionKey(level, name), ERRNO.ENOPROTOOPT)
  }
}

/** What a script answers to one sendmmsg(2): an errno, or how many messages it takes. */
export type SendStep = { errno: number } | { take: number }

/** One message of one sendmmsg(2), decoded. */
export interface SentMessage {
  /** Undefined: to the connected peer. */
  destination: Endpoint | undefined
  /** 0: one datagram. */
  segmentBytes: number
  lengthBytes: number
  datagrams: Buffer[]
  /** What the table says for the accounting; the same as `datagrams.length` unless there is a bug. */
  countInTable: number
  control: SentControl
}

/** The ancillary data of a message; what is not sent is undefined. */
export interface SentControl {
  source: string | undefined
  interfaceIndex: number | undefined
  ttl: number | undefined
  tos: number | undefined
  /** Are TTL and TOS given at the IPv6 level? */
  ipv6: boolean
}

export interface SentDatagram {
  payload: Buffer
  destination: Endpoint | undefined
  control: SentControl
}

/** A message that arrives, perhaps coalesced. */
export interface ArrivingMessage {
  from?: Endpoint
  payload: Uint8Array | string
  /** UDP_GRO: the payload is several datagrams of this size, the last perhaps shorter. */
  segmentBytes?: number
  /** Sent to this address, and answered from `replyAddress` (IPv4; default the same). */
  to?: Endpoint
  replyAddress?: Endpoint
  interfaceIndex?: number
  ttl?: number
  tos?: number
  time?: { seconds: number; nanoseconds: number }
  /** Of a netlink socket: the port that it comes from (0, the default, is the kernel), and the groups that it was sent to. */
  netlink?: { port?: number; groups?: number }
}

/** An entry of the error queue. */
export interface ArrivingError {
  peer: Endpoint
  errno: number
  /** `SO_EE_ORIGIN`; default ICMP. */
  origin?: number
  type?: number
  code?: number
  info?: number
}

export class FakeSocket implements NativeSocket {
  isOpen: boolean
  closeCalls = 0
  isRef = true
  interest = 0
  slots = { bytes: 0, stride: 0, count: 0 }
  /** How long a turn looks for the next batch, and may last; a turn here takes one batch all the same. */
  turnLimits = { spinNs: 0, turnNs: 0 }
  /** Options as they were set, by {@link optionKey}. */
  readonly options = new Map<string, Uint8Array>()
  /** Each setOption that succeeded, in order. */
  readonly optionCalls: { level: number; name: number; value: Uint8Array }[] = []
  /** net.core.rmem_max and wmem_max, and CAP_NET_ADMIN. */
  maxBufferBytes = 212_992
  mayForceBuffers = false
  /** The MTU of the path to a connected peer. */
  pathMtuBytes = 1500

  /** bind(2), connect(2) and uv_poll fail with this errno. */
  bindErrno = 0
  connectErrno = 0
  pollErrno = 0

  /** One answer a call of sendmmsg(2), before anything else is looked at. */
  readonly sendScript: SendStep[] = []
  /** Refuses a message by what it is: an errno, or 0. As in the kernel, messages before it are taken and the count is short. */
  sendRule: (message: SentMessage) => number = () => 0
  /** Datagrams that the kernel's send buffer has room for; a message goes whole or not at all. */
  room = Infinity
  /** An error that waits in the socket (SO_ERROR): the next call fails with it, once. */
  pendingErrno = 0
  /** Messages taken, the datagrams in them, and each call with its result. */
  readonly messages: SentMessage[] = []
  readonly datagrams: SentDatagram[] = []
  readonly sendCalls: { offered: SentMessage[]; result: number }[] = []

  /** Datagrams that the kernel dropped, as SO_MEMINFO says; a message that arrives notes it for SO_RXQ_OVFL. */
  drops = 0
  /** The next receive of a batch fails with this errno, once. */
  receiveErrno = 0
  readonly #arrived: { message: ArrivingMessage; drops: number }[] = []
  readonly #errors: ArrivingError[] = []
  readonly #addon: FakeAddon
  readonly #onEvent: NativeEventHandler
  readonly #fd: number
  /** This socket's own memory; undefined: that of the thread. */
  #ownTables: Tables | undefined
  #local: Endpoint
  #peer: Endpoint | undefined

  constructor(
    addon: FakeAddon,
    readonly domain: number,
    readonly type: number,
    readonly protocol: number,
    onEvent: NativeEventHandler,
  ) {
    this.#addon = addon
    this.#onEvent = onEvent
    this.isOpen = addon.openErrno === 0
    this.#fd = this.isOpen ? FIRST_FD + addon.sockets.length : -addon.openErrno
    this.#local = domain === AF_INET ? Endpoint.of('0.0.0.0', 0) : Endpoint.of('::', 0)
  }

  // --- The script's side ---

  /** Puts messages into the receive buffer. */
  arrive(...messages: ArrivingMessage[]): void {
    this.#arrived.push(...messages.map((message) => ({ message, drops: this.drops })))
  }

  /** Puts entries into the error queue. */
  arriveErrors(...errors: ArrivingError[]): void {
    this.#errors.push(...errors)
  }

  get unread(): number {
    return this.#arrived.length
  }

  get unreadErrors(): number {
    return this.#errors.length
  }

  /** One turn of the event loop, as the addon's poll handler takes it. True when there was something to do. */
  turn(): boolean {
    if (!this.isOpen || this.interest === INTEREST.none) return false
    if (this.#errors.length > 0 || this.pendingErrno !== 0) {
      const errno = this.pendingErrno
      this.pendingErrno = 0
      this.#dispatch(EVENT.error, errno)
      return true
    }
    let busy = false
    if (this.#polls(INTEREST.writable) && this.room > 0) {
      busy = true
      this.#dispatch(EVENT.writable, 0)
    }
    if (!this.isOpen || !this.#polls(INTEREST.readable)) return busy
    const received = this.receive(0)
    if (received === -ERRNO.EAGAIN || received === -ERRNO.EINTR) return busy
    if (received > 0) this.#dispatch(EVENT.batch, received)
    else this.#dispatch(EVENT.error, -received)
    return true
  }

  get isReading(): boolean {
    return this.isOpen && this.#polls(INTEREST.readable)
  }

  get isWaitingToWrite(): boolean {
    return this.isOpen && this.#polls(INTEREST.writable)
  }

  get isWatchingErrors(): boolean {
    return this.isOpen && this.#polls(INTEREST.errors)
  }

  /** The value of an option as an int; undefined when it was never set. */
  optionInt(level: number, name: number): number | undefined {
    const value = this.options.get(optionKey(level, name))
    return value && new DataView(value.buffer, value.byteOffset).getInt32(0, LITTLE)
  }

  // --- The contract ---

  fd(): number {
    if (this.isOpen) return this.#fd
    return this.#fd < 0 ? this.#fd : -ERRNO.EBADF
  }

  bind(address: Uint8Array): number {
    if (!this.isOpen) return -ERRNO.EBADF
    if (this.bindErrno !== 0) return -this.bindErrno
    if (this.domain === k.AF_NETLINK) return 0
    const local = decodeSockaddr(address)
    if (local === undefined) return -ERRNO.EINVAL
    this.#local = local.port === 0 ? local.withPort(EPHEMERAL_PORT) : local
    return 0
  }

  connect(address: Uint8Array): number {
    if (!this.isOpen) return -ERRNO.EBADF
    if (this.connectErrno !== 0) return -this.connectErrno
    this.#peer = decodeSockaddr(address)
    if (this.#local.port === 0) this.#local = this.#local.withPort(EPHEMERAL_PORT)
    return 0
  }

  getName(ofPeer: boolean, out: Uint8Array): number {
    if (!this.isOpen) return -ERRNO.EBADF
    const name = ofPeer ? this.#peer : this.#local
    if (name === undefined) return -ERRNO.ENOTCONN
    const bytes = encodeSockaddr(name, this.domain)!
    out.set(bytes)
    return bytes.length
  }

  setOption(level: number, name: number, value: Uint8Array): number {
    if (!this.isOpen) return -ERRNO.EBADF
    const key = optionKey(level, name)
    const errno = this.#addon.optionErrnos.get(key)
    if (errno !== undefined) return -errno
    const buffer = level === k.SOL_SOCKET ? BUFFER_OPTIONS.get(name) : undefined
    if (buffer?.force && !this.mayForceBuffers) return -ERRNO.EPERM
    this.optionCalls.push({ level, name, value: value.slice() })
    if (buffer === undefined) {
      this.options.set(key, value.slice())
      return 0
    }
    const asked = new DataView(value.buffer, value.byteOffset).getInt32(0, LITTLE)
    const given = 2 * (buffer.force ? asked : Math.min(asked, this.maxBufferBytes))
    this.options.set(optionKey(level, buffer.option), int32(given))
    return 0
  }

  getOption(level: number, name: number, out: Uint8Array): number {
    if (!this.isOpen) return -ERRNO.EBADF
    const key = optionKey(level, name)
    const errno = this.#addon.optionErrnos.get(key)
    if (errno !== undefined) return -errno
    if (level === k.SOL_SOCKET && name === k.SO_MEMINFO) return this.#writeMemoryInfo(out)
    if (key === IPV4_MTU || key === IPV6_MTU) {
      if (this.#peer === undefined) return -ERRNO.ENOTCONN
      out.set(int32(this.pathMtuBytes))
      return 4
    }
    const value = (this.options.get(key) ?? new Uint8Array(4)).subarray(0, out.length)
    out.set(value)
    return value.length
  }

  poll(interest: number): number {
    if (!this.isOpen) return -ERRNO.EBADF
    if (this.pollErrno !== 0) return -this.pollErrno
    this.interest = interest
    return 0
  }

  setSlots(slotBytes: number, strideBytes: number, slots: number): number {
    if (slots > MAX_MESSAGES_PER_CALL || slotBytes > strideBytes) return -ERRNO.EINVAL
    this.slots = { bytes: slotBytes, stride: strideBytes, count: slots }
    return 0
  }

  setMemory(slab: Uint8Array, datagrams: Uint32Array, messages: Uint32Array): void {
    this.#ownTables = { slab, datagrams, messages }
  }

  setTurn(spinNs: number, turnNs: number): void {
    this.turnLimits = { spinNs, turnNs }
  }

  receive(flags: number): number {
    if (!this.isOpen) return -ERRNO.EBADF
    if ((flags & k.MSG_ERRQUEUE) !== 0) return this.#receiveErrors()
    if (this.receiveErrno !== 0) {
      const errno = this.receiveErrno
      this.receiveErrno = 0
      return -errno
    }
    return this.#receiveBatch()
  }

  send(slab: Uint8Array, messages: Uint32Array, first: number, count: number): number {
    if (!this.isOpen) return -ERRNO.EBADF
    if (count < 1 || (first + count) * OUTGOING_MESSAGE_WORDS > messages.length) throw new TypeError('a record outside its table')
    const offered: SentMessage[] = []
    for (let i = first; i < first + Math.min(count, MAX_MESSAGES_PER_CALL); i++) offered.push(decodeMessage(slab, messages, i))
    const result = this.#sendmmsg(offered)
    this.sendCalls.push({ offered, result })
    for (const message of offered.slice(0, Math.max(result, 0))) this.#take(message)
    return result
  }

  duplicate(): number {
    throw new Error('a fake descriptor has no duplicate')
  }

  setRef(ref: boolean): void {
    this.isRef = ref
  }

  close(): void {
    this.closeCalls++
    this.isOpen = false
    this.interest = INTEREST.none
  }

  // --- The kernel's side ---

  #polls(interest: number): boolean {
    return (this.interest & interest) !== 0
  }

  /** The addon makes what an event handler throws an uncaught exception; here it is kept for the test to look at. */
  #dispatch(event: number, value: number): void {
    try {
      this.#onEvent.call(this, event, value)
    } catch (error) {
      this.#addon.uncaught.push(error)
    }
  }

  #sendmmsg(offered: readonly SentMessage[]): number {
    const step = this.sendScript.shift()
    if (step !== undefined && 'errno' in step) return -step.errno
    const limit = step?.take ?? offered.length
    if (this.pendingErrno !== 0) {
      const errno = this.pendingErrno
      this.pendingErrno = 0
      return -errno
    }
    let taken = 0
    let room = this.room
    for (const message of offered.slice(0, limit)) {
      const errno = this.#refusal(message, room)
      if (errno !== 0) return taken > 0 ? taken : -errno
      room -= message.datagrams.length
      taken++
    }
    return taken
  }

  #refusal(message: SentMessage, room: number): number {
    if (message.destination === undefined && this.#peer === undefined && this.domain !== k.AF_NETLINK) return EDESTADDRREQ
    if (message.lengthBytes > MAX_UDP_PAYLOAD_BYTES) return ERRNO.EMSGSIZE
    if (message.segmentBytes > 0 && message.datagrams.length > MAX_SEGMENTS) return ERRNO.EINVAL
    const errno = this.sendRule(message)
    if (errno !== 0) return errno
    return message.datagrams.length > room ? ERRNO.EAGAIN : 0
  }

  #take(message: SentMessage): void {
    this.room -= message.datagrams.length
    if (this.#local.port === 0) this.#local = this.#local.withPort(EPHEMERAL_PORT)
    this.messages.push(message)
    const { destination, control } = message
    for (const payload of message.datagrams) this.datagrams.push({ payload, destination: destination ?? this.#peer, control })
  }

  #writeMemoryInfo(out: Uint8Array): number {
    const words = new Uint32Array(k.SK_MEMINFO_WORDS)
    words[k.SK_MEMINFO_DROPS] = this.drops
    const bytes = new Uint8Array(words.buffer).subarray(0, out.length)
    out.set(bytes)
    return bytes.length
  }

  #receiveBatch(): number {
    const tables = this.#tables()
    // Memory that was transferred away has no slot.
    if (tables.slab.length < this.slots.bytes || tables.messages.length === 0) return -ERRNO.ENOBUFS
    const count = Math.min(this.#arrived.length, this.slots.count)
    if (count === 0) return -ERRNO.EAGAIN
    tables.messages.fill(0, 0, RECEIVE_HEADER_WORDS)
    for (let i = 0; i < count; i++) {
      const { message, drops } = this.#arrived.shift()!
      this.#writeReceived(tables, i, message)
      if (drops !== 0 && (this.optionInt(k.SOL_SOCKET, k.SO_RXQ_OVFL) ?? 0) !== 0) {
        tables.messages[RECEIVE_HEADER.hasKernelDrops] = 1
        tables.messages[RECEIVE_HEADER.kernelDrops] = drops
      }
    }
    tables.messages[RECEIVE_HEADER.messages] = count
    return count
  }

  #writeReceived(tables: Tables, i: number, arriving: ArrivingMessage): void {
    const { messages, slab } = tables
    const at = RECEIVE_HEADER_WORDS + i * RECEIVED_MESSAGE_WORDS
    const payload = typeof arriving.payload === 'string' ? Buffer.from(arriving.payload) : arriving.payload
    const present = Math.min(payload.length, this.slots.bytes)
    slab.set(payload.subarray(0, present), i * this.slots.stride)
    messages.fill(0, at, at + RECEIVED_MESSAGE_WORDS)
    messages[at + RECEIVED_MESSAGE.sourceBytes] = this.#writeSource(messages, at + RECEIVED_MESSAGE.source, arriving)
    messages[at + RECEIVED_MESSAGE.segmentBytes] = arriving.segmentBytes ?? 0
    writeAncillary(messages, at, arriving, this.domain)
    if (present < payload.length) {
      messages[at + RECEIVED_MESSAGE.flags]! |= FLAG.truncatedPayload
      messages[RECEIVE_HEADER.truncated]!++
    }
    messages[RECEIVE_HEADER.payloadBytes]! += present
    this.#writeDatagrams(tables, i, present, payload.length, arriving.segmentBytes ?? payload.length)
  }

  #writeSource(messages: Uint32Array, at: number, { from, netlink }: ArrivingMessage): number {
    if (this.domain !== k.AF_NETLINK) return writeSockaddr(messages, at, from ?? DEFAULT_SOURCE, this.domain)
    messages.set([k.AF_NETLINK, netlink?.port ?? 0, netlink?.groups ?? 0], at)
    return SOCKADDR_NL_BYTES
  }

  #writeDatagrams(tables: Tables, message: number, present: number, onWire: number, step: number): void {
    const { messages, datagrams } = tables
    let done = 0
    do {
      const wireLength = Math.min(step, onWire - done)
      const at = messages[RECEIVE_HEADER.datagrams]! * DATAGRAM_WORDS
      if (at >= datagrams.length) messages[RECEIVE_HEADER.overflow]!++
      else {
        datagrams[at + DATAGRAM.offset] = message * this.slots.stride + done
        datagrams[at + DATAGRAM.length] = Math.max(0, Math.min(wireLength, present - done))
        datagrams[at + DATAGRAM.message] = message
        datagrams[at + DATAGRAM.wireLength] = wireLength
        messages[RECEIVE_HEADER.datagrams]!++
      }
      done += wireLength
    } while (done < onWire)
  }

  #receiveErrors(): number {
    const { messages } = this.#tables()
    const count = Math.min(this.#errors.length, this.slots.count)
    if (count === 0) return -ERRNO.EAGAIN
    for (let i = 0; i < count; i++) {
      const error = this.#errors.shift()!
      const at = RECEIVE_HEADER_WORDS + i * RECEIVED_MESSAGE_WORDS
      messages.fill(0, at, at + RECEIVED_MESSAGE_WORDS)
      messages[at + RECEIVED_MESSAGE.sourceBytes] = writeSockaddr(messages, at + RECEIVED_MESSAGE.source, error.peer, this.domain)
      messages[at + RECEIVED_MESSAGE.flags] = FLAG.isError
      messages[at + RECEIVED_MESSAGE.errno] = error.errno
      const origin = error.origin ?? (this.domain === AF_INET6 ? k.SO_EE_ORIGIN.icmp6 : k.SO_EE_ORIGIN.icmp)
      messages[at + RECEIVED_MESSAGE.origin] = origin | ((error.type ?? 3) << 8) | ((error.code ?? 3) << 16)
      messages[at + RECEIVED_MESSAGE.info] = error.info ?? 0
    }
    return count
  }

  #tables(): Tables {
    if (this.#ownTables !== undefined) return this.#ownTables
    if (this.#addon.tables === undefined) throw new Error('receive before setReceiveTables')
    return this.#addon.tables
  }
}

interface Tables {
  slab: Uint8Array
  datagrams: Uint32Array
  messages: Uint32Array
}

/** How options are named in {@link FakeSocket.options} and {@link FakeAddon.optionErrnos}. */
export function optionKey(level: number, name: number): string {
  return `${level}:${name}`
}

/** An entry of getifaddrs(3). */
export function interfaceEntry(name: string, index: number, address: string | undefined): NativeInterfaceEntry {
  const endpoint = address === undefined ? undefined : Endpoint.of(address, 0)
  const bytes = endpoint && encodeSockaddr(endpoint, endpoint.family === 'IPv4' ? AF_INET : AF_INET6)
  return { name, index, flags: 0x1043, address: bytes ?? null, netmask: null, broadcast: null }
}

function decodeMessage(slab: Uint8Array, table: Uint32Array, message: number): SentMessage {
  const at = message * OUTGOING_MESSAGE_WORDS
  const field = (name: keyof typeof OUTGOING_MESSAGE): number => table[at + OUTGOING_MESSAGE[name]]!
  const offset = field('offset')
  const length = field('length')
  if (offset + length > slab.length || field('destinationBytes') > ADDRESS_WORDS * 4) {
    throw new TypeError('a record reaches outside its slab')
  }
  const segmentBytes = field('segmentBytes')
  const payload = Buffer.from(slab.slice(offset, offset + length))
  return {
    destination: field('destinationBytes') === 0 ? undefined : readSockaddr(table, at + OUTGOING_MESSAGE.destination),
    segmentBytes,
    lengthBytes: length,
    datagrams: segmentBytes === 0 ? [payload] : cut(payload, segmentBytes),
    countInTable: field('datagrams'),
    control: decodeControl(table, at),
  }
}

function decodeControl(table: Uint32Array, at: number): SentControl {
  const flags = table[at + OUTGOING_MESSAGE.flags]!
  const has = (flag: number): boolean => (flags & flag) !== 0
  const family = has(FLAG.localIpv4) ? AF_INET : AF_INET6
  const packetInfo = has(FLAG.localIpv4) || has(FLAG.localIpv6)
  return {
    source: packetInfo ? readAddress(table, at + OUTGOING_MESSAGE.sourceAddress, family).address : undefined,
    interfaceIndex: packetInfo ? table[at + OUTGOING_MESSAGE.interfaceIndex]! : undefined,
    ttl: has(FLAG.ttl) ? table[at + OUTGOING_MESSAGE.ttl]! : undefined,
    tos: has(FLAG.tos) ? table[at + OUTGOING_MESSAGE.tos]! : undefined,
    ipv6: has(FLAG.ipv6Control),
  }
}

function cut(payload: Buffer, segmentBytes: number): Buffer[] {
  const datagrams: Buffer[] = []
  for (let at = 0; at < payload.length; at += segmentBytes) datagrams.push(payload.subarray(at, at + segmentBytes))
  return datagrams
}

function writeAncillary(messages: Uint32Array, at: number, arriving: ArrivingMessage, domain: number): void {
  let flags = 0
  messages[at + RECEIVED_MESSAGE.interfaceIndex] = arriving.interfaceIndex ?? 0
  if (arriving.to !== undefined) {
    writeAddress(messages, at + RECEIVED_MESSAGE.localAddress, arriving.to, domain)
    flags |= domain === AF_INET ? FLAG.localIpv4 : FLAG.localIpv6
    if (domain === AF_INET) {
      writeAddress(messages, at + RECEIVED_MESSAGE.replyAddress, arriving.replyAddress ?? arriving.to, AF_INET)
    }
  }
  if (arriving.ttl !== undefined) {
    messages[at + RECEIVED_MESSAGE.ttl] = arriving.ttl
    flags |= FLAG.ttl
  }
  if (arriving.tos !== undefined) {
    messages[at + RECEIVED_MESSAGE.tos] = arriving.tos
    flags |= FLAG.tos
  }
  if (arriving.time !== undefined) {
    messages[at + RECEIVED_MESSAGE.seconds] = arriving.time.seconds
    messages[at + RECEIVED_MESSAGE.nanoseconds] = arriving.time.nanoseconds
    flags |= FLAG.time
  }
  messages[at + RECEIVED_MESSAGE.flags] = flags
}

function int32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer)
}

const LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
const FIRST_FD = 20
const EPHEMERAL_PORT = 40_000
const EDESTADDRREQ = 89
const SOCKADDR_NL_BYTES = 12
const MAX_UDP_PAYLOAD_BYTES = 65_527
/** `UDP_MAX_SEGMENTS` until Linux 6.8. */
const MAX_SEGMENTS = 64
const DEFAULT_SOURCE = Endpoint.of('192.0.2.1', 7)
const IPV4_MTU = optionKey(k.IPPROTO_IP, k.IP_MTU)
const IPV6_MTU = optionKey(k.IPPROTO_IPV6, k.IPV6_MTU)

/** The force variants write the same option (socket(7)). */
const BUFFER_OPTIONS: ReadonlyMap<number, { option: number; force: boolean }> = new Map([
  [k.SO_RCVBUF, { option: k.SO_RCVBUF, force: false }],
  [k.SO_SNDBUF, { option: k.SO_SNDBUF, force: false }],
  [k.SO_RCVBUFFORCE, { option: k.SO_RCVBUF, force: true }],
  [k.SO_SNDBUFFORCE, { option: k.SO_SNDBUF, force: true }],
])

export const LOOPBACK_AND_ETHERNET: NativeInterfaceEntry[] = [
  interfaceEntry('lo', 1, undefined),
  interfaceEntry('eth7', 7, undefined),
  interfaceEntry('lo', 1, '127.0.0.1'),
  interfaceEntry('eth7', 7, '192.0.2.7'),
  interfaceEntry('eth7', 7, '198.51.100.7'),
  interfaceEntry('lo', 1, '::1'),
  interfaceEntry('eth7', 7, 'fe80::7'),
]

/** As the 64-bit ABIs have it. */
const LAYOUT: NativeLayout = {
  ...RECORD_LAYOUT,
  pointerBytes: 8,
  groupRequestAddressOffset: 8,
  groupSourceRequestSourceOffset: 136,
  groupSourceRequestBytes: 264,
}
