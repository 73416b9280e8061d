/**
 * The simulated network: datagrams of a second of real time, so that a thousand seeds fit into a test run. It has no peer to be compared
 * with; the target is for the figure itself.
 */
import { atLeast, defineBenchmark, type Benchmark, type Comparison, type Contender } from '../runner/benchmark.js'
import { contenderProgram } from '../runner/programs.js'
import { measureAlone } from '../runner/trials.js'

const TARGET_PER_SECOND = 300_000

/** Two hosts, a perfect path. */
const perfect64 = rate('testing/perfect-path-64', simulation(2, 64))
const perfect1200 = rate('testing/perfect-path-1200', simulation(2, 1200))

/** Jitter, loss, bursts, duplication, reordering, corruption and a rate. */
const bad1200 = rate('testing/bad-path-1200', simulation(2, 1200, ['--bad-path']))

/** What awaits something gets its turn between any two events, which costs a turn of the event loop each. */
const promises = rate('testing/promises-1200', simulation(2, 1200, ['--promises']), false)

/** Ten thousand hosts, each of which talks to all: so there is a path a datagram, more or less. */
const manyHosts = defineBenchmark({
  contenders: { geysir: simulation(10_000, 200) },
  comparisons: [
    comparison('testing/hosts-10000', 'datagramsPerSecond', 'datagrams/s', true),
    comparison('testing/hosts-10000-memory', 'residentBytesPerHost', 'B/host', false),
    comparison('testing/hosts-10000-memory-heap', 'heapBytesPerHost', 'B/host', false),
  ],
})

export default [perfect64, perfect1200, bad1200, promises, manyHosts]

function rate(name: string, contender: Contender, hasTarget = true): Benchmark {
  return defineBenchmark({
    contenders: { geysir: contender },
    comparisons: [comparison(name, 'datagramsPerSecond', 'datagrams/s', hasTarget)],
  })
}

function comparison(name: string, metric: string, unit: string, hasTarget: boolean): Comparison<'geysir'> {
  return { name, contender: 'geysir', metric, unit, ...(hasTarget && { target: atLeast(TARGET_PER_SECOND) }) }
}

function simulation(hosts: number, bytes: number, options: readonly string[] = []): Contender {
  return (trial) => {
    const program = contenderProgram('simulation', ['--expose-gc'])
    return measureAlone({
      program,
      options: [String(hosts), String(bytes), String(trial.seconds), '--warm-up', String(trial.warmUpSeconds), ...options],
    })
  }
}
