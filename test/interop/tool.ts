import { spawnSync } from 'node:child_process'
import { expect } from 'vitest'
import { Program } from '../cli/command.js'
import { udpSocketOf } from '../cli/kernel-socket.js'

/** Tools that nobody here wrote. */
export type ToolName = 'socat' | 'ncat'

/** Why a tool cannot be used, undefined if it can. */
export function toolProblem(name: ToolName): string | undefined {
  const tried = spawnSync(name, [name === 'socat' ? '-V' : '--version'])
  return tried.error === undefined ? undefined : `${name} is not installed (Debian: apt-get install ${name})`
}

export function startTool(name: ToolName, args: readonly string[]): Program {
  return new Program(name, args)
}

/** The local UDP port of a running program, once it has one: it chose it itself, and need not say it. */
export async function udpPortOf(program: Program): Promise<number> {
  let port: number | undefined
  await expect.poll(() => (port = udpSocketOf(program.pid)?.port), { interval: 10, timeout: 10_000 }).toBeDefined()
  return port!
}
