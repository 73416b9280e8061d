import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { createChannelNode, type Channel } from '../../index.js'
import { decodeHex, rate, wholeNumber } from '../arguments.js'
import { EXIT, EXIT_HELP, UsageError, type ExitCode } from '../exit.js'
import { interruptSignal } from '../interrupt.js'
import { bytes, counted } from '../numbers.js'
import { Pacer } from '../pacer.js'
import { linesOf, repeated, type PayloadGroups } from '../payloads.js'
import { Status } from '../status.js'
import { addNamespaceOption, addNodeOptions, addTtlOption, nodeOptions, type NodeOptions } from './options.js'

/** `geysir channel pub`. */
export function addChannelPub(program: Command, exit: (code: ExitCode) => void): void {
  const command = program
    .command('pub')
    .description('Publish in a channel: a payload, or every line of standard input.')
    .argument('<channel>', 'its name')
    .argument('[payload]', 'what to publish; without it every line of standard input')
  addTtlOption(addNamespaceOption(addNodeOptions(command)))
    .option('--hex', 'the payload, or each line, is hexadecimal')
    .option('-n, --count <n>', 'publish the payload so many times', wholeNumber(1))
    .option('-r, --rate <n>', 'so many a second', rate)
    .option('--json', 'what is said on standard error is JSON')
    .option('-q, --quiet', 'say nothing but what goes wrong')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}`)
    .action(async (name: string, payload: string | undefined, options: PubOptions) => {
      exit(await publish(name, payload, options))
    })
}

interface PubOptions extends NodeOptions {
  readonly hex?: true
  readonly count?: number
  readonly rate?: number
  readonly json?: true
  readonly quiet?: true
}

async function publish(name: string, payload: string | undefined, options: PubOptions): Promise<ExitCode> {
  const { hex = false, count } = options
  if (payload === undefined && count !== undefined) throw new UsageError('--count repeats a payload; standard input comes once')
  const status = new Status(options)
  const interrupt = interruptSignal()
  await using node = createChannelNode(nodeOptions(options))
  const channel = node.channel(name)
  let warned = false
  channel.on('sendError', (error) => {
    if (!warned) status.warn(error.message)
    warned = true
  })
  if (payload !== undefined) {
    const once = hex ? decodeHex(payload) : Buffer.from(payload)
    await publishAll(channel, repeated(once, count ?? 1), options, interrupt)
  } else {
    // Ends the reading of lines.
    interrupt.addEventListener('abort', () => process.stdin.destroy())
    try {
      await publishAll(channel, linesOf(process.stdin, hex), options, interrupt)
    } finally {
      process.stdin.destroy()
    }
  }
  if (!channel.flush()) await once(channel, 'drain')
  const { datagramsPublished, bytesPublished, datagramsSent, datagramsUnsent, datagramsFailed } = channel.stats()
  const where = `in channel ${channel.name} (${channel.group.toString()})`
  status.say('published', `published ${counted(datagramsPublished, 'message')}, ${bytes(bytesPublished)}, ${where}`, {
    channel: channel.name,
    group: channel.group.address,
    messages: datagramsPublished,
    bytes: bytesPublished,
    sent: datagramsSent,
  })
  if (interrupt.aborted) return EXIT.interrupted
  const failed = datagramsUnsent + datagramsFailed
  if (failed > 0) status.warn(`${counted(failed, 'datagram')} could not be sent`, { failed })
  return failed > 0 ? EXIT.failure : EXIT.ok
}

async function publishAll(channel: Channel, groups: PayloadGroups, options: PubOptions, signal: AbortSignal): Promise<void> {
  const pacer = options.rate === undefined ? undefined : new Pacer(options.rate, undefined)
  try {
    for await (const group of groups) {
      for (const payload of group) {
        if (signal.aborted) return
        if (pacer !== undefined) await pace(pacer, payload.length, signal)
        while (!channel.publish(payload)) await once(channel, 'drain', { signal })
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function pace(pacer: Pacer, lengthBytes: number, signal: AbortSignal): Promise<void> {
  let nowMs = performance.now()
  for (let waitMs = pacer.waitMs(nowMs); waitMs > 0; waitMs = pacer.waitMs(nowMs)) {
    await sleep(waitMs, undefined, { signal })
    nowMs = performance.now()
  }
  pacer.spend(lengthBytes, nowMs)
}

const EXAMPLES = `
Examples:
  geysir channel pub weather rain -p 8765
  geysir channel pub /robot/pose '00 01 ff' --hex -p 8765 --ttl 0
  tail -f log | geysir channel pub log -p 8765 --interface eth0
  geysir channel pub tick now -p 8765 --count 100 --rate 10`
