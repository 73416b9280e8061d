/**
 * The drop-in: the same programs on `geysir/dgram` and on `node:dgram`. Where only one side is theirs, the other is a C program with
 * offload, which is faster than either.
 */
import { atLeast, atMost, defineBenchmark, type Benchmark, type Comparison, type Contender } from '../runner/benchmark.js'
import { pinned } from '../runner/processors.js'
import { contenderProgram, referenceProgram } from '../runner/programs.js'
import { measureAlone, measureRoundTrips, measureTraffic, type Role, type Traffic } from '../runner/trials.js'

const C = {
  source: { program: referenceProgram('udp-source'), options: ['--offload'] },
  sink: { program: referenceProgram('udp-sink'), options: ['--offload'] },
}

/** 256 datagrams in flight, each with a callback, sent in setImmediate. */
const PUMP = ['--turn', '256']

const oneWay = traffic('dgram/one-way-1200', atLeast(7), (options) => ({
  source: source([...PUMP, ...options]),
  sink: sink(options),
}))

/** Not connected, as most programs are: Node looks every literal up. */
const oneWayUnconnected = traffic('dgram/one-way-1200-unconnected', undefined, (options) => ({
  source: source([...PUMP, '--peers', '1', ...options]),
  sink: sink(options),
}))

/** Sent again from the callback, which leaves no turn of the event loop unused. */
const oneWayFromCallbacks = traffic('dgram/one-way-1200-from-callbacks', undefined, (options) => ({
  source: source(options),
  sink: sink(options),
}))

const sender = traffic('dgram/sender-1200', atLeast(7), (options) => ({
  source: source([...PUMP, ...options]),
  sink: C.sink,
}))

const receiver = traffic('dgram/receiver-1200', atLeast(5), (options) => ({ source: C.source, sink: sink(options) }))

/** A hundred addresses of the loopback interface, one datagram each a tick: neighbours never have a destination in common. */
const peers100 = traffic('dgram/peers-100', atLeast(1.1), (options) => ({
  source: source(['--turn', '100', '--peers', '100', ...options]),
  sink: { program: C.sink.program, options: [] },
  sinkAddress: '0.0.0.0',
}))

const pingpong = defineBenchmark({
  contenders: versus((options) => (trial) => {
    const ping = { program: pinned(contenderProgram('dgram-ping'), 0), options }
    const echo = { program: pinned(contenderProgram('dgram-echo'), 1), options }
    return measureRoundTrips(ping, echo, 64, trial)
  }),
  comparisons: [
    comparison('dgram/pingpong-median', 'medianUs', 'µs', atMost(1)),
    comparison('dgram/pingpong-p99', 'p99Us', 'µs', atMost(1)),
  ],
})

/** What opening sockets leaves behind must not drown what they take: a small young generation. */
const idle = contenderProgram('dgram-idle', ['--expose-gc', '--max-semi-space-size=1'])

/** Resident memory a bound socket that nobody sends to. */
const idleMemory = defineBenchmark({
  contenders: versus((options) => () => measureAlone({ program: idle, options: ['8000', ...options] })),
  comparisons: [
    comparison('dgram/idle-memory', 'residentBytes', 'B/socket', atMost(1)),
    comparison('dgram/idle-memory-heap', 'heapBytes', 'B/socket'),
  ],
})

/** What a program that keeps messages keeps alive: JavaScript objects and memory outside the heap. */
function keptMessage(name: string, bytes: number, oneOf: number, target?: Comparison['target']): Benchmark {
  return defineBenchmark({
    contenders: versus((options) => (trial) => {
      const received = trial.quick ? 64_000 : 256_000
      const args = [received / oneOf, bytes, oneOf].map(String)
      return measureAlone({ program: collecting('dgram-kept'), options: [...args, ...options] })
    }),
    comparisons: [
      comparison(name, 'retainedBytes', 'B/message', target),
      comparison(`${name}-resident`, 'residentBytes', 'B/message'),
    ],
  })
}

const benchmarks: readonly Benchmark[] = [
  oneWay,
  oneWayUnconnected,
  oneWayFromCallbacks,
  sender,
  receiver,
  peers100,
  pingpong,
  idleMemory,
  keptMessage('dgram/kept-message', 20, 1, atMost(1)),
  keptMessage('dgram/kept-message-200-one-of-64', 200, 64),
  keptMessage('dgram/kept-message-1200-one-of-64', 1200, 64),
]
export default benchmarks

/** Datagrams a second that the sink received. */
function traffic(
  name: string,
  target: Comparison['target'],
  between: (options: readonly string[]) => Omit<Traffic, 'bytes'>,
): Benchmark {
  return defineBenchmark({
    contenders: versus((options) => (trial) => measureTraffic({ ...between(options), bytes: 1200 }, trial)),
    comparisons: [comparison(name, 'datagramsPerSecond', 'datagrams/s', target)],
  })
}

/** The same contender twice: on the drop-in, and on Node's own. */
function versus(contender: (options: readonly string[]) => Contender): Record<'drop-in' | 'node:dgram', Contender> {
  return { 'drop-in': contender(['--drop-in']), 'node:dgram': contender([]) }
}

function comparison(
  name: string,
  metric: string,
  unit: string,
  target?: Comparison['target'],
): Comparison<'drop-in' | 'node:dgram'> {
  return { name, contender: 'drop-in', reference: 'node:dgram', metric, unit, ...(target === undefined ? {} : { target }) }
}

function source(options: readonly string[]): Role {
  return { program: contenderProgram('dgram-source'), options }
}

function sink(options: readonly string[]): Role {
  return { program: contenderProgram('dgram-sink'), options }
}

function collecting(name: string): ReturnType<typeof contenderProgram> {
  return contenderProgram(name, ['--expose-gc'])
}
