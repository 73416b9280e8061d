import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface ProgramResult {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface ProgramOptions {
  nodeArgs?: string[]
  /** The full name of a network namespace to run in. */
  namespace?: string
  /** Called with all that was printed until now. */
  onOutput?: (stdout: string) => void
}

/** Runs one of `test/lifecycle/programs` to its end, with the environment of the test. */
export function runProgram(name: string, args: string[] = [], options: ProgramOptions = {}): Promise<ProgramResult> {
  const path = fileURLToPath(new URL(`../lifecycle/programs/${name}.mjs`, import.meta.url))
  const inNamespace = options.namespace === undefined ? [] : ['ip', 'netns', 'exec', options.namespace]
  const [command, ...rest] = [...inNamespace, process.execPath, ...(options.nodeArgs ?? []), path, ...args]
  const child = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
    options.onOutput?.(output.stdout)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, ...output }))
  })
}
