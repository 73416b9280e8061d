import { readFileSync } from 'node:fs'
import type { Program } from './programs.js'

/**
 * The program, kept on one processor. Whether the scheduler lets two processes that wake each other share a processor changes their
 * round trips threefold, and it is a matter of luck: contenders must not differ in it. Where there is only one processor, they
 * share it anyhow.
 */
export function pinned(program: Program, which: 0 | 1): Program {
  const processors = allowedProcessors()
  if (processors.length < 2) return program
  return { command: ['taskset', '--cpu-list', String(processors[which]), ...program.command] }
}

/** Those that this process may use: a container often has only some of the machine's. */
function allowedProcessors(): number[] {
  const list = /^Cpus_allowed_list:\s+(.+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number) as [number, number?]
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}

/** How much of the processors' time goes to others, from 0 to 1, while this process does nothing. */
export async function busyShare(): Promise<number> {
  const before = processorTimes()
  await new Promise((resolve) => setTimeout(resolve, IDLE_SAMPLE_MS))
  const after = processorTimes()
  const total = after.total - before.total
  return total === 0 ? 0 : 1 - (after.idle - before.idle) / total
}

/** In clock ticks, of all processors (proc_stat(5)). */
function processorTimes(): { total: number; idle: number } {
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0]!
  const times = line.split(/\s+/).slice(1, 9).map(Number)
  return { total: times.reduce((sum, time) => sum + time, 0), idle: times[3]! + times[4]! }
}

const IDLE_SAMPLE_MS = 500
/** From here on the figures suffer. */
export const BUSY_SHARE = 0.1
