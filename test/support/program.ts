import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { TOOL_ENVIRONMENT, nodeInNamespace } from './tools.js'

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
  const [command, ...rest] = nodeInNamespace(options.namespace, [...(options.nodeArgs ?? []), path, ...args])
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: TOOL_ENVIRONMENT })
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
