import type { Command } from 'commander'
import { InterfaceMonitor, interfaces, type InterfaceChange } from '../index.js'
import { wholeNumber } from './arguments.js'
import { EXIT, EXIT_HELP, UsageError, type ExitCode } from './exit.js'
import { describeChange, describeInterfaces } from './interface-text.js'
import { interruptSignal } from './interrupt.js'
import { Output } from './output.js'
import { Status } from './status.js'

/** `geysir interfaces`: the network interfaces of this host, and what happens to them. */
export function addInterfaces(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command('interfaces')
    .description('Print the network interfaces with all their addresses; and, with --watch, what happens to them.')
    .option('-w, --watch', 'go on until Ctrl-C, one line a change')
    .option('--settle <ms>', 'with --watch: how long a burst of changes may take (default 50)', wholeNumber(0, MAX_SETTLE_MS))
    .option('--json', 'print a JSON array; with --watch one JSON object a line, of type interface or of the change')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}`)
    .action(async (options: InterfacesOptions) => {
      if (options.settle !== undefined && !options.watch) throw new UsageError('--settle is for --watch')
      if (options.watch) await watch(options)
      else console.log(options.json ? JSON.stringify(interfaces(), null, 2) : describeInterfaces(interfaces()).join('\n'))
      exit(EXIT.ok)
    })
}

interface InterfacesOptions {
  readonly watch?: true
  readonly settle?: number
  readonly json?: true
}

async function watch({ settle, json }: InterfacesOptions): Promise<void> {
  const ended = new AbortController()
  const signal = AbortSignal.any([interruptSignal(), ended.signal])
  const monitor = new InterfaceMonitor({ signal, ...(settle === undefined ? {} : { settleMs: settle }) })
  // What waits for a slow reader is kept by the iteration, and is bounded there.
  let drained: (() => void) | undefined
  const output = new Output(
    undefined,
    () => drained?.(),
    () => ended.abort(),
  )
  const print = async (lines: readonly string[]): Promise<void> => {
    if (output.write(lines.map((line) => `${line}\n`).join('')) || signal.aborted) return
    await new Promise<void>((resolve) => {
      drained = resolve
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
  const changes = monitor[Symbol.asyncIterator]()
  const list = monitor.interfaces()
  await print(json ? list.map((one) => JSON.stringify({ type: 'interface', ...one })) : describeInterfaces(list))
  const how =
    monitor.source === 'netlink' ? 'watching' : 'watching: the kernel does not tell what happens here, so we look once a second'
  new Status(json ? { json } : {}).say('watching', how, { source: monitor.source })
  for await (const burst of changes) await print(burst.map((change) => line(change, json === true)))
  await output.end()
}

function line(change: InterfaceChange, json: boolean): string {
  return json ? JSON.stringify(change) : `${new Date().toISOString()}  ${describeChange(change)}`
}

const EXAMPLES = `
Examples:
  geysir interfaces
  geysir interfaces --json | jq -r '.[] | select(.up) | .name'
  geysir interfaces --watch --settle 0`

const MAX_SETTLE_MS = 60_000
