import { EventEmitter } from 'node:events'
import { expect } from 'vitest'
import { DatagramList, Endpoint, SeededRandom, type Clock, type Link, type Timer } from '../../src/core/index.js'
import { decodeControl, encodeControl, type ControlFrame } from '../../src/stream/control-frame.js'
import { readSender, writeHeader } from '../../src/stream/header.js'
import { createNode, fixedRate, type NodeOptions, type Peer, type Stream, type StreamNode } from '../../src/stream/index.js'
import { crcIntegrity, noIntegrity, secretIntegrity, type Integrity } from '../../src/stream/integrity.js'
import { NOBODY, type NodeId } from '../../src/stream/node-id.js'
import { FLAG, TYPE, VERSION } from '../../src/stream/wire.js'
import { VirtualClock } from '../../src/testing/index.js'

const FRAME_BYTES = 1400
const STEP = { frame: 0, frames: 1, raw: 2, fromOther: 3, toNobody: 4, time: 5, user: 6, other: 7 } as const
const DECODER_ONLY = 0xff
const PEER: NodeId = { place: 7, life: 9 }
const OTHER: NodeId = { place: 8, life: 10 }
const PEER_ENDPOINT = Endpoint.of('10.0.0.2', 2)
const OTHER_ENDPOINT = Endpoint.of('10.0.0.3', 3)
const SECRET = 'sixteen bytes at least'
const INTEGRITIES = [noIntegrity, crcIntegrity, secretIntegrity(Buffer.from(SECRET)), noIntegrity]
const LIMITS = {
  frameBytes: FRAME_BYTES,
  maxMessageBytes: 50_000,
  maxFrameMemoryBytes: 64 * FRAME_BYTES,
  maxAssemblyBytes: 100_000,
  maxPeers: 2,
  maxStreamsPerPeer: 8,
  keepAliveMs: 1000,
  peerTimeoutMs: 5000,
}
/** At one moment. */
const MAX_TIMERS = 1000
/** Of a group of the peer's. */
const TERMS = { group: 3, receivers: 10, backOff: 1000 }
/** What the peer calls its session. */
const SESSION = 77
/** The stream that the peer opens. */
const STREAM = 1

/**
 * An input is a life of a node: a byte of flags, then steps, each of a kind, a length and bytes. Most steps are frames from its peer, whose
 * header is made right so that fuzzing gets beyond it; others are datagrams as they are, time, and what the node's user does.
 */
export function runInput(input: Buffer): void {
  if (input.length > 0 && input[0] === DECODER_ONLY) return decode(input.subarray(1))
  const life = new Life(input[0] ?? 0)
  for (let at = 1; at + 3 <= input.length;) {
    const kind = input[at]!
    const length = input.readUInt16LE(at + 1)
    life.step(kind, Buffer.from(input.subarray(at + 3, at + 3 + length)))
    at += 3 + length
  }
  life.end()
}

/** A control frame that is understood says the same when it is written again. */
function decode(bytes: Buffer): void {
  const type = bytes[1] ?? 0
  const frame = decodeControl(bytes, type, bytes.length)
  if (frame === undefined) return
  const again = Buffer.alloc(2000)
  const end = encodeControl(again, frame)
  const decoded = decodeControl(again, type, end)
  // A text that is no UTF-8 becomes one that is, and may be longer.
  if (JSON.stringify(frame).includes('\ufffd')) return
  expect(decoded).toEqual(frame)
}

/** What a node is tested with: nothing leaves, everything is counted. */
class FuzzLink extends EventEmitter {
  readonly maxPayloadBytes = 65_507
  readonly sent: Buffer[] = []
  closed = false
  isFull = false

  unfragmentedBytes(): number {
    return FRAME_BYTES
  }

  send(frame: Buffer): boolean {
    if (this.isFull) return false
    // The latest are enough.
    if (this.sent.length > 64) this.sent.length = 0
    this.sent.push(Buffer.from(frame))
    return true
  }

  /** As of any link; a node copies what it sends. */
  reserve(): undefined {
    return undefined
  }

  commit(): void {
    throw new Error('nothing was reserved')
  }

  flush(): boolean {
    return true
  }

  receive(frames: readonly Buffer[], endpoint: Endpoint): void {
    const batch = new DatagramList(
      frames,
      frames.map(() => endpoint),
      0xdb,
    )
    this.emit('batch', batch)
    batch.finish()
  }
}

/** A clock that notices who sets timers for ever without time going on. */
class WatchedClock implements Clock {
  readonly inner = new VirtualClock({ startMs: 1e6 })
  #lastMs = 0
  #timers = 0

  nowMs(): number {
    return this.inner.nowMs()
  }

  wallMicroseconds(): number {
    return this.inner.wallMicroseconds()
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    if (this.nowMs() !== this.#lastMs) this.#timers = 0
    this.#lastMs = this.nowMs()
    if (this.#timers++ > MAX_TIMERS) throw new Error('timers are set for ever')
    return this.inner.setTimer(callback, delayMs)
  }
}

class Life {
  readonly #clock = new WatchedClock()
  readonly #link = new FuzzLink()
  readonly #node: StreamNode
  readonly #integrity: Integrity
  readonly #streams: Stream[] = []
  readonly #echoes: boolean
  #id: NodeId = NOBODY
  #messages = 0

  constructor(flags: number) {
    this.#integrity = INTEGRITIES[flags & 3]!
    this.#echoes = (flags & 4) !== 0
    this.#node = createNode({
      link: this.#link as unknown as Link,
      clock: this.#clock,
      random: new SeededRandom(1),
      ...LIMITS,
      // Little memory, to see that its bounds hold.
      ...((flags & 8) === 0 ? {} : { maxFrameMemoryBytes: 8 * FRAME_BYTES, maxAssemblyBytes: 20_000 }),
      ...((flags & 16) === 0 ? {} : { congestionControl: fixedRate(100_000) }),
      ...((flags & 3) === 2 ? { secret: SECRET } : { integrity: (flags & 3) === 1 ? 'crc32c' : 'none' }),
    } satisfies NodeOptions)
    this.#node.on('stream', (stream) => this.#take(stream))
    this.#join()
  }

  step(kind: number, bytes: Buffer): void {
    switch (kind & 7) {
      case STEP.frame:
      case STEP.frames:
        this.#link.receive([this.#complete(bytes, PEER, this.#id)], PEER_ENDPOINT)
        break
      case STEP.raw:
        this.#link.receive([bytes], (kind & 8) === 0 ? PEER_ENDPOINT : OTHER_ENDPOINT)
        break
      case STEP.fromOther:
        this.#link.receive([this.#complete(bytes, (kind & 8) === 0 ? OTHER : PEER, this.#id)], OTHER_ENDPOINT)
        break
      case STEP.toNobody:
        this.#link.receive([this.#complete(bytes, (kind & 8) === 0 ? OTHER : PEER, NOBODY)], OTHER_ENDPOINT)
        break
      case STEP.time:
        this.#clock.inner.advance(bytes.length < 2 ? (bytes[0] ?? 1) / 8 : bytes.readUInt16LE(0) / 8)
        break
      case STEP.user:
        this.#act(bytes)
        break
      default:
        this.#link.isFull = !this.#link.isFull
        if (!this.#link.isFull) this.#link.emit('drain')
    }
    if (!this.#node.closed) this.#node.flush()
    this.#check()
  }

  /** Everything is given back, nobody waits. */
  end(): void {
    this.#link.isFull = false
    this.#clock.inner.advance(20)
    this.#check()
    this.#node.destroy()
    expect(this.#node.stats()).toMatchObject({ peers: 0, frameMemoryBytes: 0, assemblyBytes: 0 })
    for (const stream of this.#streams) {
      expect(stream.closed).toBe(true)
      expect(stream.deadlineMs).toBe(Infinity)
    }
    this.#clock.inner.runUntilIdle(100)
  }

  /** The peer proves its address, and is a peer. */
  #join(): void {
    const hello: ControlFrame = {
      type: TYPE.hello,
      minVersion: VERSION,
      maxVersion: VERSION,
      cookie: Buffer.alloc(0),
      frameBytes: 1400,
      timestamp: 1,
      session: SESSION,
      name: 'peer',
    }
    this.#sayHello(hello)
    const challenge = this.#link.sent.at(-1)!
    this.#id = readSender(challenge)
    this.#sayHello({ ...hello, cookie: challenge.subarray(24, 40) })
    expect(this.#node.peers().length).toBe(1)
  }

  #sayHello(hello: ControlFrame): void {
    const frame = Buffer.alloc(700)
    const end = encodeControl(frame, hello)
    frame[0] = FLAG.control
    frame[1] = TYPE.hello
    const body = Buffer.concat([frame.subarray(0, 2), frame.subarray(20, end)])
    this.#link.receive([this.#complete(body, PEER, NOBODY)], PEER_ENDPOINT)
  }

  /** Flags, type and body become a frame. */
  #complete(bytes: Buffer, sender: NodeId, receiver: NodeId): Buffer {
    const { mode, trailerBytes } = this.#integrity
    const frame = Buffer.alloc(20 + Math.max(0, bytes.length - 2) + trailerBytes)
    frame.set(bytes.subarray(2), 20)
    writeHeader(frame, bytes[0] ?? 0, bytes[1] ?? 0, mode, sender, receiver)
    this.#integrity.seal(frame)
    return frame
  }

  #take(stream: Stream): void {
    this.#streams.push(stream)
    stream.on('message', (message) => {
      this.#messages++
      if (this.#echoes) trySend(stream, message)
    })
    if (stream.label === 'unread') stream.pause()
  }

  #act(bytes: Buffer): void {
    const what = bytes[0] ?? 0
    const [peer] = this.#node.peers()
    const stream = this.#streams.at(-1 - (what >> 5))
    switch (what & 15) {
      case 0:
        if (peer !== undefined) this.#open(peer, bytes[1] ?? 0)
        return
      case 1:
        if (stream !== undefined) trySend(stream, Buffer.alloc((bytes[1] ?? 0) * 40))
        return
      case 2:
        return stream?.isGroup === true ? undefined : stream?.end()
      case 3:
        return stream?.reset()
      case 4:
        return void stream?.pause()
      case 5:
        return void stream?.resume()
      case 6:
        return void stream?.close({ deadlineMs: 500 })
      case 7:
        return peer?.leave()
      case 8:
        return void this.#node.connect(OTHER_ENDPOINT, { timeoutMs: 500 }).catch(() => undefined)
      case 9:
        return void stream?.removeAllListeners('message')
      case 10:
        return void stream?.on('message', () => this.#messages++)
      default:
        return this.#node.closed ? undefined : this.#node.flush()
    }
  }

  #open(peer: Peer, how: number): void {
    const kind = (['reliable', 'bestEffort', 'fireAndForget'] as const)[how % 3]!
    const stream = peer.openStream({ kind, initialPacket: 0xffff_fffe, windowBytes: 30_000 })
    this.#take(stream)
    for (let i = how >> 2; i > 0; i--) if (!trySend(stream, Buffer.alloc(900))) return
  }

  #check(): void {
    const { frameMemoryBytes, assemblyBytes, peers } = this.#node.stats()
    const open = this.#streams.filter((stream) => !stream.closed)
    // One frame a stream, each way, is always to be had; another one for a packet in pieces.
    expect(frameMemoryBytes).toBeLessThanOrEqual(LIMITS.maxFrameMemoryBytes + 3 * open.length * FRAME_BYTES)
    expect(assemblyBytes).toBeLessThanOrEqual(LIMITS.maxAssemblyBytes)
    expect(Math.min(assemblyBytes, frameMemoryBytes)).toBeGreaterThanOrEqual(0)
    expect(peers).toBeLessThanOrEqual(LIMITS.maxPeers)
    expect(open.length).toBeLessThanOrEqual(LIMITS.maxPeers * LIMITS.maxStreamsPerPeer)
    for (const peer of this.#node.peers()) expect(peer.stats().inFlightPackets).toBeGreaterThanOrEqual(0)
  }
}

function trySend(stream: Stream, message: Buffer): boolean {
  try {
    return stream.send(message)
  } catch (error) {
    // Ended, the message is too long for its kind, or the stream is of a group and one way.
    expect(['ERR_CLOSED', 'ERR_OUT_OF_RANGE', 'ERR_INVALID_STATE']).toContain((error as NodeJS.ErrnoException).code)
    return false
  }
}

/** Inputs to begin with: what a real peer says, in order. */
export function seedInputs(): Buffer[] {
  const inputs: Buffer[] = []
  for (let flags = 0; flags < 32; flags += 3) {
    for (const talk of TALKS) inputs.push(Buffer.concat([Buffer.from([flags]), ...talk()]))
  }
  for (const frame of CONTROL_FRAMES) {
    const bytes = Buffer.alloc(700)
    bytes[1] = frame.type
    inputs.push(Buffer.concat([Buffer.from([DECODER_ONLY]), bytes.subarray(0, encodeControl(bytes, frame))]))
  }
  return inputs
}

function step(kind: number, ...bytes: (Buffer | number)[]): Buffer {
  const body = Buffer.concat(bytes.map((part) => (typeof part === 'number' ? Buffer.from([part]) : part)))
  const head = Buffer.from([kind, 0, 0])
  head.writeUInt16LE(body.length, 1)
  return Buffer.concat([head, body])
}

function control(frame: ControlFrame, isOpener = true): Buffer {
  const bytes = Buffer.alloc(700)
  const end = encodeControl(bytes, frame)
  return step(STEP.frame, isOpener ? FLAG.control | FLAG.opener : FLAG.control, frame.type, bytes.subarray(20, end))
}

function data(packet: number, chunks: Buffer, flags: number = FLAG.opener | FLAG.numbered, stream = STREAM): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt32LE(stream, 0)
  head.writeUInt32LE(packet >>> 0, 4)
  head.writeUInt32LE(1e9, 8)
  return step(STEP.frame, flags, 0, head, chunks)
}

function chunk(flags: number, bytes: number, messageBytes?: number): Buffer {
  const head = Buffer.alloc(messageBytes === undefined ? 4 : 8)
  head[0] = flags
  head.writeUInt16LE(bytes, 2)
  if (messageBytes !== undefined) head.writeUInt32LE(messageBytes, 4)
  return Buffer.concat([head, Buffer.alloc(bytes, 1)])
}

function open(kind: number, label = ''): Buffer {
  return control({ type: TYPE.open, stream: STREAM, kind, options: 0, packet: 0xffff_fffe, windowPackets: 64, label })
}

function heartbeat(next: number, flags = 0, floor = 0xffff_fffe): Buffer {
  return control({ type: TYPE.heartbeat, stream: STREAM, floor, next: next >>> 0, timestamp: 5, flags })
}

/** For the stream that the node under test opens first. */
function status(next: number, consumed: number, beyond: number, flags = 0): Buffer {
  const fields = {
    next: next >>> 0,
    consumed: consumed >>> 0,
    highest: 10,
    beyond,
    timestamp: 1_000_000_000,
    delay: 1,
    flags,
    missed: 0,
  }
  return control({ type: TYPE.status, stream: OWN_STREAM, ...fields }, false)
}

const whole = chunk(7, 50)
const TALKS: readonly (() => Buffer[])[] = [
  // In order, out of order, twice; a long message; the end.
  () => [
    open(3),
    data(-2, Buffer.concat([whole, whole])),
    data(0, chunk(5, 300, 700)),
    data(-1, whole),
    data(0, whole),
    data(1, chunk(4, 300)),
    data(2, Buffer.concat([chunk(6, 100), whole])),
    heartbeat(3, 1),
    step(STEP.time, 40, 1),
    step(STEP.user, 2),
  ],
  // Best effort with a gap; not read.
  () => [open(2, 'unread'), data(2, whole), heartbeat(6, 0, 4), data(4, whole), step(STEP.user, 5), heartbeat(5, 1, 5)],
  () => [open(1), data(0, whole, FLAG.opener), data(0, whole, FLAG.opener), heartbeat(0, 1)],
  // A packet in pieces.
  () => [open(3), ...pieces(-2, Buffer.concat([whole, whole, whole])), data(-1, whole), heartbeat(0, 1)],
  // A group: packets and a repair come by the group, to nobody in particular.
  () => [
    openGroup('239.1.2.3:5'),
    ...[-2, 1, 2].map((packet) => toGroup(data(packet, whole, FLAG.numbered, TERMS.group))),
    toGroup(control({ type: TYPE.groupHeartbeat, floor: 0xffff_fffe, next: 3, timestamp: 3, flags: 0, ...TERMS })),
    toGroup(control({ type: TYPE.nakEcho, group: 3, base: 0xffff_ffff, mask: { low: 1, high: 0 }, most: 1 })),
    step(STEP.time, 80, 0),
    toGroup(data(-1, repair(), FLAG.numbered | FLAG.repair, TERMS.group)),
    toGroup(control({ type: TYPE.groupHeartbeat, floor: 0xffff_fffe, next: 3, timestamp: 3, flags: 1, ...TERMS })),
  ],
  () => [openGroup(''), data(-2, whole, FLAG.numbered, TERMS.group), heartbeat(4), step(STEP.time, 255, 1), heartbeat(5, 1)],
  // The node sends: acknowledged, asked for again, reset.
  () => [
    step(STEP.user, 0, 48),
    status(0, -1, 2),
    control({ type: TYPE.nak, stream: OWN_STREAM, ranges: [{ first: 0, count: 2 }] }, false),
    step(STEP.time, 200, 3),
    status(6, 6, 0),
    step(STEP.user, 2),
    status(10, 10, 0, 1),
    control({ type: TYPE.reset, stream: OWN_STREAM, reason: 0 }, false),
  ],
  () => [
    step(STEP.user, 0, 49),
    step(STEP.other),
    step(STEP.user, 1, 200),
    step(STEP.other),
    step(STEP.time, 255, 255),
    status(4, 4, 0),
  ],
  () => [
    control({ type: TYPE.ping, timestamp: 5, session: 1 }),
    control({ type: TYPE.pong, timestamp: 1_000_000_000 }),
    control({ type: TYPE.probe, frameBytes: 22 }),
    control({ type: TYPE.probeAck, frameBytes: 1400 }),
    step(STEP.user, 8),
    step(STEP.time, 255, 255),
    control({ type: TYPE.stranger, place: 7, life: 9, session: 0 }),
    control({ type: TYPE.stranger, place: 7, life: 9, session: SESSION + 1 }),
    control({ type: TYPE.bye, reason: 0, session: SESSION }),
  ],
]

function openGroup(endpoint: string): Buffer {
  const fields = { stream: STREAM, kind: 3, options: 0, packet: 0xffff_fffe, windowPackets: 64, label: '', endpoint, ...TERMS }
  return control({ type: TYPE.openGroup, ...fields })
}

/** The same frame, but by the group. */
function toGroup(frame: Buffer): Buffer {
  return Buffer.concat([Buffer.from([STEP.toNobody | 8]), frame.subarray(1)])
}

/** Of the packets from its base on: the XOR of their lengths and bytes. */
function repair(): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(10), whole])
  bytes.writeUInt32LE(0b111, 0)
  bytes.writeUInt16LE(whole.length, 8)
  return bytes
}

function pieces(packet: number, chunks: Buffer): Buffer[] {
  return [100, 0, 50].map((offset) => {
    const head = Buffer.alloc(4)
    head.writeUInt16LE(offset, 0)
    head.writeUInt16LE(chunks.length, 2)
    const flags = FLAG.opener | FLAG.numbered | FLAG.piece
    return data(packet, Buffer.concat([head, chunks.subarray(offset, offset === 100 ? undefined : offset + 60)]), flags)
  })
}

/** The first id that a node gives whose randomness is {@link SeededRandom} of 1. */
const OWN_STREAM = firstStreamId()
function firstStreamId(): number {
  const link = new FuzzLink()
  const clock = new WatchedClock()
  const node = createNode({ link: link as unknown as Link, clock, random: new SeededRandom(1), ...LIMITS })
  const joining = node.connect(PEER_ENDPOINT).catch(() => undefined)
  void joining
  const hello = link.sent[0]!
  const id = readSender(hello)
  const answer = (frame: ControlFrame): void => {
    const bytes = Buffer.alloc(700)
    const end = encodeControl(bytes, frame)
    writeHeader(bytes, FLAG.control, frame.type, 0, PEER, id)
    link.receive([bytes.subarray(0, end)], PEER_ENDPOINT)
  }
  answer({ type: TYPE.challenge, timestamp: 1, cookie: Buffer.alloc(16, 1) })
  answer({
    type: TYPE.welcome,
    version: VERSION,
    frameBytes: 1400,
    timestamp: 1,
    session: SESSION,
    asked: hello.readUInt32LE(48),
    name: '',
  })
  const stream = node.peers()[0]!.openStream()
  node.destroy()
  return stream.id
}

const CONTROL_FRAMES: readonly ControlFrame[] = [
  {
    type: TYPE.hello,
    minVersion: 1,
    maxVersion: 1,
    cookie: Buffer.alloc(16, 3),
    frameBytes: 1400,
    timestamp: 5,
    session: 6,
    name: 'näme',
  },
  { type: TYPE.challenge, timestamp: 5, cookie: Buffer.alloc(16, 3) },
  { type: TYPE.welcome, version: 1, frameBytes: 1400, timestamp: 5, session: 6, asked: 7, name: 'x' },
  { type: TYPE.refuse, reason: 1, minVersion: 1, maxVersion: 1, asked: 7 },
  { type: TYPE.bye, reason: 1, session: 6 },
  { type: TYPE.stranger, place: 5, life: 6, session: 7 },
  { type: TYPE.ping, timestamp: 5, session: 7 },
  { type: TYPE.pong, timestamp: 5 },
  { type: TYPE.open, stream: 5, kind: 3, options: 0, packet: 7, windowPackets: 64, label: 'label' },
  { type: TYPE.status, stream: 5, next: 1, consumed: 1, highest: 4, beyond: 2, timestamp: 4, delay: 3, flags: 1, missed: 1 },
  {
    type: TYPE.nak,
    stream: 5,
    ranges: [
      { first: 1, count: 2 },
      { first: 9, count: 1 },
    ],
  },
  { type: TYPE.heartbeat, stream: 5, floor: 1, next: 4, timestamp: 5, flags: 1 },
  { type: TYPE.reset, stream: 5, reason: 3 },
  { type: TYPE.gone, stream: 5 },
  {
    type: TYPE.openGroup,
    stream: 5,
    kind: 3,
    options: 0,
    packet: 7,
    windowPackets: 64,
    label: 'label',
    endpoint: '239.1.2.3:5',
    ...TERMS,
  },
  { type: TYPE.groupHeartbeat, floor: 1, next: 5, timestamp: 3, flags: 1, ...TERMS },
  { type: TYPE.nakEcho, group: 3, base: 4, mask: { low: 5, high: 6 }, most: 2 },
  { type: TYPE.probe, frameBytes: 1400 },
  { type: TYPE.probeAck, frameBytes: 1400 },
]
