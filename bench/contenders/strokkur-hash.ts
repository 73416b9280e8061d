/** What hashing the messages alone takes: the bound of everything that hashes them. */
import * as crypto from 'node:crypto'
import { printLine, readOptions } from './contender.js'

const { bytes, amount, hash } = readOptions()
const message = crypto.randomBytes(bytes)
const digest =
  'hash' in crypto ? () => crypto.hash(hash, message, 'buffer') : () => crypto.createHash(hash).update(message).digest()
run(amount / 4)
printLine({ messagesPerSecond: run(amount) })

function run(seconds: number): number {
  const startMs = performance.now()
  let messages = 0
  let elapsedMs = 0
  while (elapsedMs < seconds * 1000) {
    for (let i = 0; i < 8; i++) digest()
    messages += 8
    elapsedMs = performance.now() - startMs
  }
  return (messages * 1000) / elapsedMs
}
