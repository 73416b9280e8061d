/** Memberships: how long it takes until many groups are joined, against node:dgram with as many sockets as the limit demands. */
import { atMost, defineBenchmark, type Benchmark, type Contender } from '../runner/benchmark.js'
import { contenderProgram } from '../runner/programs.js'
import { measureAlone } from '../runner/trials.js'
import { makeVethPair, type VethPair } from '../runner/veth-pair.js'

/** In a namespace with one wire and loopback. */
const groups2000 = ((): Benchmark => {
  let pair: VethPair | undefined
  const joining =
    (...options: string[]): Contender =>
    () =>
      measureAlone({ program: pair!.left.run(contenderProgram('membership-join')), options: ['2000', ...options] })
  return defineBenchmark({
    contenders: {
      geysir: joining(),
      'geysir, one interface': joining('--no-loopback'),
      'node:dgram': joining('--dgram'),
    },
    comparisons: [
      { name: 'net/groups-2000', contender: 'geysir', metric: 'milliseconds', unit: 'ms', target: atMost(2000) },
      {
        name: 'net/groups-2000-vs-dgram',
        contender: 'geysir, one interface',
        reference: 'node:dgram',
        metric: 'milliseconds',
        unit: 'ms',
      },
    ],
    prepare: async () => {
      const made = await makeVethPair()
      if (typeof made === 'string') return { skip: made }
      pair = made
      return made
    },
  })
})()

export default [groups2000]
