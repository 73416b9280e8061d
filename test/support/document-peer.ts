/**
 * A peer of streams written from `docs/wire/stream.md` alone, with nothing of `src/stream`: if it understands a node and a node
 * understands it, the document says enough. It is simple where the document lets it be: one remote, no congestion control, no probing.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import {
  BYE,
  CHALLENGE,
  CONTROL,
  GONE,
  HEARTBEAT,
  HELLO,
  INTEGRITIES,
  KINDS,
  MARK,
  OPEN,
  OPENER,
  PING,
  PONG,
  PROBE,
  PROBE_ACK,
  REFUSE,
  RESET,
  STRANGER,
  WELCOME,
  crc32c,
  pack,
  unpack,
} from './document-frames.js'
import { DocumentStream, type DocumentStreamTerms } from './document-stream.js'

const TRAILER_BYTES = [0, 4, 16] as const

export interface NodeId {
  readonly place: number
  readonly life: number
}

export interface DocumentPeerOptions {
  readonly name?: string
  readonly integrity?: keyof typeof INTEGRITIES
  readonly secret?: string
  readonly frameBytes?: number
}

interface Remote {
  readonly id: NodeId
  readonly port: number
  readonly name: string
  /** Of new frames, trailer included. */
  readonly frameBytes: number
  /** What this side and the remote call the session. */
  readonly session: { readonly own: number; readonly theirs: number }
}

export class DocumentPeer {
  readonly name: string
  id: NodeId
  remote: Remote | undefined
  /** Streams by who opened them and their ids. */
  readonly streams = new Map<string, DocumentStream>()
  /** True: the frame (without its trailer) gets lost. */
  lose: (frame: Buffer, isSent: boolean) => boolean = () => false
  /** How many frames were ignored, by reason. */
  readonly dropped: Record<string, number> = {}
  /** What the remote did that the document does not allow. */
  readonly faults: string[] = []
  /** How streams of the remote are taken; undefined: they are refused. */
  accept: ((stream: DocumentStream) => void) | undefined = () => undefined

  readonly #socket = createSocket({ type: 'udp4', recvBufferSize: 200_000 })
  readonly #integrity: number
  readonly #secret: string
  readonly #frameBytes: number
  readonly #cookieKey = randomBytes(32)
  readonly #over = new Map<string, number>()
  readonly #resets = new Map<string, { stream: DocumentStream; reason: number; dueMs: number; waitMs: number }>()
  readonly #controls: Buffer[] = []
  readonly #waiting = new Set<() => void>()
  #nextId = randomBytes(4).readUInt32LE()
  #asking: { port: number; cookie: Buffer; session: number; dueMs: number; waitMs: number } | undefined
  #ticking: NodeJS.Timeout | undefined

  constructor({ name = 'document', integrity = 'none', secret = '', frameBytes = 1400 }: DocumentPeerOptions = {}) {
    this.name = name
    this.id = newLife(name)
    this.#integrity = INTEGRITIES[integrity]
    this.#secret = secret
    this.#frameBytes = frameBytes
  }

  async bind(): Promise<number> {
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve))
    this.#socket.on('message', (datagram, { port }) => this.#onDatagram(datagram, port))
    this.#ticking = setInterval(() => this.#tick(), 2)
    return this.#socket.address().port
  }

  close(): void {
    clearInterval(this.#ticking)
    this.#socket.close()
  }

  /** Joins the node at a port of this host. */
  async join(port: number): Promise<Remote> {
    this.#asking = { port, cookie: Buffer.alloc(0), session: drawNumber(), dueMs: 0, waitMs: 50 }
    return this.until(() => this.remote)
  }

  leave(reason = 0): void {
    this.control(BYE, pack('24', reason, this.remote!.session.own))
    this.remote = undefined
  }

  /** As a process that was killed and started again. */
  restart(): void {
    this.id = newLife(this.name)
    this.#lose()
  }

  open(terms: Partial<DocumentStreamTerms> = {}): DocumentStream {
    this.#nextId = (this.#nextId + 1) >>> 0 || 1
    const first = randomBytes(4).readUInt32LE()
    const all = { kind: KINDS.reliable, isUnordered: false, label: '', first, window: 1024, ...terms }
    const stream = new DocumentStream(this, this.#nextId, true, all)
    this.streams.set(keyOf(stream), stream)
    stream.sayOpen()
    return stream
  }

  /** Gives a stream up, and says so until the other side knows. */
  reset(stream: DocumentStream, reason = 3): void {
    this.forget(stream, reason)
    this.#resets.set(keyOf(stream), { stream, reason, dueMs: 0, waitMs: 10 })
    this.#tick()
  }

  /** The stream is over. */
  forget(stream: DocumentStream, reason: number): void {
    this.streams.delete(keyOf(stream))
    this.#over.set(keyOf(stream), reason)
  }

  /** What `look` finds, now or after a later frame or tick. */
  until<T>(look: () => T | undefined | false): Promise<T> {
    return new Promise((resolve) => {
      const check = (): void => {
        const found = look()
        if (found === undefined || found === false) return
        this.#waiting.delete(check)
        resolve(found)
      }
      this.#waiting.add(check)
      check()
    })
  }

  /** The oldest control frame of this type that nobody took, now or when it comes. */
  take(type: number, match: (frame: Buffer) => boolean = () => true): Promise<Buffer> {
    return this.until(() => {
      const index = this.#controls.findIndex((frame) => frame[1] === type && match(frame))
      return index >= 0 && this.#controls.splice(index, 1)[0]
    })
  }

  /** How many control frames of this type came that nobody took. */
  untaken(type: number): number {
    return this.#controls.filter((frame) => frame[1] === type).length
  }

  /** Bytes of the longest frame to the remote, without the trailer. */
  get roomBytes(): number {
    return (this.remote?.frameBytes ?? 1200) - TRAILER_BYTES[this.#integrity]!
  }

  control(type: number, fields: Buffer, flags = 0, to: NodeId = this.remote!.id, port = this.remote!.port): void {
    this.transmit(Buffer.concat([this.header(CONTROL | flags, type, to), fields]), port)
  }

  header(flags: number, second: number, to: NodeId = this.remote!.id): Buffer {
    return pack('11114444', MARK | flags, second, this.#integrity, 1, this.id.place, this.id.life, to.place, to.life)
  }

  /** Sends a frame: the trailer is put behind it. */
  transmit(frame: Buffer, port = this.remote?.port): void {
    if (port === undefined || this.lose(frame, true)) return
    this.transmitRaw(Buffer.concat([frame, this.#trailerOf(frame)]), port)
  }

  transmitRaw(datagram: Buffer, port = this.remote!.port): void {
    this.#socket.send(datagram, port, '127.0.0.1')
  }

  #trailerOf(frame: Buffer): Buffer {
    if (this.#integrity === 0) return Buffer.alloc(0)
    if (this.#integrity === 1) return pack('4', crc32c(frame))
    return createHmac('sha256', this.#secret).update(frame).digest().subarray(0, 16)
  }

  #onDatagram(datagram: Buffer, port: number): void {
    const frame = this.#check(datagram)
    if (typeof frame === 'string') this.#drop(frame)
    else if (!this.lose(frame, false)) this.#onFrame(frame, port)
    for (const check of [...this.#waiting]) check()
  }

  /** The frame without its trailer, or why it is ignored. */
  #check(datagram: Buffer): Buffer | string {
    const end = datagram.length - TRAILER_BYTES[this.#integrity]!
    if (end < 20) return 'short'
    const [flags, , integrity, version] = unpack('1111', datagram, 0) as [number, number, number, number]
    if ((flags & 0xc0) !== MARK) return 'foreign'
    if (version !== 1) return 'version'
    if (integrity !== this.#integrity) return 'integrityMode'
    const frame = datagram.subarray(0, end)
    return this.#trailerOf(frame).equals(datagram.subarray(end)) ? frame : 'integrity'
  }

  #onFrame(frame: Buffer, port: number): void {
    const [senderPlace, senderLife, place, life] = unpack('4444', frame, 4) as [number, number, number, number]
    const [isControl, type] = [(frame[0]! & CONTROL) !== 0, frame[1]!]
    const sender = { place: senderPlace, life: senderLife }
    if (isControl) this.#controls.push(frame)
    if (isControl && type === HELLO) return this.#onHello(frame, sender, port)
    const isMine = isSame(this.id, { place, life })
    if (isControl && isMine && type <= REFUSE) return this.#onAnswer(frame, sender, port)
    if (!isMine || !this.remote || !isSame(this.remote.id, sender)) {
      this.#drop(isMine ? 'unknownPeer' : 'otherLife')
      const asked = isControl && type === PING ? frame.readUInt32LE(24) : 0
      const isAsking = asked === 0 ? port === this.#asking?.port : asked === this.#asking?.session
      const isAnswered = frame.length >= 32 && !(isControl && type === STRANGER) && !(isMine && isAsking)
      if (isAnswered) this.control(STRANGER, pack('444', place, life, asked), 0, sender, port)
      // One that has restarted says so of its earlier life.
      if (isMine && isControl && type === STRANGER) this.#onStranger(frame)
      return
    }
    if (this.remote.port !== port) return this.#drop('wrongEndpoint')
    if (isControl) this.#onControl(frame, type)
    else this.#onData(frame)
  }

  #onHello(frame: Buffer, sender: NodeId, port: number): void {
    const [lowest, highest, cookieBytes, nameBytes, frameBytes, , time] = unpack('1111224', frame, 20)
    const theirs = frame.readUInt32LE(48)
    if (lowest! > 1 || highest! < 1) return this.control(REFUSE, pack('2114', 1, 1, 1, theirs), 0, sender, port)
    const slot = Math.floor(Date.now() / 30_000)
    const cookies = [slot, slot - 1].map((when) => this.#cookieOf(sender, port, when))
    const given = frame.subarray(32, 32 + cookieBytes!)
    if (!cookies.some((cookie) => cookie.equals(given))) {
      return this.control(CHALLENGE, Buffer.concat([pack('4', time!), cookies[0]!]), 0, sender, port)
    }
    if (this.remote && !(isSame(this.remote.id, sender) && this.remote.session.theirs === theirs)) return this.ping()
    const own = this.#asking?.port === port ? this.#asking.session : drawNumber()
    this.#admit(sender, port, frame.subarray(52, 52 + nameBytes!), frameBytes!, { own, theirs })
    const name = Buffer.from(this.name)
    const fields = pack('112444', 1, name.length, this.#frameBytes, time!, this.remote!.session.own, theirs)
    this.control(WELCOME, Buffer.concat([fields, name]), 0, sender, port)
  }

  ping(time = this.now()): void {
    this.control(PING, pack('444', time, this.remote!.session.theirs, 0))
  }

  #cookieOf({ place, life }: NodeId, port: number, slot: number): Buffer {
    return createHmac('sha256', this.#cookieKey)
      .update(pack('4424', place, life, port, slot))
      .digest()
      .subarray(0, 16)
  }

  #onAnswer(frame: Buffer, sender: NodeId, port: number): void {
    if (port !== this.#asking?.port) return this.#drop('unexpectedAnswer')
    if (frame[1] === CHALLENGE) {
      Object.assign(this.#asking, { cookie: Buffer.from(frame.subarray(24, 40)), dueMs: 0 })
      this.#tick()
    } else if (frame[1] === WELCOME) {
      const [, nameBytes, frameBytes, , theirs, own] = unpack('112444', frame, 20) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ]
      if (own !== this.#asking.session) return this.#drop('otherSession')
      this.#admit(sender, port, frame.subarray(36, 36 + nameBytes), frameBytes, { own, theirs })
    } else if (frame.readUInt32LE(24) === this.#asking.session) {
      this.#asking = undefined
    } else {
      this.#drop('otherSession')
    }
  }

  #admit(id: NodeId, port: number, name: Buffer, frameBytes: number, session: Remote['session']): void {
    this.#asking = undefined
    if (this.remote) return
    const shorter = Math.max(1200, Math.min(frameBytes, this.#frameBytes))
    this.remote = { id, port, name: name.toString(), frameBytes: shorter, session }
  }

  #onControl(frame: Buffer, type: number): void {
    if (type === PING) this.#onPing(frame)
    else if (type === PROBE) this.control(PROBE_ACK, frame.subarray(20, 22))
    else if (type === BYE) this.#onBye(frame.readUInt32LE(22))
    else if (type === STRANGER) this.#onStranger(frame)
    else if ((type >= OPEN && type <= RESET) || type === GONE) this.#onStreamControl(frame, type)
    else if (type !== PONG && type !== PROBE_ACK) this.faults.push(`type ${type}`)
  }

  #onPing(frame: Buffer): void {
    const session = frame.readUInt32LE(24)
    if (session === this.remote!.session.own) return this.control(PONG, frame.subarray(20, 24))
    this.#drop('otherSession')
    this.control(STRANGER, pack('444', this.id.place, this.id.life, session))
  }

  #onBye(session: number): void {
    if (session === this.remote!.session.theirs) this.#lose()
    else this.#drop('otherSession')
  }

  #onStranger(frame: Buffer): void {
    if (!this.remote || !isSame(this.remote.id, idAt(frame, 20))) return
    const session = frame.readUInt32LE(28)
    if (session === 0) this.ping()
    else if (session === this.remote.session.theirs) this.#lose()
    else this.#drop('otherSession')
  }

  #lose(): void {
    this.remote = undefined
    this.streams.clear()
  }

  #onStreamControl(frame: Buffer, type: number): void {
    const [key, id] = [keyIn(frame), frame.readUInt32LE(20)]
    const isOurs = (frame[0]! & OPENER) === 0
    const answer = (what: number, fields: Buffer): void =>
      this.control(what, Buffer.concat([pack('4', id), fields]), isOurs ? OPENER : 0)
    const stream = this.streams.get(key)
    if (type === GONE) return void this.#resets.delete(key)
    if (type === RESET) {
      stream?.onReset(frame.readUInt16LE(24))
      this.streams.delete(key)
      if (!isOurs) this.#over.set(key, 1)
      return answer(GONE, Buffer.alloc(0))
    }
    if (stream) return stream.onControl(frame, type)
    if (type === OPEN && !this.#over.has(key)) return this.#accept(frame, id, answer)
    if (type === OPEN || type === HEARTBEAT) answer(RESET, pack('2', this.#over.get(key) ?? 1))
  }

  #accept(frame: Buffer, id: number, answer: (what: number, fields: Buffer) => void): void {
    const [kind, options, labelBytes, , first, window] = unpack('111144', frame, 24) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    if (!this.accept) return answer(RESET, pack('2', 2))
    const label = frame.subarray(36, 36 + labelBytes).toString()
    const stream = new DocumentStream(this, id, false, { kind, isUnordered: (options & 1) !== 0, label, first, window })
    this.streams.set(keyOf(stream), stream)
    this.accept(stream)
    stream.sayStatus()
  }

  #onData(frame: Buffer): void {
    if (frame.length > this.#frameBytes - TRAILER_BYTES[this.#integrity]!) this.faults.push(`a frame of ${frame.length} bytes`)
    const stream = this.streams.get(keyIn(frame))
    if (stream) stream.onData(frame)
    else this.#drop('unknownStream')
  }

  #tick(): void {
    const nowMs = performance.now()
    const asking = this.#asking
    if (asking && nowMs >= asking.dueMs) {
      const [name, hasCookie] = [Buffer.from(this.name), asking.cookie.length > 0]
      const fields = pack('1111224', 1, 1, asking.cookie.length, name.length, this.#frameBytes, 0, this.now())
      this.control(
        HELLO,
        Buffer.concat([fields, hasCookie ? asking.cookie : Buffer.alloc(16), pack('4', asking.session), name]),
        0,
        { place: 0, life: 0 },
        asking.port,
      )
      Object.assign(asking, { dueMs: nowMs + asking.waitMs, waitMs: Math.min(1000, asking.waitMs * 2) })
    }
    for (const pending of this.#resets.values()) {
      if (nowMs < pending.dueMs) continue
      Object.assign(pending, { dueMs: nowMs + pending.waitMs, waitMs: Math.min(500, pending.waitMs * 2) })
      this.control(RESET, pack('42', pending.stream.id, pending.reason), pending.stream.isOurs ? OPENER : 0)
    }
    for (const stream of this.streams.values()) stream.onTick(nowMs)
    for (const check of [...this.#waiting]) check()
  }

  /** Microseconds of a clock of its own, never 0. */
  now(): number {
    return Math.trunc(performance.now() * 1000) >>> 0 || 1
  }

  #drop(reason: string): void {
    this.dropped[reason] = (this.dropped[reason] ?? 0) + 1
  }
}

function newLife(name: string): NodeId {
  return { place: createHash('sha256').update(name).digest().readUInt32LE(), life: drawNumber() }
}

/** Random, and not 0. */
function drawNumber(): number {
  return randomBytes(4).readUInt32LE() || 1
}

function isSame(one: NodeId, other: NodeId): boolean {
  return one.place === other.place && one.life === other.life
}

function idAt(frame: Buffer, offset: number): NodeId {
  return { place: frame.readUInt32LE(offset), life: frame.readUInt32LE(offset + 4) }
}

function keyOf({ isOurs, id }: DocumentStream): string {
  return `${isOurs}:${id}`
}

/** Of the stream that a frame from the remote belongs to. */
function keyIn(frame: Buffer): string {
  return `${(frame[0]! & OPENER) === 0}:${frame.readUInt32LE(20)}`
}
