/**
 * The kinds of link: what a point-to-point link costs over the socket below it, datagrams over TCP against node:net moving the same bytes,
 * and what ten thousand clients cost a responding server.
 */
import { atLeast, atMost, defineBenchmark, type Benchmark, type Contender } from '../runner/benchmark.js'
import { ContenderProcess } from '../runner/contender-process.js'
import { contenderProgram } from '../runner/programs.js'
import { measureTraffic, type Role } from '../runner/trials.js'

const OFFLOAD = ['--offload']
const DATAGRAMS_PER_SECOND = { metric: 'datagramsPerSecond', unit: 'datagrams/s' }

const pointToPoint = defineBenchmark({
  contenders: {
    link: blast(1200, role('link-source'), role('link-sink')),
    'UdpSocket, in runs': blast(1200, role('geysir-source', OFFLOAD), role('geysir-sink', OFFLOAD)),
    'link, one by one': blast(1200, role('link-source', ['--single']), role('link-sink')),
    'UdpSocket, one by one': blast(1200, role('geysir-source', [...OFFLOAD, '--single']), role('geysir-sink', OFFLOAD)),
  },
  comparisons: [
    {
      name: 'link/point-to-point-1200',
      contender: 'link',
      reference: 'UdpSocket, in runs',
      ...DATAGRAMS_PER_SECOND,
      target: atLeast(0.9),
    },
    {
      name: 'link/point-to-point-single-1200',
      contender: 'link, one by one',
      reference: 'UdpSocket, one by one',
      ...DATAGRAMS_PER_SECOND,
      target: atLeast(0.9),
    },
  ],
})

const proxied = defineBenchmark({
  contenders: {
    'proxied link': blast(1200, role('proxied-source'), role('proxied-sink')),
    'node:net': blast(1200, role('net-source'), role('net-sink')),
  },
  comparisons: [
    {
      name: 'link/proxied-tcp-1200',
      contender: 'proxied link',
      reference: 'node:net',
      ...DATAGRAMS_PER_SECOND,
      target: atLeast(0.5),
    },
  ],
})

const responder = defineBenchmark({
  contenders: {
    'responding server': async () => {
      const program = contenderProgram('responder-clients', ['--expose-gc'])
      const child = new ContenderProcess(program, ['127.0.0.1', 0, PAYLOAD_BYTES, CLIENTS])
      try {
        const figures = (await child.read(PATIENCE_SECONDS)) as Record<string, number>
        if (figures['clients'] !== CLIENTS) throw new Error(`only ${figures['clients']} of ${CLIENTS} clients were learnt`)
        return figures
      } finally {
        await child.stop()
      }
    },
  },
  comparisons: [
    {
      name: 'link/responder-client-memory',
      contender: 'responding server',
      metric: 'bytesPerClient',
      unit: 'B/client',
      target: atMost(512),
    },
    { name: 'link/responder-announce', contender: 'responding server', metric: 'announceMs', unit: 'ms' },
  ],
})

const benchmarks: readonly Benchmark[] = [pointToPoint, proxied, responder]
export default benchmarks

function role(name: string, options: readonly string[] = []): Role {
  return { program: contenderProgram(name), options }
}

function blast(bytes: number, source: Role, sink: Role): Contender {
  return (trial) => measureTraffic({ source, sink, bytes }, trial)
}

const CLIENTS = 10_000
const PAYLOAD_BYTES = 200
const PATIENCE_SECONDS = 30
