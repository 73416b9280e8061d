import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type {
  BaseLink,
  DiscoveryClientLink,
  Endpoint,
  InterfaceMonitor,
  Membership,
  MembershipAudit,
  PointToPointLink,
  Publication,
  Service,
  StreamNode,
  UdpSocket,
} from '../../src/index.js'
import type * as received from './received.mjs'
import { TOOL_ENVIRONMENT, nodeInNamespace } from './tools.js'

/** What a function that runs on a {@link Host} is given: it cannot see the test's own variables. */
export interface HostTools {
  readonly geysir: typeof import('../../src/index.js')
  readonly events: typeof import('node:events')
  readonly fs: typeof import('node:fs')
  readonly keep: Kept
  readonly received: typeof received.received
  readonly receivedUntil: typeof received.receivedUntil
  readonly takeDatagram: typeof received.takeDatagram
  readonly texts: typeof received.texts
}

/** What functions leave for later ones on the same host. A function that reads something knows that it is there. */
export interface Kept {
  socket: UdpSocket
  receiver: UdpSocket
  first: UdpSocket
  second: UdpSocket
  peer: Endpoint
  drains: number
  server: BaseLink
  client: DiscoveryClientLink
  clients: DiscoveryClientLink[]
  pointToPoint: PointToPointLink
  answer: Promise<string>
  service: Service
  events: string[]
  monitor: InterfaceMonitor
  /** What the monitor told: `addressAdded v0 10.0.0.1`. */
  told: string[]
  membership: Membership
  audits: MembershipAudit[]
  heard: { text: string; group: string | undefined; index: number; atMs: number }[]
  /** Waits until something is so. */
  until: (condition: () => boolean) => Promise<void>
  timer: NodeJS.Timeout
  node: StreamNode
  publication: Publication
  /** Numbers of messages, as they came. */
  numbers: number[]
}

interface Answer {
  id: number
  value?: unknown
  error?: { message: string; code?: string; stack: string }
}

/**
 * A Node process, in a network namespace if one is named, that runs functions for a test. Functions travel as source text and
 * values by structured clone: so they use only their own arguments.
 */
export class Host {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  #calls = 0

  /** @param through A program that runs it, see {@link nodeInNamespace}. */
  constructor(namespace?: string, through?: readonly string[]) {
    const [command, ...args] = nodeInNamespace(namespace, [AGENT], through)
    this.#process = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
      env: TOOL_ENVIRONMENT,
    })
    this.#process.on('message', (answer: Answer) => this.#settle(answer))
    this.#process.on('exit', (code, signal) => this.#fail(new Error(`the host ended: ${code ?? signal}`)))
    this.#process.on('error', (error) => this.#fail(error))
  }

  /** Runs `call` there and returns what it returns. */
  run<Result>(call: (tools: HostTools) => Result): Promise<Awaited<Result>>
  run<Argument, Result>(call: (tools: HostTools, argument: Argument) => Result, argument: Argument): Promise<Awaited<Result>>
  run(call: (...args: never[]) => unknown, argument?: unknown): Promise<unknown> {
    const id = ++this.#calls
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#process.send({ id, source: call.toString(), argument })
    })
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) return resolve()
      this.#process.once('exit', () => resolve())
      this.#process.disconnect()
    })
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (answer.error === undefined) return waiting?.resolve(answer.value)
    waiting?.reject(Object.assign(new Error(answer.error.message), { code: answer.error.code, stack: answer.error.stack }))
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

const AGENT = fileURLToPath(new URL('host-agent.mjs', import.meta.url))
