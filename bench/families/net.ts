/** Knowing the network interfaces: how soon a change is told, what a look costs, and that nothing is lost or kept in a churn. */
import { atMost, defineBenchmark, type Benchmark, type Contender, type Preparation } from '../runner/benchmark.js'
import { contenderProgram } from '../runner/programs.js'
import { measureAlone } from '../runner/trials.js'
import { makeVethPair, type VethPair } from '../runner/veth-pair.js'

let pair: VethPair | undefined

/** The contender in a namespace of its own, whose interfaces it may change. */
function inNamespace(mode: string, amount: (quick: boolean) => number, ...options: string[]): Contender {
  return ({ quick }) =>
    measureAlone({
      program: pair!.left.run(contenderProgram('net-interfaces', ['--expose-gc'])),
      options: [mode, String(amount(quick)), ...options],
    })
}

async function prepare(): Promise<Preparation> {
  const made = await makeVethPair()
  if (typeof made === 'string') return { skip: made }
  pair = made
  return made
}

/** From an order to ip(8) to the handler, settle time 0. */
const latency = defineBenchmark({
  contenders: {
    geysir: inNamespace('latency', (quick) => (quick ? 200 : 1000)),
    'ip monitor': inNamespace('latency', (quick) => (quick ? 200 : 1000), '--ip-monitor'),
  },
  comparisons: [
    { name: 'net/change-median', contender: 'geysir', metric: 'medianMs', unit: 'ms', target: atMost(5) },
    { name: 'net/change-against-ip-monitor', contender: 'geysir', reference: 'ip monitor', metric: 'medianMs', unit: 'ms' },
  ],
  prepare,
})

const snapshot = defineBenchmark({
  contenders: {
    geysir: inNamespace('snapshot', () => 1000),
    'node:os': inNamespace('snapshot', () => 1000, '--node'),
  },
  comparisons: [
    { name: 'net/snapshot-1000', contender: 'geysir', metric: 'medianMs', unit: 'ms', target: atMost(5) },
    { name: 'net/snapshot-1000-against-node', contender: 'geysir', reference: 'node:os', metric: 'medianMs', unit: 'ms' },
  ],
  prepare,
})

/** Interfaces added and removed, a thousand at once. */
const churn = defineBenchmark({
  contenders: { geysir: inNamespace('churn', () => 1000) },
  comparisons: [
    { name: 'net/churn-1000-untold', contender: 'geysir', metric: 'untold', unit: 'interfaces', target: atMost(0) },
    { name: 'net/churn-1000-kept', contender: 'geysir', metric: 'keptBytes', unit: 'B/interface', target: atMost(16) },
    { name: 'net/churn-1000-rate', contender: 'geysir', metric: 'interfacesPerSecond', unit: 'interfaces/s' },
  ],
  prepare,
})

const benchmarks: readonly Benchmark[] = [latency, snapshot, churn]
export default benchmarks
