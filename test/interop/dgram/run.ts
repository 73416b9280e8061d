import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** On whose handles a program's sockets are. */
export const DROP_IN = 'BatchingHandle'
export const NODE = 'UDP'

export interface RunOptions {
  readonly args?: readonly (string | number)[]
  /** Run with `--import geysir/register`. */
  readonly register?: boolean
  readonly env?: Record<string, string>
  readonly nodeArgs?: readonly string[]
}

/** A program of `programs/`, in a process of its own; it speaks in lines of JSON. It is killed if the test ends before it does. */
export class Running {
  readonly #child
  readonly #lines: AsyncIterator<string>
  readonly #closed: Promise<number | null>
  #errors = ''

  constructor(name: string, options: RunOptions = {}) {
    const nodeArgs = [...(options.register ? ['--import', 'geysir/register'] : []), ...(options.nodeArgs ?? [])]
    const path = fileURLToPath(new URL(`programs/${name}`, import.meta.url))
    this.#child = spawn(process.execPath, [...nodeArgs, path, ...(options.args ?? []).map(String)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: ROOT, // where `geysir` is this package
      env: { ...process.env, ...options.env },
    })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#errors += text))
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
    this.#closed = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', resolve)
    })
    onTestFinished(() => void this.#child.kill('SIGKILL'))
  }

  /** The next line. */
  async read<T = Record<string, unknown>>(): Promise<T> {
    const line = await this.#lines.next()
    if (line.done === true) throw new Error(`it ended without another line: ${this.#errors}`)
    return JSON.parse(line.value) as T
  }

  /** Waits until it has ended by itself, its input being at its end. */
  async end(): Promise<{ code: number | null; stderr: string }> {
    this.#child.stdin.end()
    return { code: await this.#closed, stderr: this.#errors }
  }
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
