/** Messages: against what hashing them alone takes, against what adding memory up takes, and with losses against without. */
import { atLeast, atMost, defineBenchmark, type Benchmark, type Contender, type Target } from '../runner/benchmark.js'
import { contenderProgram, referenceProgram, type Program } from '../runner/programs.js'
import { measureAlone, measureTraffic } from '../runner/trials.js'

const SOURCE = contenderProgram('strokkur-source')
const SINK = contenderProgram('strokkur-sink')
const HASH = contenderProgram('strokkur-hash')
const MACHINES = contenderProgram('strokkur-machines')
const XOR = referenceProgram('xor-bandwidth')

const LONG_BYTES = 4 << 20
const MESSAGES_PER_SECOND = { metric: 'messagesPerSecond', unit: 'messages/s' }

function messages(name: string, bytes: number, hash: 'sha256' | 'sha3-256', target: Target, figure?: Target): Benchmark {
  const options = ['--hash', hash]
  return defineBenchmark({
    contenders: {
      messenger: async (trial) => {
        const figures = await measureTraffic(
          { source: { program: SOURCE, options }, sink: { program: SINK, options }, bytes },
          trial,
        )
        return { ...figures, messagesPerSecond: figures['datagramsPerSecond']! }
      },
      [hash]: alone(HASH, bytes, options),
    },
    comparisons: [
      {
        name: `strokkur/${name}`,
        contender: 'messenger',
        reference: hash,
        ...MESSAGES_PER_SECOND,
        ...(figure === undefined ? { target } : {}),
      },
      ...(figure === undefined
        ? []
        : [{ name: `strokkur/${name}-rate`, contender: 'messenger', ...MESSAGES_PER_SECOND, target: figure } as const]),
    ],
  })
}

/** The machines alone, 4 MiB in chunks for Ethernet. */
const loss = defineBenchmark({
  contenders: {
    'no loss': alone(MACHINES, LONG_BYTES, []),
    '5 % lost': alone(MACHINES, LONG_BYTES, ['--lose', '0.05']),
    'C, XOR alone': alone(XOR, LONG_BYTES, []),
  },
  comparisons: [
    {
      name: 'strokkur/decode-5-percent-lost',
      contender: '5 % lost',
      reference: 'no loss',
      metric: 'receiveMs',
      unit: 'ms',
      target: atMost(1.3),
    },
    {
      name: 'strokkur/encode-rows',
      contender: 'no loss',
      reference: 'C, XOR alone',
      metric: 'encodedBytesPerSecond',
      unit: 'B/s',
      target: atLeast(1 / 1.5),
    },
  ],
})

const benchmarks: readonly Benchmark[] = [
  messages('4mib-sha256', LONG_BYTES, 'sha256', atLeast(0.7)),
  messages('4mib-sha3-256', LONG_BYTES, 'sha3-256', atLeast(0.85)),
  messages('1kib', 1024, 'sha256', atLeast(0), atLeast(300_000)),
  loss,
]
export default benchmarks

function alone(program: Program, bytes: number, options: readonly string[]): Contender {
  return (trial) =>
    measureAlone({ program, options: ['127.0.0.1', '0', String(bytes), String(Math.min(3, trial.seconds)), ...options] })
}
