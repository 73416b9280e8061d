import fc from 'fast-check'
import type { SocketOptions } from 'node:dgram'
import type { Bench, Peer, Program, Socket } from './differential.js'
import { lookup } from './cases/lookup.js'

/** A random program: sockets to begin with, and what is done with them, in order. All of it is data, so that it can be printed. */
export interface RandomProgram {
  sockets: Making[]
  steps: Step[]
}

interface Making {
  type: 'udp4' | 'udp6'
  options: keyof typeof OPTIONS
  /** Does anybody listen to its errors? */
  heedless: boolean
}

export type Step =
  | { do: 'create'; socket: number; making: Making }
  | { do: 'bind'; socket: number; how: keyof typeof BINDS; callback: boolean }
  | { do: 'connect'; socket: number; to: number; address: string; callback: boolean }
  | {
      do: 'send'
      socket: number
      payload: string
      form: Form
      to: number
      address: string
      callback: Step[] | null
      times: number
    }
  | { do: 'close' | 'close, heard'; socket: number }
  | { do: 'disconnect' | 'dispose' | 'abort' | 'forget'; socket: number }
  | { do: 'call'; socket: number; member: string; values: unknown[] }
  | { do: 'marks' }
  | { do: 'wait'; for: 'tick' | 'microtask' | 'immediate' | 'settle' }
  | { do: 'later'; when: 'tick' | 'microtask' | 'immediate'; steps: Step[] }
  | { do: 'on'; socket: number; event: string; steps: Step[] }

type Form =
  'port' | 'port, address' | 'offset, length' | 'offset, length, address' | 'connected' | 'connected, offset' | 'bad port'

const SOCKETS = 3
/** Besides sockets 0 to 2, a send or connect can be to the peer of the socket's family, which is always there, or to the socket itself. */
const PEER = SOCKETS
const SELF = SOCKETS + 1

/** Options of a socket, and what the interpreter has to know of them. */
const OPTIONS = {
  none: {},
  'reuse address': { reuseAddr: true },
  signal: {},
  lookup: {},
  'buffer sizes': { recvBufferSize: 50_000, sendBufferSize: 50_000 },
  'only IPv6': { ipv6Only: true },
} satisfies Record<string, Partial<SocketOptions>>

const BINDS = {
  'any port': () => [0],
  nothing: () => [],
  loopback: (loopback) => [0, loopback],
  options: (loopback) => [{ port: 0, address: loopback, exclusive: true }],
  'a port in use': (loopback, used) => [used, loopback],
  nowhere: () => [0, '203.0.113.7'],
  'the other family': (loopback) => [0, loopback === '::1' ? '127.0.0.1' : '::1'],
  'an address that is a number': () => [0, 5],
  'no descriptor': () => [{ fd: 99_999 }],
} satisfies Record<string, (loopback: string, used: number) => unknown[]>

const PAYLOADS: Record<string, () => unknown> = {
  text: () => 'text',
  'empty text': () => '',
  buffer: () => Buffer.from('a buffer'),
  'typed array': () => new Uint16Array([1, 2, 3]),
  view: () => new DataView(new ArrayBuffer(9), 2, 5),
  list: () => ['a', Buffer.from('b'), new Uint8Array([3])],
  'empty list': () => [],
  'too large': () => Buffer.alloc(65_508),
  large: () => Buffer.alloc(9000, 'l'),
  number: () => 5,
  'list with a number': () => ['a', 5],
}

/** Addresses by name: what is right depends on the socket. */
const ADDRESSES: Record<string, (loopback: string, named: boolean) => unknown> = {
  loopback: (loopback) => loopback,
  none: () => undefined,
  empty: () => '',
  null: () => null,
  'other family': (loopback) => (loopback === '::1' ? '127.0.0.1' : '::1'),
  broadcast: () => '255.255.255.255',
  name: (loopback, named) => (named ? 'name' : loopback),
  'bad name': (loopback, named) => (named ? 'bad' : loopback),
  number: () => 5,
}

const CALLS: [string, unknown[]][] = [
  ['address', []],
  ['remoteAddress', []],
  ['setTTL', [7]],
  ['setTTL', [0]],
  ['setTTL', ['7']],
  ['setMulticastTTL', [300]],
  ['setBroadcast', [true]],
  ['setMulticastLoopback', [false]],
  ['setMulticastInterface', ['127.0.0.1']],
  ['setMulticastInterface', [5]],
  ['addMembership', ['239.77.3.1', '127.0.0.1']],
  ['addMembership', ['x']],
  ['dropMembership', ['239.77.3.1', '127.0.0.1']],
  ['addSourceSpecificMembership', ['127.0.0.1', '232.77.3.1', '127.0.0.1']],
  ['dropSourceSpecificMembership', ['127.0.0.1', '232.77.3.1']],
  ['getRecvBufferSize', []],
  ['setSendBufferSize', [30_000]],
  ['setRecvBufferSize', [-1]],
  ['getSendQueueSize', []],
  ['getSendQueueCount', []],
  ['ref', []],
  ['unref', []],
  ['listenerCount', ['listening']],
  ['listenerCount', ['error']],
  ['listenerCount', ['connect']],
  ['listenerCount', ['close']],
  ['emit', ['listening']],
  ['removeAllListeners', ['listening']],
]

const EVENTS = ['listening', 'connect', 'close', 'error', 'message']

/** Runs a random program; everything it sees is in the bench's log. */
export function programOf({ sockets, steps }: RandomProgram): Program {
  return async (bench) => {
    const run = new Run(bench, { udp4: await bench.peer('udp4'), udp6: await bench.peer('udp6') })
    sockets.forEach((making, socket) => run.step({ do: 'create', socket, making }))
    for (const step of steps) {
      if (step.do === 'wait') await run.wait(step.for)
      else run.step(step)
    }
    await bench.settle()
    await run.end()
  }
}

class Run {
  readonly #sockets: { socket: Socket; making: Making; controller: AbortController }[] = []
  /** What each socket heard, by sender: which of several sockets hears first is left open. */
  readonly #heard = new Map<string, Buffer[]>()
  #calls = 0

  constructor(
    private readonly bench: Bench,
    private readonly peers: Record<'udp4' | 'udp6', Peer>,
  ) {}

  step(step: Step): void {
    switch (step.do) {
      case 'create':
        return this.#create(step.socket, step.making)
      case 'bind':
        return this.#bind(step)
      case 'connect':
        return this.#connect(step)
      case 'send':
        for (let i = 0; i < step.times; i++) this.#send(step)
        return
      case 'close':
        return this.#call(step.socket, 'close', [])
      case 'close, heard':
        return this.#call(step.socket, 'close', [this.bench.callback(`close ${++this.#calls}`)])
      case 'disconnect':
        return this.#call(step.socket, 'disconnect', [])
      case 'dispose':
        return this.#dispose(step.socket)
      case 'abort':
        return this.#sockets[step.socket]!.controller.abort()
      case 'forget':
        return void this.#sockets[step.socket]!.socket.removeAllListeners('message')
      case 'call':
        return this.#call(step.socket, step.member, step.values)
      case 'marks':
        return this.bench.marks(String(++this.#calls))
      case 'later':
        return this.#later(step.when, step.steps)
      case 'on':
        return this.#on(step)
      case 'wait':
        return
    }
  }

  async wait(what: 'tick' | 'microtask' | 'immediate' | 'settle'): Promise<void> {
    if (what === 'tick') await new Promise<void>((resolve) => process.nextTick(resolve))
    else if (what === 'microtask') await Promise.resolve()
    else if (what === 'immediate') await this.bench.turn()
    else await this.bench.settle()
    for (const { socket } of this.#sockets) this.bench.port(socket)
  }

  /** What the peers heard, and what became of the sockets. */
  async end(): Promise<void> {
    for (const peer of Object.values(this.peers)) await peer.heardBySender()
    for (const [who, messages] of [...this.#heard].sort(([a], [b]) => (a < b ? -1 : 1))) this.bench.log(`heard: ${who}`, messages)
    for (const socket of this.#sockets.keys()) for (const member of ['address', 'remoteAddress']) this.#call(socket, member, [])
  }

  #create(index: number, making: Making): void {
    const controller = new AbortController()
    const options: SocketOptions = { type: making.type, ...OPTIONS[making.options] }
    if (making.options === 'signal') options.signal = controller.signal
    const loopback = making.type === 'udp6' ? '::1' : '127.0.0.1'
    if (making.options === 'lookup') options.lookup = lookup(this.bench, { name: loopback, bad: new Error('not known') })
    const socket = this.bench.socket(options, undefined, 'message', ...(making.heedless ? (['error'] as const) : []))
    const name = ++this.#calls
    socket.on('message', (message, { address, port }) => {
      this.bench.nameStranger(port)
      const who = `${name} from ${address} ${this.bench.portName(port)}`
      this.#heard.set(who, [...(this.#heard.get(who) ?? []), message])
    })
    this.#sockets[index] = { socket, making, controller }
  }

  #bind({ socket, how, callback }: Step & { do: 'bind' }): void {
    const values: unknown[] = BINDS[how](this.#loopback(socket), this.#portOf(socket, PEER))
    this.#call(socket, 'bind', callback ? [...values, this.bench.callback(`bind ${++this.#calls}`)] : values)
  }

  #connect({ socket, to, address, callback }: Step & { do: 'connect' }): void {
    const values: unknown[] = [this.#portOf(socket, to), this.#address(socket, address)]
    this.#call(socket, 'connect', callback ? [...values, this.bench.callback(`connect ${++this.#calls}`)] : values)
  }

  #send({ socket, payload, form, to, address, callback }: Step & { do: 'send' }): void {
    const [port, host] = [this.#portOf(socket, to), this.#address(socket, address)]
    const forms: Record<Form, unknown[]> = {
      port: [port],
      'port, address': [port, host],
      'offset, length': [0, 2, port],
      'offset, length, address': [1, 2, port, host],
      connected: [],
      'connected, offset': [1, 2],
      'bad port': [70_000, host],
    }
    const values = [PAYLOADS[payload]!(), ...forms[form]]
    if (callback !== null) values.push(this.bench.callback(`send ${++this.#calls}`, () => this.#all(callback)))
    this.#call(socket, 'send', values)
  }

  #on({ socket, event, steps }: Step & { do: 'on' }): void {
    // What a message sets off is done with one socket only: otherwise it would matter which of several hears first.
    const isMessage = event === 'message'
    const index = isMessage ? 0 : socket
    this.#sockets[index]!.socket.once(event, () => this.#all(isMessage ? allWith(index, steps) : steps))
  }

  #dispose(index: number): void {
    const number = ++this.#calls
    this.#sockets[index]!.socket[Symbol.asyncDispose]().then(
      (value: unknown) => this.bench.log(`disposed ${number}`, value),
      (error: unknown) => this.bench.log(`disposal ${number} failed`, error),
    )
  }

  #later(when: 'tick' | 'microtask' | 'immediate', steps: Step[]): void {
    const run = () => this.#all(steps)
    if (when === 'tick') process.nextTick(run)
    else if (when === 'microtask') queueMicrotask(run)
    else setImmediate(run)
  }

  #all(steps: Step[]): void {
    for (const step of steps) this.step(step)
  }

  #call(index: number, member: string, values: unknown[]): void {
    const { socket } = this.#sockets[index]!
    const method = Reflect.get(socket, member) as (...values: unknown[]) => unknown
    this.bench.port(socket)
    this.bench.call(`${++this.#calls} ${index}.${member}`, () => method.apply(socket, values))
  }

  #portOf(index: number, to: number): number {
    const { port: ofPeer } = this.peers[this.#sockets[index]!.making.type]
    if (to === PEER) return ofPeer
    const port = this.bench.port(this.#sockets[to === SELF ? index : to]!.socket)
    return port === 0 ? ofPeer : port
  }

  #loopback(index: number): string {
    return this.#sockets[index]!.making.type === 'udp6' ? '::1' : '127.0.0.1'
  }

  #address(index: number, address: string): unknown {
    return ADDRESSES[address]!(this.#loopback(index), this.#sockets[index]!.making.options === 'lookup')
  }
}

const record = <T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(fields, { noNullPrototype: true })
/** The same steps, done with one socket. */
function allWith(socket: number, steps: Step[]): Step[] {
  return steps.map(
    (step) =>
      ({
        ...step,
        ...('socket' in step ? { socket } : {}),
        ...('steps' in step ? { steps: allWith(socket, step.steps) } : {}),
        ...('callback' in step && Array.isArray(step.callback) ? { callback: allWith(socket, step.callback) } : {}),
      }) as Step,
  )
}

const keysOf = <T extends object>(object: T) => Object.keys(object) as (keyof T & string)[]
const socket = fc.nat(SOCKETS - 1)
const toAnybody = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(PEER, SELF) }, { weight: 4, arbitrary: socket })
/** Nobody of whom the kernel says that he is not there. */
const toTheLiving = fc.constantFrom(PEER, SELF)
/** The ordinary one more often than the others together. */
const mostly = <T>(ordinary: T[], others: T[]) =>
  fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...ordinary) }, { weight: 3, arbitrary: fc.constantFrom(...others) })

const making: fc.Arbitrary<Making> = record({
  type: mostly<'udp4' | 'udp6'>(['udp4'], ['udp6']),
  options: mostly<keyof typeof OPTIONS>(['none'], keysOf(OPTIONS)),
  heedless: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
})
const address = mostly(['loopback', 'none'], keysOf(ADDRESSES))
/** Without a name that is found: it takes its lookup, and literals of its tick overtake it (docs/dgram.md). */
const literal = address.filter((name) => name !== 'name')
const payload = mostly(['text', 'buffer'], keysOf(PAYLOADS))
const form = mostly<Form>(
  ['port, address', 'connected'],
  ['port', 'port, address', 'offset, length', 'offset, length, address', 'connected', 'connected, offset', 'bad port'],
)
const how = mostly<keyof typeof BINDS>(['loopback', 'any port'], keysOf(BINDS))
const when = fc.constantFrom('tick' as const, 'microtask' as const, 'immediate' as const)

const stepWith = (connectTo: fc.Arbitrary<number>) =>
  fc.letrec<{ step: Step; inner: Step[] }>((tie) => ({
    inner: fc.array(tie('step'), { maxLength: 3, depthIdentifier: 'steps' }),
    step: fc.oneof(
      { depthIdentifier: 'steps', maxDepth: 3, withCrossShrink: true },
      { weight: 6, arbitrary: record({ do: fc.constant('bind' as const), socket, how, callback: fc.boolean() }) },
      {
        weight: 10,
        arbitrary: record({
          do: fc.constant('send' as const),
          socket,
          payload,
          form,
          to: toTheLiving,
          address: literal,
          callback: fc.constantFrom<Step[] | null>(null, []),
          times: mostly([1], [2, 3, 6]),
        }),
      },
      {
        weight: 5,
        arbitrary: record({ do: fc.constant('connect' as const), socket, to: connectTo, address, callback: fc.boolean() }),
      },
      {
        weight: 4,
        arbitrary: record({
          do: fc.constant('wait' as const),
          for: fc.constantFrom('tick', 'microtask', 'immediate', 'settle', 'settle'),
        }),
      },
      { weight: 2, arbitrary: record({ do: fc.constantFrom('close' as const, 'close, heard' as const), socket }) },
      {
        weight: 3,
        arbitrary: record({
          do: fc.constantFrom('disconnect' as const, 'dispose' as const, 'abort' as const, 'forget' as const),
          socket,
        }),
      },
      {
        weight: 4,
        arbitrary: fc
          .tuple(socket, fc.constantFrom(...CALLS))
          .map(([index, [member, values]]) => ({ do: 'call' as const, socket: index, member, values })),
      },
      { weight: 2, arbitrary: record({ do: fc.constant('marks' as const) }) },
      { weight: 1, arbitrary: record({ do: fc.constant('create' as const), socket, making }) },
      { weight: 3, arbitrary: record({ do: fc.constant('later' as const), when, steps: tie('inner') }) },
      {
        weight: 3,
        arbitrary: record({ do: fc.constant('on' as const), socket, event: fc.constantFrom(...EVENTS), steps: tie('inner') }),
      },
      {
        weight: 3,
        arbitrary: record({
          do: fc.constant('send' as const),
          socket,
          payload,
          form,
          to: toTheLiving,
          address: literal,
          callback: tie('inner'),
          times: fc.constant(1),
        }),
      },
    ),
  })).step

/**
 * Programs in which a connected socket may lose the one that it is connected to, or not. Datagrams go to the peers and to their own socket:
 * in which order those of several sockets leave one tick is left open (docs/dgram.md).
 */
export const randomProgram = (losing: 'losing peers' | 'keeping peers'): fc.Arbitrary<RandomProgram> =>
  record({
    sockets: fc.array(making, { minLength: SOCKETS, maxLength: SOCKETS }),
    steps: fc.array(stepWith(losing === 'losing peers' ? toAnybody : toTheLiving), { minLength: 1, maxLength: 24, size: 'max' }),
  })
