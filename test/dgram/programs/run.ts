import * as nodeDgram from 'node:dgram'
import { writeSync } from 'node:fs'
import { inspect } from 'node:util'
import { isMainThread, parentPort } from 'node:worker_threads'
import { loadDropIn } from '../differential.js'
import { processCases } from './process-cases.js'

// node --import tsx run.ts IMPLEMENTATION CASE [child]: one case in a process of its own; what it sees is on standard output.
const [implementation, name, role = 'main'] = process.argv.slice(2) as [string, string, 'main' | 'child' | undefined]
const dgram = implementation === 'drop-in' ? await loadDropIn() : nodeDgram

const log = (...values: unknown[]): void => {
  const line = values
    .map((value) =>
      typeof value === 'string' || value instanceof Error ? String(value) : inspect(value, { breakLength: Infinity }),
    )
    .join(' ')
  // Synchronously: a case may end the process.
  if (isMainThread) writeSync(1, `${line}\n`)
  else parentPort!.postMessage(line)
}

await processCases[name]!(dgram, log, role)
