import * as nodeDgram from 'node:dgram'
import type { AddressInfo } from 'node:net'
import { bounded, immediately } from './turns.js'
import { show, type Names } from './show.js'

/**
 * The same program runs on `node:dgram` and on the drop-in, and everything that it can observe is written down as lines of text. A line that
 * differs is a difference that a user's program can see. What legitimately differs (ports) is named instead of numbered.
 */

export type DgramModule = typeof nodeDgram
/** With the property that Node's types leave out. */
export interface Socket extends nodeDgram.Socket {
  type: string
}

/** A program: it asks the bench for sockets and writes down what it sees. It ends when its promise does. */
export type Program = (bench: Bench) => void | Promise<void>

export interface Case {
  /** A behaviour in plain words. */
  name: string
  program: Program
  /** The first major version of Node that has it. */
  since?: number
}

/** Longer than any case takes; a case that takes longer hangs. */
export const CASE_LIMIT_MS = 5_000

/** Loop turns after which nothing is under way on loopback any more. */
const SETTLE_TURNS = 4

/** Events that a watched socket writes down. */
const EVENTS = ['listening', 'connect', 'close', 'error', 'message'] as const
type EventName = (typeof EVENTS)[number]

/** The drop-in, or `node:dgram` again where the suite checks itself (`GEYSIR_DIFF_SELF=1`). */
export async function loadDropIn(): Promise<DgramModule> {
  if (process.env['GEYSIR_DIFF_SELF'] === '1') return nodeDgram
  const path = '../../src/dgram/index.js'
  return (await import(path)) as DgramModule
}

export interface Observation {
  lines: string[]
  /** The kernel gave one port twice: the names of ports in the lines are not to be trusted. */
  portReused: boolean
}

/** Runs `program` on one implementation and returns what it saw, a line an observation. */
export async function observe(
  dgram: DgramModule,
  program: Program,
  who = 'the implementation',
  name = 'the program',
): Promise<Observation> {
  const bench = new Bench(dgram)
  const release = catchProcessEvents(bench)
  // The test runner's own replaces the words of errors.
  const prepareStackTrace = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace')
  Reflect.deleteProperty(Error, 'prepareStackTrace')
  try {
    // From the check phase, always: what is sent here is read in the next poll phase, before the next immediates.
    await immediately()
    await bounded(
      CASE_LIMIT_MS,
      run(program, bench),
      () => `"${name}" hangs with ${who}; it saw:\n  ${bench.lines().join('\n  ')}`,
    )
    await bench.settle()
    return { lines: bench.lines(), portReused: bench.portReused }
  } finally {
    await bench.cleanUp()
    if (prepareStackTrace !== undefined) Object.defineProperty(Error, 'prepareStackTrace', prepareStackTrace)
    release()
  }
}

/** What both implementations saw. The program must be sound: it may not fail by itself with Node's own. */
export async function observeBoth(
  dropIn: DgramModule,
  name: string,
  program: Program,
): Promise<{ node: Observation; dropIn: Observation }> {
  const node = await observe(nodeDgram, program, 'node:dgram', name)
  const fault = node.lines.find((line) => line.startsWith(FAULT))
  if (fault !== undefined) throw new Error(`the case "${name}" is wrong: ${fault}\n${node.lines.join('\n')}`)
  return { node, dropIn: await observe(dropIn, program, 'the drop-in', name) }
}

async function run(program: Program, bench: Bench): Promise<void> {
  try {
    await program(bench)
  } catch (error) {
    bench.log(FAULT, error)
  }
}

const FAULT = 'the program threw'

export class Bench {
  readonly dgram: DgramModule
  readonly #lines: string[] = []
  readonly #names: Names = new Map()
  readonly #ports = new Map<number, string>()
  readonly #sockets: Socket[] = []
  #peers = 0
  #letters = 0
  portReused = false
  #over = false

  constructor(dgram: DgramModule) {
    this.dgram = dgram
  }

  /** Writes a line. */
  log(what: string, ...values: unknown[]): void {
    if (this.#over) return
    const shown = values.map((value) => show(value, this.#names))
    this.#lines.push(shown.length === 0 ? what : `${what} ${shown.join(', ')}`)
  }

  /** Writes down what a call returns or throws. */
  call<T>(what: string, call: () => T): T | undefined {
    try {
      const value = call()
      this.log(`${what} →`, value)
      return value
    } catch (error) {
      this.log(`${what} throws`, error)
      return undefined
    }
  }

  /** Marks of the times at which something can come later: next tick, the tick after, microtask, immediate. */
  marks(name = ''): void {
    this.ticks(name)
    setImmediate(() => this.log(`immediate ${name}`))
  }

  /**
   * Marks of the ticks and the microtask only, for programs with an exception that nobody catches: the ticks after it run when the loop next
   * calls into JavaScript, and what that is, is chance.
   */
  ticks(name = ''): void {
    process.nextTick(() => {
      this.log(`tick ${name}`)
      process.nextTick(() => this.log(`second tick ${name}`))
    })
    queueMicrotask(() => this.log(`microtask ${name}`))
  }

  /** A callback that writes down its arguments and its `this`. */
  callback(name: string, then?: (...values: unknown[]) => void): (...values: unknown[]) => void {
    const write = (self: unknown, values: unknown[]) => {
      this.log(`callback ${name} (this ${show(self, this.#names)})`, values)
      then?.(...values)
    }
    return function (this: unknown, ...values: unknown[]) {
      write(this, values)
    }
  }

  /** A socket whose events are written down, all but those in `unwatched`. */
  socket(
    type: nodeDgram.SocketType | nodeDgram.SocketOptions = 'udp4',
    listener?: (message: Buffer, rinfo: nodeDgram.RemoteInfo) => void,
    ...unwatched: EventName[]
  ): Socket {
    return this.watch(this.own(this.dgram.createSocket(type as nodeDgram.SocketOptions, listener)), ...unwatched)
  }

  /** A socket made by the constructor. */
  construct(...values: unknown[]): Socket {
    return this.own(new (this.dgram.Socket as unknown as new (...values: unknown[]) => Socket)(...values))
  }

  /** A socket that the program made: it gets a letter and is closed when the program is over. */
  own<T extends nodeDgram.Socket>(socket: T): T & Socket {
    const letter = String.fromCharCode('a'.charCodeAt(0) + this.#letters++)
    const owned = socket as T & Socket
    this.#sockets.push(owned)
    this.#names.set(socket, `<socket ${letter}>`)
    return owned
  }

  watch<T extends Socket>(socket: T, ...unwatched: EventName[]): T {
    const name = this.#names.get(socket) ?? '<socket ?>'
    socket.on('listening', () => this.port(socket))
    for (const event of EVENTS) {
      if (unwatched.includes(event)) continue
      socket.on(event, (...values: unknown[]) => this.log(`${name} ${event}`, ...values))
    }
    return socket
  }

  /** A bound and settled socket on loopback, its beginnings not written down. */
  async bound(
    type: nodeDgram.SocketType | nodeDgram.SocketOptions = 'udp4',
    listener?: (message: Buffer, rinfo: nodeDgram.RemoteInfo) => void,
    ...unwatched: EventName[]
  ): Promise<Socket> {
    const socket = this.own(this.dgram.createSocket(type as nodeDgram.SocketOptions, listener))
    const listening = this.event(socket, 'listening')
    socket.bind(0, familyOf(type) === 'udp6' ? '::1' : '127.0.0.1')
    await listening
    this.port(socket)
    this.watch(socket, ...unwatched)
    await this.turn()
    return socket
  }

  /** A bound socket that is connected to itself, or to `port`. */
  async connected(type: nodeDgram.SocketType = 'udp4', port?: number, ...unwatched: EventName[]): Promise<Socket> {
    const socket = await this.bound(type, undefined, ...unwatched, 'connect')
    const connect = this.event(socket, 'connect')
    socket.connect(port ?? socket.address().port, type === 'udp6' ? '::1' : '127.0.0.1')
    await connect
    await this.turn()
    return socket
  }

  /** Node's own socket on loopback, whatever is tested: the other side. What it hears is written down when it is asked for. */
  async peer(type: nodeDgram.SocketType = 'udp4', address = type === 'udp6' ? '::1' : '127.0.0.1'): Promise<Peer> {
    const socket = nodeDgram.createSocket(type) as Socket
    this.#sockets.push(socket)
    this.#names.set(socket, '<peer>')
    const peer = new Peer(this, socket)
    socket.bind(0, address)
    await this.event(socket, 'listening')
    this.namePort(socket.address().port, `<peer port ${++this.#peers}>`)
    await this.turn()
    return peer
  }

  /** The port of a socket, which is named in the log from now on. */
  port(socket: Socket): number {
    let info: AddressInfo
    try {
      info = socket.address()
    } catch {
      return 0
    }
    this.namePort(info.port, `<port of ${show(socket, this.#names)}>`)
    return info.port
  }

  /** A port where nobody listens. */
  async deadPort(): Promise<number> {
    const peer = await this.peer()
    const { port } = peer
    this.#ports.set(port, '<dead port>')
    peer.socket.close()
    await this.event(peer.socket, 'close')
    await this.turn()
    return port
  }

  name(value: object, name: string): void {
    this.#names.set(value, name)
  }

  /** Names a port that has no name yet. */
  namePort(port: number, name: string): void {
    const known = this.#ports.get(port)
    if (known === undefined) this.#ports.set(port, name)
    else if (known !== name) this.portReused = true
  }

  portName(port: number): string {
    return this.#ports.get(port) ?? String(port)
  }

  /** Names a port that no socket of the program has, or had when it was asked. */
  nameStranger(port: number): void {
    if (!this.#ports.has(port)) this.#ports.set(port, '<a port>')
  }

  /** The next event of a socket, with its arguments. */
  event(socket: Socket, name: string): Promise<unknown[]> {
    return new Promise((resolve) => void socket.once(name, (...values: unknown[]) => resolve(values)))
  }

  /** The next check phase. */
  async turn(turns = 1): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await immediately()
  }

  /** Until nothing is under way any more. */
  settle(): Promise<void> {
    return this.turn(SETTLE_TURNS)
  }

  lines(): string[] {
    return this.#lines.map((line) =>
      line.replaceAll(/(?<![\w.])\d{4,5}(?![\w.])/g, (digits) => this.#ports.get(Number(digits)) ?? digits),
    )
  }

  async cleanUp(): Promise<void> {
    this.#over = true
    for (const socket of this.#sockets) {
      try {
        socket.on('error', () => {})
        socket.unref()
        socket.close()
      } catch {
        // Closed already.
      }
    }
    await this.turn(2)
  }
}

/** The other side of a case: plain `node:dgram`. */
export class Peer {
  readonly #heard: { text: string; from: nodeDgram.RemoteInfo }[] = []
  #wake: (() => void) | undefined

  constructor(
    private readonly bench: Bench,
    readonly socket: Socket,
  ) {
    socket.on('message', (message, from) => {
      this.#heard.push({ text: message.toString('latin1'), from })
      this.#wake?.()
    })
  }

  get port(): number {
    return this.socket.address().port
  }

  /** Writes down the next `count` datagrams, in order. */
  async hears(count: number): Promise<void> {
    while (this.#heard.length < count) await new Promise<void>((resolve) => (this.#wake = resolve))
    for (const { text, from } of this.#heard.splice(0, count)) {
      this.bench.nameStranger(from.port)
      const shown = text.length > 40 ? `${text.slice(0, 20)}… (${text.length})` : text
      this.bench.log(`peer hears ${JSON.stringify(shown)} from`, from.address, from.port)
    }
  }

  /** Writes down everything that was heard by now, sender by sender: the order between senders is left open. */
  async heardBySender(): Promise<void> {
    await this.bench.settle()
    const bySender = new Map<string, string[]>()
    for (const { text, from } of this.#heard.splice(0)) {
      this.bench.nameStranger(from.port)
      const sender = `${from.address} ${this.bench.portName(from.port)}`
      bySender.set(sender, [...(bySender.get(sender) ?? []), text.slice(0, 40)])
    }
    for (const [sender, texts] of [...bySender].sort()) this.bench.log(`peer hears from ${sender}`, texts)
  }

  /** Writes down everything that was heard by now. */
  async heard(): Promise<void> {
    await this.bench.settle()
    await this.hears(this.#heard.length)
    this.bench.log('peer hears nothing more')
  }

  /** Sends to a port, and returns when the kernel has it. */
  async send(message: string | Uint8Array, port: number, address = '127.0.0.1'): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      this.socket.send(message, port, address, (error) => (error === null ? resolve() : reject(error))),
    )
  }
}

function familyOf(type: nodeDgram.SocketType | nodeDgram.SocketOptions): nodeDgram.SocketType {
  return typeof type === 'string' ? type : type.type
}

/** What nobody catches is an observation, too; the test runner's own listeners wait meanwhile. */
function catchProcessEvents(bench: Bench): () => void {
  const undo = (['uncaughtException', 'unhandledRejection'] as const).map((name) => {
    const others = process.rawListeners(name) as (() => void)[]
    process.removeAllListeners(name)
    const listener = (reason: unknown) => bench.log(name, reason)
    process.on(name, listener)
    return () => {
      process.removeListener(name, listener)
      for (const other of others) process.on(name, other)
    }
  })
  const warned = (warning: Error & { code?: string }) => bench.log('warning', warning.name, warning.code, warning.message)
  process.on('warning', warned)
  return () => {
    process.removeListener('warning', warned)
    for (const restore of undo) restore()
  }
}
