/** Reliable streams against node:net over TCP, udx-native, and round trips of the raw socket. */
import {
  atLeast,
  atMost,
  defineBenchmark,
  type Benchmark,
  type Comparison,
  type Contender,
  type Target,
} from '../runner/benchmark.js'
import { pinned } from '../runner/processors.js'
import { contenderProgram, type Program } from '../runner/programs.js'
import { measureRoundTrips, measureTraffic } from '../runner/trials.js'

function pour(name: string, bytes: number, options: readonly string[] = []): Contender {
  const source = { program: contenderProgram(`${name}-source`), options }
  const sink = { program: contenderProgram(`${name}-sink`), options }
  return (trial) => measureTraffic({ source, sink, bytes }, trial)
}

/**
 * Messages a second that arrive, beside what TCP and udx-native carry in as many bytes. Frames up to 8 KiB, as probes find out that the
 * loopback interface carries (TCP fills its 64 KiB as well), and frames as on Ethernet.
 */
function messages(bytes: number, rate: Target | undefined, tcp: Target | undefined, udx: Target | undefined): Benchmark {
  const metric = { contender: 'geysir', metric: 'datagramsPerSecond', unit: 'messages/s' } as const
  const cpu = { metric: 'cpuSecondsPerGigabyte', unit: 's/GB' }
  return defineBenchmark({
    contenders: {
      geysir: pour('stream', bytes, ['--frame-bytes', '8192']),
      'geysir, Ethernet frames': pour('stream', bytes),
      'node:net': pour('tcp', bytes),
      'udx-native': pour('udx', bytes),
    },
    comparisons: [
      { name: `stream/reliable-${bytes}`, ...metric, ...(rate && { target: rate }) },
      { name: `stream/reliable-${bytes}-vs-tcp`, ...metric, reference: 'node:net', ...(tcp && { target: tcp }) },
      { name: `stream/reliable-${bytes}-vs-udx`, ...metric, reference: 'udx-native', ...(udx && { target: udx }) },
      { name: `stream/ethernet-${bytes}-vs-tcp`, ...metric, contender: 'geysir, Ethernet frames', reference: 'node:net' },
      { name: `stream/cpu-${bytes}-vs-tcp`, ...metric, ...cpu, reference: 'node:net' },
      {
        name: `stream/cpu-ethernet-${bytes}-vs-tcp`,
        ...metric,
        ...cpu,
        contender: 'geysir, Ethernet frames',
        reference: 'node:net',
      },
    ],
  })
}

function pingPong(name: string): Contender {
  const [ping, echo] = ['ping', 'echo'].map((role) => ({
    program: pinnedProgram(contenderProgram(`${name}-${role}`), role),
    options: [],
  }))
  return (trial) => measureRoundTrips(ping!, echo!, 64, trial)
}

/** Each of the two on a processor of its own. */
function pinnedProgram(program: Program, role: string): Program {
  return pinned(program, role === 'ping' ? 0 : 1)
}

const pingpong = defineBenchmark({
  contenders: { geysir: pingPong('stream'), UdpSocket: pingPong('geysir'), 'node:net': pingPong('tcp') },
  comparisons: [
    { name: 'stream/pingpong-median', reference: 'UdpSocket', metric: 'medianUs', target: atMost(1.3) },
    { name: 'stream/pingpong-median-vs-tcp', reference: 'node:net', metric: 'medianUs' },
    { name: 'stream/pingpong-p99-vs-tcp', reference: 'node:net', metric: 'p99Us', target: atMost(1) },
  ].map((comparison) => ({ ...comparison, contender: 'geysir', unit: 'µs' }) as Comparison<'geysir' | 'UdpSocket' | 'node:net'>),
})

export default [
  messages(32, atLeast(3e6), undefined, undefined),
  messages(1344, atLeast(3e6), undefined, undefined),
  messages(65_536, undefined, atLeast(1.5), atLeast(15)),
  pingpong,
]
