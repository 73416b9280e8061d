import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'

/** The command as users have it: built, in a process of its own. */
export const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export interface Result {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `geysir` to its end. */
export function geysir(args: readonly string[], input: string | Buffer = ''): Promise<Result> {
  const program = startGeysir(args)
  program.endInput(input)
  return program.ended
}

export function startGeysir(args: readonly string[]): Program {
  return new Program(process.execPath, [MAIN, ...args])
}

/** `geysir listen` with these arguments, once it listens. */
export async function startListening(args: readonly string[]): Promise<Program & { readonly port: number }> {
  const program = startGeysir(['listen', ...args])
  const [, port] = await program.waitFor('stderr', /(?:listening on \S+:|"port":)(\d+)/)
  return Object.assign(program, { port: Number(port) })
}

/** A program that is running. What is left of it at the end of a test is killed. */
export class Program {
  readonly ended: Promise<Result>
  readonly #child: ChildProcessWithoutNullStreams
  readonly #output = { stdout: '', stderr: '' }
  readonly #watchers = new Set<() => void>()
  #isOver = false

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args)
    running.add(this)
    // Whoever does not read its input is not to blame.
    this.#child.stdin.on('error', () => {})
    for (const name of ['stdout', 'stderr'] as const) {
      this.#child[name].setEncoding('utf8').on('data', (text: string) => {
        this.#output[name] += text
        for (const watch of this.#watchers) watch()
      })
    }
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', (code, signal) => {
        this.#isOver = true
        running.delete(this)
        resolve({ code, signal, ...this.#output })
        for (const watch of this.#watchers) watch()
      })
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  get stdout(): string {
    return this.#output.stdout
  }

  /** Waits until its output matches. */
  waitFor(name: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const watch = (): void => {
        const match = pattern.exec(this.#output[name])
        if (match !== null) resolve(match)
        else if (this.#isOver) reject(new Error(`ended without ${String(pattern)}: ${JSON.stringify(this.#output)}`))
        else return
        this.#watchers.delete(watch)
      }
      this.#watchers.add(watch)
      watch()
    })
  }

  write(text: string | Buffer): void {
    this.#child.stdin.write(text)
  }

  endInput(text: string | Buffer = ''): void {
    this.#child.stdin.end(text)
  }

  /** Reads no more of its output, as `head` does when it has enough. */
  closeOutput(): void {
    this.#child.stdout.destroy()
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}

const running = new Set<Program>()
afterEach(() => {
  for (const program of running) program.kill('SIGKILL')
  running.clear()
})

/** The lines of some output. */
export function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1)
}

/** The objects of some output, one a line. */
export function objectsOf(text: string): Record<string, unknown>[] {
  return linesOf(text).map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** The object on standard error that tells of an event. */
export function eventOf(result: Result, event: string): Record<string, unknown> {
  const found = objectsOf(result.stderr).find((object) => object['event'] === event)
  if (found === undefined) throw new Error(`no event ${event} in ${result.stderr}`)
  return found
}
