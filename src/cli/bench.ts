import { Option, type Command } from 'commander'
import { HEADER_BYTES } from './bench/datagram.js'
import { MAX_PAYLOAD_BYTES } from './bench/plan.js'
import { runBench, type BenchProgress, type BenchRequest, type BenchResult } from './bench/run.js'
import { byteSize, positiveNumber } from './arguments.js'
import { EXIT, EXIT_HELP, type ExitCode } from './exit.js'
import { interruptSignal } from './interrupt.js'
import { counted, gigabits, grouped, perSecond } from './numbers.js'
import { readerGone } from './output.js'
import { Progress } from './progress.js'

/** `geysir bench`: how fast this host is, with nothing lost in silence. Also the package's demo. */
export function addBench(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command('bench')
    .description('Two processes on loopback, as fast as they can: every datagram is numbered and checksummed.')
    .addOption(new Option('-s, --seconds <n>', 'how long').argParser(positiveNumber).default(5))
    .addOption(
      new Option('-b, --bytes <n>', 'payload of a datagram').argParser(byteSize(HEADER_BYTES, MAX_PAYLOAD_BYTES)).default(1200),
    )
    .option('--no-offload', 'without segmentation offload: one datagram is one message to the kernel')
    .option('--no-verify', 'check the numbers only, not all the bytes')
    .option('--overrun', 'do not wait for the sink: the kernel drops what does not fit, and it is counted')
    .option('--compare', 'then the same with node:dgram')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}${EXIT_NOTES}`)
    .action(async (options: BenchOptions) => {
      exit(await bench(options))
    })
}

interface BenchOptions {
  readonly seconds: number
  readonly bytes: number
  readonly offload: boolean
  readonly verify: boolean
  readonly overrun?: true
  readonly compare?: true
  readonly json?: true
}

async function bench(options: BenchOptions): Promise<ExitCode> {
  const interrupt = AbortSignal.any([interruptSignal(), readerGone()])
  const contenders: readonly BenchRequest['transport'][] = options.compare ? ['geysir', 'dgram'] : ['geysir']
  const results: BenchResult[] = []
  if (!options.json) console.log(headline(options))
  for (const transport of contenders) {
    if (interrupt.aborted) break
    const { seconds, bytes, verify, overrun = false } = options
    const offload = options.offload && transport === 'geysir'
    const display = new ProgressDisplay(options, NAMES[transport])
    const result = await runBench(
      { transport, seconds, bytes, offload, verify, overrun },
      (progress) => display.show(progress),
      interrupt,
    )
    display.stop()
    results.push(result)
    if (!options.json) console.log(describeResult(result))
  }
  const [geysir, dgram] = results
  const ratio = geysir !== undefined && dgram !== undefined ? geysir.datagramsPerSecond / dgram.datagramsPerSecond : undefined
  if (options.json) console.log(JSON.stringify(ratio === undefined ? geysir : { geysir, dgram, ratio }))
  else if (ratio !== undefined) console.log(`\ngeysir is ${ratio.toFixed(1)} times as fast as node:dgram here`)
  return results.every((result) => result.addsUp && result.corrupted === 0) ? EXIT.ok : EXIT.failure
}

function headline({ seconds, bytes, offload, verify }: BenchOptions): string {
  const checked = verify ? 'numbered and checksummed' : 'numbered'
  const how = offload ? '' : ', without segmentation offload'
  return `two processes on loopback for ${seconds} s, datagrams of ${bytes} bytes, every one ${checked}${how}`
}

function describeResult(result: BenchResult): string {
  const { sent, received, dropped, failed, corrupted, duplicated, late, kernelDrops, datagramsPerDrop } = result
  const width = grouped(sent).length
  const terms = [
    [grouped(received), 'received'],
    [grouped(dropped), 'dropped by the kernel'],
    ...(failed > 0 ? [[grouped(failed), 'refused by the kernel']] : []),
    ...(corrupted > 0 ? [[grouped(corrupted), 'corrupted']] : []),
  ]
  const drops =
    kernelDrops > 0 && datagramsPerDrop > 1 ? ` (${counted(kernelDrops, 'message')} of ${datagramsPerDrop} datagrams each)` : ''
  const checked = result.verified ? `every byte of them checked: ${grouped(corrupted)} corrupted` : 'bytes not checked'
  const lines = [
    `${NAMES[result.transport]}: ${perSecond(result.datagramsPerSecond)} datagrams a second, ${result.gigabitsPerSecond.toFixed(2)} Gbit/s of payload`,
    `  ${grouped(sent).padStart(width)} sent`,
    ...terms.map(([count, what], i) => `${i === 0 ? '=' : '+'} ${count!.padStart(width)} ${what}${i === 1 ? drops : ''}`),
    `  ${result.addsUp ? 'it adds up' : `IT DOES NOT ADD UP: ${grouped(sent - received - dropped - failed - corrupted)} are unaccounted for`}; ${checked}, ${grouped(duplicated)} duplicated, ${grouped(late)} out of order`,
  ]
  return `\n${lines.join('\n')}`
}

/** On a terminal a bar, elsewhere a line a second. */
class ProgressDisplay {
  readonly #seconds: number
  readonly #bytes: number
  readonly #bar: Progress
  readonly #lines: boolean
  #startMs = 0
  #last: BenchProgress | undefined

  constructor({ seconds, bytes, json }: BenchOptions, name: string) {
    this.#seconds = seconds
    this.#bytes = bytes
    this.#bar = new Progress(`  ${name} [{bar}] {elapsed} s  {rate} a second  {gigabits} Gbit/s  {drops} dropped`, seconds)
    this.#lines = !Progress.isPossible && json !== true
  }

  show(progress: BenchProgress): void {
    const last = this.#last
    this.#last = progress
    if (last === undefined) {
      this.#startMs = progress.atMs
      return
    }
    const elapsed = (progress.atMs - this.#startMs) / 1000
    const received = progress.received - last.received
    // The last report of a run comes whenever it ends.
    if (progress.atMs - last.atMs < SHORTEST_INTERVAL_MS || received === 0) return
    const rate = received / ((progress.atMs - last.atMs) / 1000)
    const fields = {
      elapsed: elapsed.toFixed(0),
      rate: perSecond(rate),
      gigabits: gigabits(rate * this.#bytes).toFixed(1),
      drops: grouped(progress.dropped),
    }
    this.#bar.update(Math.min(elapsed, this.#seconds), fields)
    if (this.#lines) {
      console.log(
        `  ${fields.elapsed.padStart(3)} s  ${fields.rate} a second  ${fields.gigabits} Gbit/s  ${fields.drops} dropped`,
      )
    }
  }

  stop(): void {
    this.#bar.stop()
  }
}

const NAMES = { geysir: 'geysir', dgram: 'node:dgram' } as const

const EXAMPLES = `
Examples:
  geysir bench                          five seconds, 1200-byte datagrams
  geysir bench --compare                and how much faster that is than node:dgram
  geysir bench --bytes 64 --no-offload  what a datagram costs when the kernel handles each by itself
  geysir bench --overrun                drops, and that they are counted to the last one
  geysir bench --json | jq .datagramsPerSecond`

const EXIT_NOTES = `
1 also when a datagram was corrupted or duplicated, or when sent is not received + counted drops, exactly. Drops alone are 0.
The rates of loopback are not those of a network, but what the host itself can do.`

const SHORTEST_INTERVAL_MS = 500
