/** A stream of a {@link DocumentPeer}, in both directions; written from `docs/wire/stream.md` alone. */
import { ASKS, HEARTBEAT, KINDS, NAK, NUMBERED, OPEN, OPENER, PIECE, STATUS, pack, unpack } from './document-frames.js'
import { FIRST, LAST, cut, parse, type Chunk } from './document-chunks.js'
import type { DocumentPeer } from './document-peer.js'

export interface DocumentStreamTerms {
  readonly kind: number
  readonly isUnordered: boolean
  readonly label: string
  readonly first: number
  readonly window: number
}

const ON_THE_WAY = 128
const REPEAT_MS = 10
const ASK_AGAIN_MS = 3

/** Packet numbers in here go on beyond 2^32; on the wire they are modulo 2^32. */
export class DocumentStream {
  readonly messages: Buffer[] = []
  readonly handlers: number[] = []
  gaps = 0
  /** Does the user read? What comes waits otherwise. */
  isReading = true
  /** Has the other side ended, and was everything read? */
  isReadEnded = false
  /** Does the other side know the end of this one? */
  isSendEnded = false
  resetReason: number | undefined
  duplicates = 0
  /** Send packets in pieces of so many bytes. */
  pieceBytes: number | undefined
  /** Put so many bytes behind the chunks of each packet. */
  padding = Buffer.alloc(0)

  // To send.
  readonly #held = new Map<number, { chunks: Buffer; sendings: number }>()
  #made: number
  #sent: number
  #acknowledged: number
  #theyConsumed: number
  #isFinal = false
  #isKnown: boolean
  #heardMs = performance.now()
  #waitMs = REPEAT_MS

  // To receive.
  readonly #chunks = new Map<number, Chunk[]>()
  readonly #pieces = new Map<number, { bytes: Buffer; isThere: Uint8Array }>()
  #assembly: Chunk[] = []
  #next: number
  #consumed: number
  #highest: number
  #end: number | undefined
  #time = 0
  #timeMs = 0
  #saidConsumed: number
  #unsaid = 0
  #askedMs = 0

  constructor(
    readonly peer: DocumentPeer,
    readonly id: number,
    readonly isOurs: boolean,
    readonly terms: DocumentStreamTerms,
  ) {
    const { first } = terms
    this.#made = this.#sent = this.#acknowledged = this.#theyConsumed = first
    this.#next = this.#consumed = this.#highest = this.#saidConsumed = first
    this.#isKnown = !isOurs
  }

  sayOpen(): void {
    const { kind, isUnordered, label, first, window } = this.terms
    const text = Buffer.from(label)
    this.#say(OPEN, Buffer.concat([pack('111144', kind, isUnordered ? 1 : 0, text.length, 0, first, window), text]))
  }

  send(messages: readonly Buffer[], handler = 0): void {
    for (const chunks of cut(messages, handler, this.peer.roomBytes - 32 - this.padding.length))
      this.#held.set(this.#made++, { chunks: Buffer.concat([chunks, this.padding]), sendings: 0 })
    this.#pump()
  }

  end(): void {
    this.#isFinal = true
    this.#pump()
  }

  /** Best effort: what has not been acknowledged and was sent is given up. */
  forgetSent(): void {
    for (const number of this.#held.keys()) if (number < this.#sent) this.#held.delete(number)
  }

  resume(): void {
    this.isReading = true
    this.#consume()
    this.sayStatus()
  }

  onReset(reason: number): void {
    this.resetReason = reason
  }

  onControl(frame: Buffer, type: number): void {
    this.#isKnown = true
    this.#heardMs = performance.now()
    if (type === OPEN) this.sayStatus()
    else if (type === STATUS) this.#onStatus(frame)
    else if (type === NAK) this.#onNak(frame)
    else if (type === HEARTBEAT) this.#onHeartbeat(frame)
  }

  onTick(nowMs: number): void {
    if (this.#unsaid > 0) this.sayStatus()
    if (this.#next < this.#highest && nowMs > this.#askedMs + ASK_AGAIN_MS) this.#ask(this.#next)
    if (nowMs < this.#heardMs + this.#waitMs) return
    this.#heardMs = nowMs
    const isWaiting = this.#theyConsumed < this.#sent || (this.#isFinal && !this.isSendEnded)
    if (!this.#isKnown) this.sayOpen()
    else if (isWaiting && (this.#isNumbered || this.#isFinal)) this.#sayHeartbeat()
    else return
    this.#waitMs = Math.min(500, this.#waitMs * 2)
  }

  onData(frame: Buffer): void {
    this.#isKnown = true
    const [flags, [raw, time]] = [frame[0]!, unpack('44', frame, 24) as [number, number]]
    if (((flags & NUMBERED) !== 0) !== this.#isNumbered) return void this.peer.faults.push('wrong kind')
    if (!this.#isNumbered) return this.#parse(frame.subarray(32)).forEach((chunk) => this.#deliver([chunk]))
    const number = nearest(raw, this.#next)
    if (number >= this.#consumed + this.terms.window) {
      if (this.terms.kind === KINDS.reliable) this.peer.faults.push(`packet ${number} beyond the window`)
      return
    }
    this.#time = time
    this.#timeMs = performance.now()
    const isDuplicate = number < this.#next || this.#isThere(number)
    if (isDuplicate) this.duplicates++
    else this.#onPacket(number, (flags & PIECE) === 0 ? frame.subarray(32) : this.#join(number, frame))
    this.#unsaid++
    if (isDuplicate || (flags & ASKS) !== 0 || this.#unsaid >= 16) this.sayStatus()
  }

  sayStatus(): void {
    const delay = this.#time === 0 ? 0 : (performance.now() - this.#timeMs) * 1000
    const beyond = [...this.#chunks.keys()].filter((number) => number > this.#next).length
    const [next, consumed, highest] = [this.#next, this.#consumed, this.#highest]
    this.#say(
      STATUS,
      pack('444444' + '14', next, consumed, highest, beyond, this.#time, Math.trunc(delay), this.isReadEnded ? 1 : 0, 0),
    )
    this.#unsaid = 0
    this.#saidConsumed = consumed
  }

  get #isNumbered(): boolean {
    return this.terms.kind !== KINDS.fireAndForget
  }

  #say(type: number, fields: Buffer): void {
    this.peer.control(type, Buffer.concat([pack('4', this.id), fields]), this.isOurs ? OPENER : 0)
  }

  #pump(): void {
    const windowEnd = this.#isNumbered ? this.#theyConsumed + this.terms.window : Infinity
    while (this.#sent < this.#made && this.#sent < windowEnd && this.#sent < this.#acknowledged + ON_THE_WAY) {
      const isLastAllowed = this.#sent + 1 >= Math.min(windowEnd, this.#acknowledged + ON_THE_WAY)
      this.#transmit(this.#sent++, this.#isNumbered && isLastAllowed)
      if (!this.#isNumbered) this.#acknowledged = this.#theyConsumed = this.#sent
    }
    if (this.#isFinal && this.#sent === this.#made && this.#isKnown && !this.isSendEnded) this.#sayHeartbeat()
  }

  #transmit(number: number, isAsking = false): void {
    const held = this.#held.get(number)!
    const flags = (this.#isNumbered ? NUMBERED : 0) | (this.isOurs ? OPENER : 0) | (isAsking ? ASKS : 0)
    const sendings = Math.min(255, held.sendings++)
    const { chunks } = held
    const head = (more: number): Buffer =>
      Buffer.concat([
        this.peer.header(flags | more, sendings),
        pack('444', this.id, this.#isNumbered ? number : 0, this.peer.now()),
      ])
    if (this.pieceBytes === undefined) return this.peer.transmit(Buffer.concat([head(0), chunks]))
    for (let offset = 0; offset < chunks.length; offset += Math.ceil(this.pieceBytes / 2)) {
      const bytes = chunks.subarray(offset, offset + this.pieceBytes)
      this.peer.transmit(Buffer.concat([head(PIECE), pack('22', offset, chunks.length), bytes]))
    }
  }

  #onStatus(frame: Buffer): void {
    const [rawNext, rawConsumed, , , , , flags] = unpack('4444441', frame, 24)
    this.isSendEnded ||= (flags! & 1) !== 0
    this.#waitMs = REPEAT_MS
    const next = nearest(rawNext!, this.#acknowledged)
    if (this.#isNumbered && next >= this.#acknowledged && next <= this.#sent) {
      for (let number = this.#acknowledged; number < next; number++) this.#held.delete(number)
      this.#acknowledged = next
      this.#theyConsumed = Math.max(this.#theyConsumed, nearest(rawConsumed!, this.#theyConsumed))
      this.#pump()
    }
    this.#checkOver()
  }

  #onNak(frame: Buffer): void {
    const ranges = frame.readUInt16LE(24)
    let hasForgotten = false
    for (let i = 0; i < ranges; i++) {
      const [first, count] = unpack('44', frame, 28 + i * 8) as [number, number]
      const from = nearest(first, this.#acknowledged)
      for (let number = from; number < from + count; number++) {
        if (this.#held.has(number)) this.#transmit(number)
        else hasForgotten = true
      }
    }
    if (hasForgotten) this.#sayHeartbeat()
  }

  #sayHeartbeat(): void {
    const floor = Math.min(this.#sent, ...this.#held.keys())
    const isFinal = this.#isFinal && this.#sent === this.#made
    const [low, high] = this.#isNumbered ? [floor, this.#sent] : [0, 0]
    this.#say(HEARTBEAT, pack('4441', low, high, this.peer.now(), isFinal ? 1 : 0))
  }

  #onHeartbeat(frame: Buffer): void {
    const [rawFloor, rawNext, time, flags] = unpack('4441', frame, 24) as [number, number, number, number]
    this.#time = time
    this.#timeMs = performance.now()
    if ((flags & 1) !== 0) this.#end = this.#isNumbered ? nearest(rawNext, this.#next) : this.#next
    if (this.#isNumbered) {
      this.#hearOf(nearest(rawNext, this.#next))
      if (this.terms.kind === KINDS.bestEffort) this.#giveUpBefore(nearest(rawFloor, this.#next))
    }
    this.#consume()
    this.sayStatus()
  }

  #giveUpBefore(floor: number): void {
    for (; this.#next < floor; this.#next++) {
      if (this.#isThere(this.#next)) continue
      this.gaps++
      this.#pieces.delete(this.#next)
    }
    this.#advance()
  }

  /** The packet's chunks, when all pieces of it are there. */
  #join(number: number, frame: Buffer): Buffer | undefined {
    const [offset, total] = unpack('22', frame, 32) as [number, number]
    const packet = this.#pieces.get(number) ?? { bytes: Buffer.alloc(total), isThere: new Uint8Array(total) }
    this.#pieces.set(number, packet)
    const bytes = frame.subarray(36)
    if (packet.bytes.length !== total || offset + bytes.length > total) this.peer.faults.push('a piece that does not fit')
    bytes.copy(packet.bytes, offset)
    packet.isThere.fill(1, offset, offset + bytes.length)
    return packet.isThere.includes(0) ? undefined : packet.bytes
  }

  #onPacket(number: number, chunks: Buffer | undefined): void {
    this.#hearOf(number + 1, number)
    if (chunks === undefined) return
    this.#pieces.delete(number)
    this.#chunks.set(number, this.#parse(Buffer.from(chunks)))
    this.#advance()
    if (this.terms.isUnordered) this.#deliverWhatIsWhole()
    this.#consume()
  }

  #isThere(number: number): boolean {
    return number < this.#next || this.#chunks.has(number)
  }

  #advance(): void {
    while (this.#chunks.has(this.#next)) this.#next++
  }

  /** There are packets before `highest`: those between what was known and `besides` are missing. */
  #hearOf(highest: number, besides = highest): void {
    if (highest <= this.#highest) return
    const from = this.#highest
    this.#highest = highest
    if (besides > from) this.#ask(from)
  }

  #ask(from: number): void {
    const ranges: [number, number][] = []
    for (let number = from; number < this.#highest && ranges.length < 128; number++) {
      const latest = ranges.at(-1)
      if (this.#isThere(number)) continue
      if (latest && latest[0] + latest[1] === number) latest[1]++
      else ranges.push([number, 1])
    }
    if (from === this.#next) this.#askedMs = performance.now()
    if (ranges.length === 0) return
    this.#say(NAK, Buffer.concat([pack('22', ranges.length, 0), ...ranges.map((range) => pack('44', ...range))]))
  }

  #parse(bytes: Buffer): Chunk[] {
    return parse(bytes, () => this.peer.faults.push('a wrong chunk'))
  }

  /** Hands packets over in order; of a stream without order they were, and are only let go. */
  #consume(): void {
    for (; this.isReading && this.#consumed < this.#next; this.#consumed++) {
      const chunks = this.#chunks.get(this.#consumed)
      if (!chunks || this.terms.isUnordered) this.#assembly = []
      else for (const chunk of chunks) this.#assemble(chunk)
      if (!this.terms.isUnordered) this.#chunks.delete(this.#consumed)
    }
    const isEnd = this.#end !== undefined && this.#consumed >= this.#end && !this.isReadEnded
    if (isEnd) this.isReadEnded = true
    if (isEnd || this.#consumed - this.#saidConsumed >= this.terms.window / 4) this.sayStatus()
    this.#checkOver()
  }

  #assemble(chunk: Chunk): void {
    if ((chunk.flags & FIRST) !== 0) {
      if (this.#assembly.length > 0) this.peer.faults.push('a message without an end')
      this.#assembly = []
    } else if (this.#assembly.length === 0) {
      if (this.terms.kind === KINDS.reliable) this.peer.faults.push('a message without a beginning')
      return
    }
    this.#assembly.push(chunk)
    if ((chunk.flags & LAST) === 0) return
    this.#deliver(this.#assembly)
    this.#assembly = []
  }

  /** Without order: messages all of whose pieces are there, in whatever packets. Those stay here, without what was delivered. */
  #deliverWhatIsWhole(): void {
    for (const [number, chunks] of this.#chunks) {
      for (const whole of takeOut(chunks, ({ flags }) => flags === 7)) this.#deliver([whole])
      const first = chunks.find(({ flags }) => (flags & 3) === FIRST)
      if (!first) continue
      const message = [first]
      for (let at = number + 1; ; at++) {
        const piece = this.#chunks.get(at)?.[0]
        if (!piece || (piece.flags & FIRST) !== 0) break
        message.push(piece)
        if ((piece.flags & LAST) === 0) continue
        for (let from = number; from <= at; from++) takeOut(this.#chunks.get(from)!, (chunk) => message.includes(chunk))
        this.#deliver(message)
        break
      }
    }
  }

  #deliver(chunks: readonly Chunk[]): void {
    const message = Buffer.concat(chunks.map(({ bytes }) => bytes))
    if (message.length !== chunks[0]!.messageBytes) this.peer.faults.push('a message of another length')
    this.messages.push(message)
    this.handlers.push(chunks[0]!.handler)
  }

  #checkOver(): void {
    if (this.isReadEnded && this.isSendEnded) this.peer.forget(this, 0)
  }
}

/** The number that a packet number of the wire means: the nearest to what is expected. */
function nearest(raw: number, expected: number): number {
  return expected + ((raw - expected) | 0)
}

function takeOut(chunks: Chunk[], isTaken: (chunk: Chunk) => boolean): Chunk[] {
  const taken = chunks.filter(isTaken)
  if (taken.length > 0) chunks.splice(0, chunks.length, ...chunks.filter((chunk) => !isTaken(chunk)))
  return taken
}
