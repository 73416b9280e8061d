/**
 * Channels: publish and subscribe over multicast on loopback, against the same wire format as one writes it with node:dgram; and what five
 * hundred subscribed channels cost.
 */
import { atLeast, atMost, defineBenchmark, type Benchmark, type Contender } from '../runner/benchmark.js'
import { contenderProgram } from '../runner/programs.js'
import { measureAlone, measureTraffic, type Role } from '../runner/trials.js'

const GEYSIR = { source: role('channel-source'), sink: role('channel-sink') }
const DGRAM = { source: role('channel-dgram-source'), sink: role('channel-dgram-sink') }

const tenChannels = defineBenchmark({
  contenders: {
    geysir: traffic(GEYSIR.source, GEYSIR.sink),
    'node:dgram': traffic(DGRAM.source, DGRAM.sink),
    'geysir, a datagram a channel and turn': traffic({ ...GEYSIR.source, options: ['--single'] }, GEYSIR.sink),
  },
  comparisons: [
    {
      name: 'channel/publish-200',
      contender: 'geysir',
      reference: 'node:dgram',
      metric: 'datagramsPerSecond',
      unit: 'datagrams/s',
      target: atLeast(5),
    },
    {
      name: 'channel/publish-200-single',
      contender: 'geysir, a datagram a channel and turn',
      reference: 'node:dgram',
      metric: 'datagramsPerSecond',
      unit: 'datagrams/s',
    },
  ],
})

const manyChannels = defineBenchmark({
  contenders: { geysir: () => measureAlone(role('channel-many')) },
  comparisons: [
    { name: 'channel/many-heard', contender: 'geysir', metric: 'heardShare', unit: 'of 500 channels', target: atLeast(1) },
    { name: 'channel/many-descriptors', contender: 'geysir', metric: 'descriptors', unit: 'descriptors', target: atMost(100) },
    { name: 'channel/many-memory', contender: 'geysir', metric: 'bytesPerChannel', unit: 'B/channel' },
  ],
})

const benchmarks: readonly Benchmark[] = [tenChannels, manyChannels]
export default benchmarks

function role(name: string): Role {
  return { program: contenderProgram(name, ['--expose-gc']), options: [] }
}

function traffic(source: Role, sink: Role): Contender {
  return (trial) => measureTraffic({ source, sink, bytes: PAYLOAD_BYTES }, trial)
}

const PAYLOAD_BYTES = 200
