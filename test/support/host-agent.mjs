// One host of a test network: runs the functions that the test sends (see host.ts), with the built package.
import * as geysir from 'geysir'
import * as events from 'node:events'
import * as fs from 'node:fs'
import { received, receivedUntil, takeDatagram, texts } from './received.mjs'

/** What the functions of one test share: sockets, above all. */
const keep = {}
const tools = { geysir, events, fs, keep, received, receivedUntil, takeDatagram, texts }

process.on('message', async (/** @type {{ id: number; source: string; argument: unknown }} */ { id, source, argument }) => {
  try {
    const call = /** @type {(tools: object, argument: unknown) => unknown} */ ((0, eval)(`(${source})`))
    answer({ id, value: await call(tools, argument) })
  } catch (error) {
    const { message, code, stack } = /** @type {NodeJS.ErrnoException} */ (error)
    answer({ id, error: { message, code, stack } })
  }
})

/** @param {object} message */
function answer(message) {
  process.send?.(message)
}

// The test is gone, and with it the reason to be here.
process.on('disconnect', () => process.exit())
