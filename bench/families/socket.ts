/**
 * The socket: bulk traffic and round trips of single sockets, against C programs that make the same system calls and against
 * node:dgram.
 */
import { atLeast, atMost, defineBenchmark, type Benchmark, type Comparison, type Contender } from '../runner/benchmark.js'
import { pinned } from '../runner/processors.js'
import { contenderProgram, referenceProgram, type Program } from '../runner/programs.js'
import { measureMemory, measureRoundTrips, measureTraffic, type Role } from '../runner/trials.js'
import { makeVethPair, type VethPair } from '../runner/veth-pair.js'

const C = { source: referenceProgram('udp-source'), sink: referenceProgram('udp-sink') }
const GEYSIR = { source: contenderProgram('geysir-source'), sink: contenderProgram('geysir-sink') }
const DGRAM = { source: contenderProgram('dgram-source'), sink: contenderProgram('dgram-sink') }

const OFFLOAD = ['--offload']
const DATAGRAMS_PER_SECOND = { metric: 'datagramsPerSecond', unit: 'datagrams/s' }

/** Everything that is asked of offload at 1200 B, in turns: the middle of the family. */
const offload1200 = defineBenchmark({
  contenders: {
    geysir: blast(1200, role(GEYSIR.source, OFFLOAD), role(GEYSIR.sink, OFFLOAD)),
    C: blast(1200, role(C.source, OFFLOAD), role(C.sink, OFFLOAD)),
    'geysir, a handler call a datagram': blast(
      1200,
      role(GEYSIR.source, OFFLOAD),
      role(GEYSIR.sink, [...OFFLOAD, '--mode', 'datagram']),
    ),
    'node:dgram': blast(1200, role(DGRAM.source), role(DGRAM.sink)),
    'geysir to C': blast(1200, role(GEYSIR.source, OFFLOAD), role(C.sink, OFFLOAD)),
    'geysir to C, one by one': blast(1200, role(GEYSIR.source, [...OFFLOAD, '--single']), role(C.sink, OFFLOAD)),
    'geysir to C, copying': blast(1200, role(GEYSIR.source, [...OFFLOAD, '--copy']), role(C.sink, OFFLOAD)),
    'C to geysir': blast(1200, role(C.source, OFFLOAD), role(GEYSIR.sink, OFFLOAD)),
  },
  comparisons: [
    rate('socket/offload-1200', 'geysir', 'C', atLeast(0.95)),
    rate('socket/offload-1200-vs-dgram', 'geysir', 'node:dgram'),
    rate('socket/offload-1200-datagram', 'geysir, a handler call a datagram', 'C'),
    rate('socket/offload-1200-datagram-vs-dgram', 'geysir, a handler call a datagram', 'node:dgram'),
    rate('socket/send-1200', 'geysir to C', 'C'),
    rate('socket/send-single-1200', 'geysir to C, one by one', 'geysir to C'),
    rate('socket/send-copy-1200', 'geysir to C, copying', 'geysir to C'),
    rate('socket/receive-1200', 'C to geysir', 'C'),
  ],
})

function offload(bytes: number): Benchmark {
  return defineBenchmark({
    contenders: {
      geysir: blast(bytes, role(GEYSIR.source, OFFLOAD), role(GEYSIR.sink, OFFLOAD)),
      C: blast(bytes, role(C.source, OFFLOAD), role(C.sink, OFFLOAD)),
    },
    comparisons: [rate(`socket/offload-${bytes}`, 'geysir', 'C')],
  })
}

/** Without offload, the kernel handles datagrams one by one. */
function plain(bytes: number): Benchmark {
  return defineBenchmark({
    contenders: {
      geysir: blast(bytes, role(GEYSIR.source), role(GEYSIR.sink)),
      C: blast(bytes, role(C.source), role(C.sink)),
      'node:dgram': blast(bytes, role(DGRAM.source), role(DGRAM.sink)),
    },
    comparisons: [
      rate(`socket/plain-${bytes}`, 'geysir', 'C', atLeast(0.95)),
      rate(`socket/plain-${bytes}-vs-dgram`, 'geysir', 'node:dgram', atLeast(1.1)),
    ],
  })
}

const pingpong = defineBenchmark({
  contenders: {
    geysir: pingPong(contenderProgram('geysir-ping'), contenderProgram('geysir-echo')),
    C: pingPong(referenceProgram('udp-ping'), referenceProgram('udp-echo')),
    'node:dgram': pingPong(contenderProgram('dgram-ping'), contenderProgram('dgram-echo')),
  },
  comparisons: [
    { name: 'socket/pingpong-median', reference: 'C', metric: 'medianUs', target: atMost(1.15) },
    { name: 'socket/pingpong-median-vs-dgram', reference: 'node:dgram', metric: 'medianUs', target: atMost(1) },
    { name: 'socket/pingpong-p99', reference: 'C', metric: 'p99Us', target: atMost(1.15) },
    { name: 'socket/pingpong-p99-vs-dgram', reference: 'node:dgram', metric: 'p99Us', target: atMost(1) },
  ].map((comparison) => ({ ...comparison, contender: 'geysir', unit: 'µs' }) as Comparison<'geysir' | 'C' | 'node:dgram'>),
})

/** What offload and batching are worth, each alone and both together. Batching off: one message a system call. */
const matrix = defineBenchmark({
  contenders: {
    'offload off, batching off': blast(1200, role(GEYSIR.source, ['--batch', '1']), role(GEYSIR.sink, ['--batch', '1'])),
    'offload off, batching on': blast(1200, role(GEYSIR.source), role(GEYSIR.sink)),
    'offload on, batching off': blast(
      1200,
      role(GEYSIR.source, [...OFFLOAD, '--batch', '1']),
      role(GEYSIR.sink, [...OFFLOAD, '--batch', '1']),
    ),
    'offload on, batching on': blast(1200, role(GEYSIR.source, OFFLOAD), role(GEYSIR.sink, OFFLOAD)),
  },
  comparisons: [
    rate('socket/matrix/offload-off-batching-on', 'offload off, batching on', 'offload off, batching off'),
    rate('socket/matrix/offload-on-batching-off', 'offload on, batching off', 'offload off, batching off'),
    rate('socket/matrix/offload-on-batching-on', 'offload on, batching on', 'offload off, batching off'),
  ],
})

/** Over a cable with an MTU of 1500, between two network namespaces. */
function veth(bytes: number): Benchmark {
  let pair: VethPair | undefined
  const across =
    (source: Role, sink: Role): Contender =>
    (trial) => {
      const { left, right } = pair!
      return measureTraffic(
        {
          source: { ...source, program: left.run(source.program) },
          sink: { ...sink, program: right.run(sink.program) },
          sinkAddress: right.address,
          bytes,
        },
        trial,
      )
    }
  return defineBenchmark({
    contenders: {
      geysir: across(role(GEYSIR.source, OFFLOAD), role(GEYSIR.sink, OFFLOAD)),
      C: across(role(C.source, OFFLOAD), role(C.sink, OFFLOAD)),
    },
    comparisons: [rate(`socket/veth-${bytes}`, 'geysir', 'C')],
    prepare: async () => {
      const made = await makeVethPair()
      if (typeof made === 'string') return { skip: made }
      pair = made
      return made
    },
  })
}

const memory = defineBenchmark({
  contenders: {
    geysir: (trial) =>
      measureMemory({ source: role(GEYSIR.source, OFFLOAD), sink: role(GEYSIR.sink, OFFLOAD), bytes: 1200 }, trial),
  },
  comparisons: [
    {
      name: 'socket/memory-flat',
      contender: 'geysir',
      metric: 'residentDeviation',
      unit: 'of resident memory',
      target: atMost(0.1),
    },
  ],
  durationSeconds: { full: 60, quick: 15 },
})

/** The source is the C program because it is the fastest. */
const garbage = defineBenchmark({
  contenders: { geysir: blast(1200, role(C.source, OFFLOAD), role(GEYSIR.sink, [...OFFLOAD, '--garbage'])) },
  comparisons: [
    {
      name: 'socket/garbage',
      contender: 'geysir',
      metric: 'heapBytesPerDatagram',
      unit: 'B/datagram',
      target: atMost(1),
    },
  ],
})

const SIZES = [64, 1200, 1400, 8192]

const benchmarks: readonly Benchmark[] = [
  offload1200,
  ...SIZES.filter((bytes) => bytes !== 1200).map(offload),
  ...SIZES.map(plain),
  pingpong,
  matrix,
  ...SIZES.filter((bytes) => bytes !== 64).map(veth),
  memory,
  garbage,
]
export default benchmarks

function role(program: Program, options: readonly string[] = []): Role {
  return { program, options }
}

function blast(bytes: number, source: Role, sink: Role): Contender {
  return (trial) => measureTraffic({ source, sink, bytes }, trial)
}

function pingPong(ping: Program, echo: Program): Contender {
  return (trial) => measureRoundTrips(role(pinned(ping, 0)), role(pinned(echo, 1)), PING_BYTES, trial)
}

function rate<Name extends string>(
  name: string,
  contender: Name,
  reference: Name,
  target?: Comparison['target'],
): Comparison<Name> {
  return { name, contender, reference, ...DATAGRAMS_PER_SECOND, ...(target === undefined ? {} : { target }) }
}

const PING_BYTES = 64
