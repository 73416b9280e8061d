import { isUtf8 } from 'node:buffer'
import { Option, type Command } from 'commander'
import { createChannelNode, type Channel, type ChannelMessage, type ChannelNode } from '../../index.js'
import { wholeNumber } from '../arguments.js'
import { printable } from '../datagram-format.js'
import { EXIT, EXIT_HELP, type ExitCode } from '../exit.js'
import { interruptSignal } from '../interrupt.js'
import { counted } from '../numbers.js'
import { Output } from '../output.js'
import { plainEndpoint } from '../places.js'
import { Status } from '../status.js'
import { addNamespaceOption, addNodeOptions, nodeOptions, type NodeOptions } from './options.js'

/** `geysir channel sub`. */
export function addChannelSub(program: Command, exit: (code: ExitCode) => void): void {
  const command = program
    .command('sub')
    .description('Subscribe to channels and print what is published in them.')
    .argument('<channel...>', 'their names')
  addNamespaceOption(addNodeOptions(command))
    .option('--ordered', 'nothing that comes late or twice')
    .addOption(new Option('--hex', 'print payloads in hexadecimal').conflicts(['raw', 'json']))
    .addOption(new Option('--raw', 'write payloads as they are, one behind the other').conflicts(['hex', 'json']))
    .addOption(new Option('--json', 'print one JSON object a message; what is said on standard error is JSON too'))
    .addOption(new Option('-v, --verbose', 'put channel, source, sequence number and lead before each line').conflicts('raw'))
    .option('-n, --count <n>', 'end after so many messages', wholeNumber(1))
    .option('-t, --timeout <ms>', 'end when none has come for so long', wholeNumber(1, MAX_TIMEOUT_MS))
    .option('-q, --quiet', 'say nothing but what goes wrong')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}${EXIT_NOTES}`)
    .action(async (names: string[], options: SubOptions) => {
      exit(await new Subscribing(options).run(names))
    })
}

interface SubOptions extends NodeOptions {
  readonly ordered?: true
  readonly hex?: true
  readonly raw?: true
  readonly json?: true
  readonly verbose?: true
  readonly count?: number
  readonly timeout?: number
  readonly quiet?: true
}

type Ending = 'count' | 'timeout' | 'interrupt' | 'output'

class Subscribing {
  readonly #options: SubOptions
  readonly #status: Status
  readonly #output: Output
  #received = 0
  #unprinted = 0
  #isFull = false
  #timer: NodeJS.Timeout | undefined
  #end!: (ending: Ending) => void
  readonly #ended = new Promise<Ending>((resolve) => (this.#end = resolve))

  constructor(options: SubOptions) {
    this.#options = options
    this.#status = new Status(options)
    this.#output = new Output(
      undefined,
      () => (this.#isFull = false),
      () => this.#end('output'),
    )
  }

  async run(names: readonly string[]): Promise<ExitCode> {
    interruptSignal().addEventListener('abort', () => this.#end('interrupt'))
    const node = createChannelNode(nodeOptions(this.#options))
    try {
      node.on('warning', (message) => this.#status.warn(message))
      const channels = new Set(names.map((name) => node.channel(name)))
      for (const channel of channels) this.#subscribe(channel)
      const { timeout } = this.#options
      if (timeout !== undefined) this.#timer = setTimeout(() => this.#end('timeout'), timeout)
      this.#say([...channels], node)
      const ending = await this.#ended
      return this.#report(ending, node)
    } finally {
      clearTimeout(this.#timer)
      node.close()
      await this.#output.end()
    }
  }

  #subscribe(channel: Channel): void {
    channel.on('gap', ({ source, missing, sequence }) => {
      const fields = { channel: channel.name, source: plainEndpoint(source), missing, sequence }
      this.#status.say(
        'gap',
        `${channel.name}: ${counted(missing, 'message')} of ${fields.source} missing before ${sequence}`,
        fields,
      )
    })
    channel.on('restart', (source, sequence) => {
      const fields = { channel: channel.name, source: plainEndpoint(source), sequence }
      this.#status.say('restart', `${channel.name}: ${fields.source} begins anew with ${sequence}`, fields)
    })
    const ordered = this.#options.ordered === true
    channel.subscribe((message) => this.#take(channel.name, message), { ordered })
  }

  #take(name: string, message: ChannelMessage): void {
    if (this.#received === this.#options.count) return
    this.#received++
    this.#timer?.refresh()
    if (this.#isFull) this.#unprinted++
    else this.#isFull = !this.#output.write(this.#format(name, message))
    if (this.#received === this.#options.count) this.#end('count')
  }

  #format(name: string, { payload, source, sequence, lead }: ChannelMessage): Buffer | string {
    const { raw, hex, json, verbose } = this.#options
    if (raw) return Buffer.from(payload)
    if (json) {
      const encoding = isUtf8(payload) ? 'utf8' : 'base64'
      const from = { address: source.address, port: source.port }
      return `${JSON.stringify({ channel: name, from, sequence, lead, bytes: payload.length, encoding, payload: payload.toString(encoding) })}\n`
    }
    const content = hex ? payload.toString('hex') : printable(payload)
    return verbose
      ? `${printable(Buffer.from(name))}  ${plainEndpoint(source)}  ${sequence}  ${lead}  ${content}\n`
      : `${content}\n`
  }

  #say(channels: readonly Channel[], node: ChannelNode): void {
    const list = channels.map(({ name, group }) => ({ channel: name, group: group.address }))
    const text = list.map(({ channel, group }) => `${channel} (${group})`).join(', ')
    this.#status.say('subscribed', `subscribed on port ${node.port} to ${text}`, { port: node.port, channels: list })
  }

  #report(ending: Ending, node: ChannelNode): ExitCode {
    const { count } = this.#options
    const { kernelDrops } = node.stats().membership
    if (kernelDrops > 0) this.#status.warn(`the kernel dropped ${counted(kernelDrops, 'message')}`, { kernelDrops })
    if (this.#unprinted > 0) {
      this.#status.warn(`${counted(this.#unprinted, 'message')} not printed: the output was too slow`, {
        unprinted: this.#unprinted,
      })
    }
    if (ending === 'timeout' && (this.#received === 0 || count !== undefined)) {
      this.#status.warn(`timeout after ${counted(this.#received, 'message')}`)
      return EXIT.timeout
    }
    if (ending === 'interrupt' && count !== undefined) return EXIT.interrupted
    return kernelDrops > 0 || this.#unprinted > 0 ? EXIT.failure : EXIT.ok
  }
}

const EXAMPLES = `
Examples:
  geysir channel sub weather -p 8765
  geysir channel sub pose battery --namespace /robot -p 8765 -v
  geysir channel sub weather -p 8765 --json | jq .payload
  geysir channel sub weather -p 8765 --ordered --count 1 --timeout 2000`

const EXIT_NOTES = `
Ctrl-C ends with 0, unless --count was given. A timeout is 3 when nothing came, or less than --count.`

const MAX_TIMEOUT_MS = 0x7fff_ffff
