import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** A Node program that runs, with what it has printed until now. */
export class Running {
  readonly stdout: string[] = []
  stderr = ''
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown[]>

  constructor(child: ChildProcess) {
    this.#child = child
    this.#closed = once(child, 'close')
    createInterface(child.stdout!).on('line', (line) => this.stdout.push(line))
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
  }

  get pid(): number {
    return this.#child.pid!
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Waits for the next line that it prints. */
  async line(): Promise<string> {
    const seen = this.stdout.length
    while (this.stdout.length === seen) {
      const ended = await Promise.race([once(this.#child.stdout!, 'data'), this.end().then(() => true)])
      if (ended === true) throw new Error('ended without another line')
    }
    return this.stdout[seen]!
  }

  /** Waits for its end and returns the lines that it printed. @throws With what it complained of, when it failed. */
  async end(): Promise<string[]> {
    const [code, signal] = await this.#closed
    if (code !== 0) throw new Error(`ended with ${String(code ?? signal)}: ${this.stderr}`)
    return this.stdout
  }
}

/** Runs one of `examples/`, as the README says, with the package as it was built. It does not outlive the test. */
export function runExample(name: string, ...args: string[]): Running {
  return run(fileURLToPath(new URL(`../../examples/${name}.mjs`, import.meta.url)), ...args)
}

/** Runs a program that stands in a document. */
export function runSource(source: string): Running {
  return run('--input-type=module', '--eval', source)
}

function run(...args: string[]): Running {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill())
  return new Running(child)
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
