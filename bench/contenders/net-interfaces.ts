/**
 * What it takes to know the network interfaces. To be run in a network namespace that has `veth0`, as root; it leaves it as it was.
 *
 *   net-interfaces latency changes [--ip-monitor]    from an order to ip(8) to the handler of a monitor; or to a line of `ip monitor`
 *   net-interfaces snapshot addresses [--node]       one look at so many addresses; or with node:os
 *   net-interfaces churn interfaces                  added and removed: are all told, and what memory is kept? with node --expose-gc
 */
import { execFileSync, spawn } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import { parseArgs } from 'node:util'
import { InterfaceMonitor, interfaces } from 'geysir'
import { printLine } from './contender.js'

const LOOKS = 200
const CHURN_ROUNDS = 6
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'ip-monitor': { type: 'boolean' }, node: { type: 'boolean' } },
})
const [mode, amount] = [positionals[0], Number(positionals[1])]
if (mode === 'latency') await measureLatency()
else if (mode === 'snapshot') measureSnapshot()
else if (mode === 'churn') await measureChurn()
else throw new Error('usage: latency|snapshot|churn amount')
process.exit(0)

/** Includes what ip(8) and the kernel take to make the change: an upper bound. */
async function measureLatency(): Promise<void> {
  const orders = spawn('ip', ['-batch', '-'], { stdio: ['pipe', 'ignore', 'ignore'] })
  process.once('exit', () => orders.kill())
  let tell: (isThere: boolean) => void = () => undefined
  if (values['ip-monitor']) {
    const monitor = spawn('ip', ['monitor', 'address'], { stdio: ['ignore', 'pipe', 'ignore'] })
    process.once('exit', () => monitor.kill())
    monitor.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('10.66.0.1')) tell(!text.includes('Deleted'))
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
  } else {
    const monitor = new InterfaceMonitor({ settleMs: 0 })
    monitor.on('addressAdded', ({ addressAfter }) => tell(addressAfter!.address === '10.66.0.1'))
    monitor.on('addressRemoved', ({ addressBefore }) => tell(addressBefore!.address !== '10.66.0.1'))
  }
  const timesMs: number[] = []
  for (let i = 0; i < amount; i++) {
    const wanted = i % 2 === 0
    const changed = new Promise<void>((resolve) => {
      tell = (isThere) => {
        if (isThere === wanted) resolve()
      }
    })
    const startMs = performance.now()
    orders.stdin.write(`address ${wanted ? 'add' : 'del'} 10.66.0.1/24 dev veth0\n`)
    await changed
    timesMs.push(performance.now() - startMs)
  }
  printLine({ medianMs: median(timesMs), p99Ms: timesMs.sort((a, b) => a - b)[Math.floor(timesMs.length * 0.99)]! })
}

function measureSnapshot(): void {
  const addresses = Array.from({ length: amount }, (_, i) => `10.${100 + Math.floor(i / 250)}.${i % 250}.1/24 dev veth0`)
  order(addresses.map((address) => `address add ${address}`))
  const look: () => unknown = values.node ? networkInterfaces : interfaces
  const timesMs = Array.from({ length: LOOKS }, () => {
    const startMs = performance.now()
    look()
    return performance.now() - startMs
  })
  order(addresses.map((address) => `address del ${address}`))
  printLine({ medianMs: median(timesMs) })
}

async function measureChurn(): Promise<void> {
  const monitor = new InterfaceMonitor({ settleMs: 0 })
  const counts = { interfaceAdded: 0, interfaceRemoved: 0 }
  const kept: number[] = []
  monitor.on('interfaceAdded', () => counts.interfaceAdded++)
  monitor.on('interfaceRemoved', () => counts.interfaceRemoved++)
  let startMs = performance.now()
  for (let round = 0; round < CHURN_ROUNDS; round++) {
    if (round === 1) startMs = performance.now()
    order(Array.from({ length: amount / 2 }, (_, i) => `link add y${i} group 9 type veth peer name z${i} group 9`))
    order(['link del group 9', `link set veth0 mtu ${1400 + round}`])
    while (monitor.interface('veth0')!.mtuBytes !== 1400 + round) await new Promise((resolve) => setImmediate(resolve))
    for (let i = 0; i < 3; i++) globalThis.gc!()
    kept.push(process.memoryUsage().heapUsed)
  }
  const seconds = (performance.now() - startMs) / 1000
  printLine({
    // A loop that is held up loses events of the kernel's, but no interface: a dump tells of it, unless it is gone by then.
    eventsLost: monitor.stats().overruns,
    addedAndRemovedUnequal: Math.abs(counts.interfaceAdded - counts.interfaceRemoved),
    untold: 2 * amount * CHURN_ROUNDS - counts.interfaceAdded - counts.interfaceRemoved,
    keptBytes: Math.max(0, kept.at(-1)! - kept[1]!) / (amount * (CHURN_ROUNDS - 2)),
    interfacesPerSecond: (2 * amount * (CHURN_ROUNDS - 1)) / seconds,
  })
}

function order(lines: readonly string[]): void {
  execFileSync('ip', ['-batch', '-'], { input: lines.join('\n'), stdio: ['pipe', 'ignore', 'inherit'] })
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
