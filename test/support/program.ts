import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface ProgramResult {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Runs one of `test/lifecycle/programs` to its end, with the environment of the test. */
export function runProgram(name: string, args: string[] = [], nodeArgs: string[] = []): Promise<ProgramResult> {
  const path = fileURLToPath(new URL(`../lifecycle/programs/${name}.mjs`, import.meta.url))
  const child = spawn(process.execPath, [...nodeArgs, path, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, ...output }))
  })
}
