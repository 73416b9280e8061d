import { readFileSync, statSync } from 'node:fs'
import { UsageError } from './exit.js'

/** What a file holds that both ends have. @throws What the system says of it; that it is a directory, or has too few or many bytes. */
export function readKeyFile(path: string, what: string, minBytes: number, maxBytes: number = Infinity): Buffer {
  if (statSync(path).isDirectory()) throw new UsageError(`${path} is a directory`)
  const key = readFileSync(path)
  if (key.length < minBytes || key.length > maxBytes) {
    const range = maxBytes === Infinity ? `at least ${minBytes}` : `${minBytes} to ${maxBytes}`
    throw new UsageError(`${path} has ${key.length} bytes; a ${what} has ${range}`)
  }
  return key
}
