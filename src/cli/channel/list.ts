import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { observeChannels, type ChannelObserver, type ObservedChannel } from '../../index.js'
import { given, positiveNumber } from '../arguments.js'
import { printable } from '../datagram-format.js'
import { EXIT, EXIT_HELP, type ExitCode } from '../exit.js'
import { interruptSignal } from '../interrupt.js'
import { perSecond } from '../numbers.js'
import { readerGone } from '../output.js'
import { plainEndpoint } from '../places.js'
import { Status } from '../status.js'
import { addNodeOptions, interfacesOf, type NodeOptions } from './options.js'

/** `geysir channel list`. */
export function addChannelList(program: Command, exit: (code: ExitCode) => void): void {
  const command = program
    .command('list')
    .description('Show live traffic of channels: names, rates, gaps, sources.')
    .argument('[channel...]', 'these; by default all that programs of this host subscribe to')
  addNodeOptions(command)
    .option('--interval <s>', 'how often (default 1)', positiveNumber)
    .option('--seconds <s>', 'end after so long (default: at Ctrl-C)', positiveNumber)
    .option('--json', 'print one JSON object a channel and interval')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}`)
    .action(async (names: string[], options: ListOptions) => {
      exit(await list(names, options))
    })
}

interface ListOptions extends NodeOptions {
  readonly interval?: number
  readonly seconds?: number
  readonly json?: true
}

async function list(names: readonly string[], options: ListOptions): Promise<ExitCode> {
  const { port, interval = 1, seconds = Infinity, json = false } = options
  const status = new Status({ json })
  const interrupt = AbortSignal.any([interruptSignal(), readerGone()])
  const wanted = names.length === 0 ? {} : { names: names.map((name) => name.replace(/^\//, '')) }
  const observer = observeChannels({ port, ...wanted, ...given({ interfaces: interfacesOf(options.interface) }) })
  try {
    const what = names.length === 0 ? 'what programs of this host subscribe to' : names.join(', ')
    status.say('observing', `observing port ${port}: ${what}`, { port, channels: names })
    const endMs = performance.now() + seconds * 1000
    const rates = new Rates()
    while (!interrupt.aborted && performance.now() < endMs) {
      const waitMs = Math.min(interval * 1000, endMs - performance.now())
      await sleep(waitMs, undefined, { signal: interrupt }).catch(() => undefined)
      show(rates.of(observer.channels()), json)
    }
    return report(observer, status)
  } finally {
    observer.close()
  }
}

interface Row extends ObservedChannel {
  readonly datagramsPerSecond: number
  readonly bytesPerSecond: number
}

/** What came since the last time. */
class Rates {
  #before = new Map<string, ObservedChannel>()
  #beforeMs = performance.now()

  of(channels: readonly ObservedChannel[]): Row[] {
    const nowMs = performance.now()
    const seconds = Math.max((nowMs - this.#beforeMs) / 1000, MIN_SECONDS)
    const rows = channels.map((channel) => {
      const before = this.#before.get(channel.name)
      return {
        ...channel,
        datagramsPerSecond: (channel.datagramsReceived - (before?.datagramsReceived ?? 0)) / seconds,
        bytesPerSecond: (channel.bytesReceived - (before?.bytesReceived ?? 0)) / seconds,
      }
    })
    this.#before = new Map(channels.map((channel) => [channel.name, channel]))
    this.#beforeMs = nowMs
    return rows
  }
}

function show(rows: readonly Row[], json: boolean): void {
  if (json) {
    for (const { sources, ...row } of rows) {
      const told = sources.map((source) => ({ ...source, endpoint: plainEndpoint(source.endpoint) }))
      console.log(JSON.stringify({ ...row, sources: told }))
    }
    return
  }
  if (process.stdout.isTTY) process.stdout.write(CLEAR_SCREEN)
  console.log(table(rows))
}

function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    printable(Buffer.from(row.name)),
    row.group,
    perSecond(row.datagramsPerSecond),
    perSecond(row.bytesPerSecond),
    ...[row.datagramsReceived, row.missing, row.late, row.duplicates, row.restarts].map(String),
    row.sources.length > SHOWN_SOURCES
      ? `${row.sources.length} sources`
      : row.sources.map(({ endpoint }) => plainEndpoint(endpoint)).join(' '),
  ])
  const all = [HEAD, ...cells]
  const widths = HEAD.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()).join('\n') // prettier-ignore
}

function report(observer: ChannelObserver, status: Status): ExitCode {
  const { notPulicast, tooShort, truncated, otherChannels, kernelDrops } = observer.stats()
  const malformed = notPulicast + tooShort + truncated
  if (malformed > 0) status.warn(`${malformed} datagrams were of no channel`, { notPulicast, tooShort, truncated })
  if (otherChannels > 0) status.warn(`${otherChannels} datagrams were of channels that are not listed`, { otherChannels })
  if (kernelDrops > 0) status.warn(`the kernel dropped ${kernelDrops} messages: rates and gaps are of the rest`, { kernelDrops })
  return EXIT.ok
}

const HEAD = ['channel', 'group', 'messages/s', 'bytes/s', 'messages', 'missing', 'late', 'twice', 'restarts', 'sources']
const EXAMPLES = `
Examples:
  geysir channel list -p 8765
  geysir channel list weather robot/pose -p 8765 --interface eth0
  geysir channel list -p 8765 --json --seconds 10 --interval 10`

/** Sources of a channel that are named one by one. */
const SHOWN_SOURCES = 3
const MIN_SECONDS = 0.001
/** ECMA-48 ED 2 and CUP. */
const CLEAR_SCREEN = '\x1b[2J\x1b[H'
