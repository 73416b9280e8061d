/** Subscribes to five hundred channels in one process, and says what that costs and in how many of them it hears what is published. */
import { readdirSync } from 'node:fs'
import { createChannelNode } from 'geysir'
import { portFor } from './channels.js'
import { printLine } from './contender.js'

const CHANNELS = 500
const MESSAGES = 20
const MAX_MS = 10_000

const port = await portFor(0)
const publisher = createChannelNode({ port, interfaces: ['lo'] })
const node = createChannelNode({ port, interfaces: ['lo'] })
const heard = new Map<string, number>()
let open = CHANNELS
let finish: () => void = () => undefined
const done = new Promise<void>((resolve) => (finish = resolve))

const before = measure()
const startMs = performance.now()
for (let i = 0; i < CHANNELS; i++) {
  const name = `many/${i}`
  node.channel(name).subscribe(() => {
    const count = (heard.get(name) ?? 0) + 1
    heard.set(name, count)
    if (count === MESSAGES && --open === 0) finish()
  })
}
const subscribeMs = performance.now() - startMs
const after = measure()
for (let round = 0; round < MESSAGES; round++) {
  for (let i = 0; i < CHANNELS; i++) publisher.channel(`many/${i}`).publish('tick')
  await new Promise((resolve) => setImmediate(resolve))
}
await Promise.race([done, new Promise((resolve) => setTimeout(resolve, MAX_MS).unref())])
printLine({
  heardShare: (CHANNELS - open) / CHANNELS,
  descriptors: after.descriptors - before.descriptors,
  bytesPerChannel: (after.bytes - before.bytes) / CHANNELS,
  subscribeMs,
})
publisher.close()
node.close()

function measure(): { descriptors: number; bytes: number } {
  gc!()
  const { heapUsed, external } = process.memoryUsage()
  return { descriptors: readdirSync('/proc/self/fd').length, bytes: heapUsed + external }
}
