import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import { onExit } from './cleanup.js'
import type { Program } from './programs.js'

/** A contender at work: it speaks in lines of JSON, and ends by itself or when told to. */
export class ContenderProcess {
  /** Rejects when it ends before it was told to: for whoever waits for another process that needs this one. */
  readonly failure: Promise<never>
  readonly #name: string
  readonly #child: ChildProcess
  readonly #lines: Interface
  readonly #unread: string[] = []
  readonly #forget: () => void
  #errors = ''
  #waiting: (() => void) | undefined
  #ended = false
  #told = false

  constructor(program: Program, args: readonly (string | number)[]) {
    const [file, ...before] = program.command
    this.#child = spawn(file, [...before, ...args.map(String)], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#name = `${before.at(-1) ?? file}`.replace(/^.*\//, '')
    this.#forget = onExit(() => this.#child.kill('SIGKILL'))
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#errors += text))
    this.#lines = createInterface(this.#child.stdout!)
    this.#lines.on('line', (line) => this.#unread.push(line) && this.#waiting?.())
    this.#child.on('error', (error) => (this.#errors += error.message))
    this.failure = new Promise((_resolve, reject) => {
      this.#child.on('close', () => {
        this.#ended = true
        this.#forget()
        this.#waiting?.()
        if (!this.#told) reject(this.#endedEarly())
      })
    })
    this.failure.catch(() => undefined)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** The next line that it writes, within `seconds`. */
  async read(seconds: number): Promise<Readonly<Record<string, unknown>>> {
    const endMs = performance.now() + seconds * 1000
    while (this.#unread.length === 0) {
      if (this.#ended) throw this.#endedEarly()
      if (performance.now() >= endMs) throw new Error(`${this.#name} said nothing for ${seconds} s: ${this.#errors.trim()}`)
      await this.#event(endMs - performance.now())
    }
    return JSON.parse(this.#unread.shift()!) as Record<string, unknown>
  }

  /** Asks it to end, insists after a while, and waits until it has. */
  async stop(): Promise<void> {
    this.#tellToEnd()
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS)
    while (!this.#ended) await this.#event(PATIENCE_MS)
    clearTimeout(insist)
  }

  /** Ends it in the ordinary way, and reads what it says at the end. */
  async stopAndRead(): Promise<Readonly<Record<string, unknown>>> {
    this.#tellToEnd()
    return this.read(PATIENCE_MS / 1000)
  }

  #tellToEnd(): void {
    this.#told = true
    this.#child.kill('SIGTERM')
  }

  #endedEarly(): Error {
    return new Error(`${this.#name} ended without a result: ${this.#errors.trim() || 'no message'}`)
  }

  async #event(withinMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.#waiting = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#waiting = undefined
  }
}

const PATIENCE_MS = 3000
