import { type NodeOptions, type Peer, type Stream } from '../../../src/stream/index.js'
import type { SimulatedNetwork } from '../../../src/testing/index.js'
import type { Dumbbell } from './dumbbell.js'
import { nodeOn } from './stream-nodes.js'
import { TcpLikeReceiver, TcpLikeSender } from './tcp-like.js'

/** A bulk transfer from a host of its own to another, through a dumbbell. */
export interface Flow {
  /** Payload that has arrived, in order. */
  readonly bytes: number
}

export interface StreamFlow extends Flow {
  /** Once it has begun. */
  readonly peer: Peer | undefined
  readonly stream: Stream | undefined
}

export interface FlowOptions {
  startMs?: number
  /** Besides the bottleneck's, one way. */
  accessLatencyMs?: number
  node?: Partial<NodeOptions>
}

export function streamFlow(network: SimulatedNetwork, dumbbell: Dumbbell, options: FlowOptions = {}): StreamFlow {
  const [from, to] = [network.addHost(), network.addHost()]
  const [client, server] = [nodeOn(from, options.node), nodeOn(to, options.node)]
  const flow = { bytes: 0, peer: undefined as Peer | undefined, stream: undefined as Stream | undefined }
  server.node.on('stream', (stream) => {
    stream.on('message', (message) => {
      if (stream.label === 'echo') stream.send(message)
      else flow.bytes += message.length
    })
  })
  const target = dumbbell.connect(from, to, server.endpoint, options.accessLatencyMs)
  network.clock.setTimer(() => {
    void client.node.connect(target, { timeoutMs: 60_000 }).then((peer) => {
      flow.peer = peer
      flow.stream = peer.openStream()
      pour(flow.stream, MESSAGE_BYTES)
    })
  }, options.startMs ?? 0)
  return flow
}

export function tcpFlow(network: SimulatedNetwork, dumbbell: Dumbbell, options: FlowOptions & { isCubic?: boolean } = {}): Flow {
  const [from, to] = [network.addHost(), network.addHost()]
  const [near, far] = [from, to].map((host) => host.openLink({ receiveBufferBytes: 4 << 20 }))
  const receiver = new TcpLikeReceiver(far!, to.clock)
  const target = dumbbell.connect(from, to, { address: to.addressOf(), port: far!.address().port }, options.accessLatencyMs)
  const sender = new TcpLikeSender(near!, from.clock, target, { isCubic: options.isCubic ?? true })
  network.clock.setTimer(() => sender.start(), options.startMs ?? 0)
  return {
    get bytes() {
      return receiver.next * MESSAGE_BYTES
    },
  }
}

/** Offers messages for ever. */
export function pour(stream: Stream, bytes: number): void {
  const message = Buffer.alloc(bytes)
  const more = (): void => {
    while (stream.send(message));
  }
  stream.on('drain', more)
  more()
}

/** What each of the flows carries from now on, in bytes a second. */
export async function measure(network: SimulatedNetwork, flows: readonly Flow[], ms: number): Promise<number[]> {
  const before = flows.map(({ bytes }) => bytes)
  await network.clock.advanceAsync(ms)
  return flows.map(({ bytes }, i) => ((bytes - before[i]!) * 1000) / ms)
}

/** A message a frame. */
const MESSAGE_BYTES = 1400
