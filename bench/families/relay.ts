/** Reliable streams over a path of 100 Mbit/s with 20 ms round trip that loses packets. `npm run bench:losses` draws more of it. */
import { atLeast, defineBenchmark, type Benchmark, type Contender, type Target } from '../runner/benchmark.js'
import { datagramsThroughRelay, streamThroughRelay } from '../runner/relayed.js'

export default [
  // What nothing exceeds: 1472 of the 1500 bytes of a packet are payload.
  goodput('relay/datagrams', datagramsThroughRelay(), atLeast(0.95)),
  goodput('relay/fixed-1-percent-lost', streamThroughRelay('fixed', 0.01), atLeast(0.9)),
  goodput('relay/fixed-5-percent-lost', streamThroughRelay('fixed', 0.05), atLeast(0.85)),
  goodput('relay/cubic-nothing-lost', streamThroughRelay('cubic', 0), atLeast(0.9)),
  goodput('relay/cubic-1-percent-lost', streamThroughRelay('cubic', 0.01), undefined),
]

function goodput(name: string, contender: Contender, target: Target | undefined): Benchmark {
  return defineBenchmark({
    contenders: { geysir: contender },
    comparisons: [{ name, contender: 'geysir', metric: 'goodput', unit: 'of capacity', ...(target && { target }) }],
  })
}
