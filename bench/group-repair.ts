/**
 * What a multicast sender hears and sends again, by the number of its receivers, in simulation: `npm run bench:groups [-- packets
 * [receivers,…]]`. Writes docs/group-repair.svg and docs/group-repair.json.
 */
import { writeFile } from 'node:fs/promises'
import { SeededRandom, randomFraction, type Endpoint, type EndpointLike, type Link, type Payload } from '../src/core/index.js'
import { createNode, fixedRate, type Peer, type StreamNode } from '../src/stream/index.js'
import { SimulatedNetwork, type SimulatedLink } from '../src/testing/index.js'
import { drawGroupRepair, type GroupCurve, type GroupPoint } from './runner/group-chart.js'

const fewest = Number(process.argv[2] ?? 400)
const counts = (process.argv[3] ?? '1,3,10,30,100,300,1000').split(',').map(Number)
const GROUP = { address: '239.1.2.3', port: 5000 }
const LOSS = 0.01
/** Payloads that fill a frame each: every packet is one message. */
const MESSAGE_BYTES = 1300
const LATENCY_MS = 5
const BYTES_PER_SECOND = 10e6

/** Loses frames to groups before anybody can see them: a loss that all receivers share. */
function losing(link: SimulatedLink, isOn: () => boolean, onLost: () => void): Link {
  const random = new SeededRandom(7)
  return new Proxy(link, {
    get(target, name) {
      if (name === 'send') {
        return (payload: Payload, endpoint?: Endpoint | EndpointLike): boolean => {
          const isLost = isOn() && (endpoint as Endpoint).isMulticast && randomFraction(random) < LOSS
          // Data, sent for the first time.
          if (isLost && ((payload as Buffer)[0]! & 1) === 0 && (payload as Buffer)[1] === 0) onLost()
          return isLost || target.send(payload, endpoint)
        }
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

async function measure(receivers: number, isShared: boolean, packets: number): Promise<GroupPoint> {
  const network = new SimulatedNetwork(receivers, { path: { latencyMs: LATENCY_MS } })
  let isLossy = false
  const senderHost = network.addHost({ name: 'sender' })
  const link = senderHost.openLink({ port: GROUP.port, receiveBufferBytes: 64 << 20 })
  const { clock, random } = senderHost
  const sender = createNode({
    link: isShared
      ? losing(
          link,
          () => isLossy,
          () => lostByAll++,
        )
      : link,
    clock,
    random,
    name: 'sender',
  })
  const nodes: StreamNode[] = []
  let [complete, lostByAll] = [0, 0]
  const peers: Peer[] = []
  const hosts = Array.from({ length: receivers }, () => network.addHost())
  for (const host of hosts) {
    const own = host.openLink({ port: GROUP.port, receiveBufferBytes: 64 << 20 })
    own.joinGroup(GROUP.address)
    const node = createNode({ link: own, clock: host.clock, random: host.random, name: host.name })
    nodes.push(node)
    node.on('stream', (stream) => {
      stream.on('message', () => undefined)
      stream.on('end', () => complete++)
    })
    void sender.connect({ address: host.addressOf(), port: GROUP.port }).then((peer) => peers.push(peer))
    // One after the other: it is not joining that is measured.
    if (nodes.length % 50 === 0) await network.clock.advanceAsync(100)
  }
  await network.clock.runUntilTrueAsync(() => peers.length === receivers, 60_000)
  const publication = sender.openGroup({ group: GROUP, windowBytes: 8 << 20, congestionControl: fixedRate(BYTES_PER_SECOND) })
  for (const peer of peers) publication.add(peer)
  let answered = 0
  publication.on('receiver', () => answered++)
  await network.clock.runUntilTrueAsync(() => answered === receivers, 60_000)
  isLossy = true
  if (!isShared) for (const host of hosts) network.setPath(senderHost, host, { lossProbability: LOSS })
  const message = Buffer.alloc(MESSAGE_BYTES)
  let sent = 0
  const more = (): void => {
    for (; sent < packets; sent++) if (!publication.send(message)) return
    publication.end()
  }
  publication.on('drain', more)
  more()
  await network.clock.runUntilTrueAsync(() => complete === receivers && publication.closed, 600_000)
  if (complete !== receivers) throw new Error(`${complete} of ${receivers} receivers have got everything`)
  const stats = publication.stats()
  // A packet is lost when at least one receiver misses it.
  const lost = isShared ? lostByAll : packets * (1 - (1 - LOSS) ** receivers)
  const point = {
    receivers,
    lost,
    naks: stats.naksReceived / lost,
    echoes: stats.nakEchoesSent / lost,
    repairs: (stats.repairsSent + stats.packetsRetransmitted) / lost,
    xorShare: stats.repairsSent / Math.max(1, stats.repairsSent + stats.packetsRetransmitted),
  }
  for (const node of nodes) node.destroy()
  sender.destroy()
  return point
}

const curves: GroupCurve[] = []
for (const isShared of [false, true]) {
  const points: GroupPoint[] = []
  for (const receivers of counts) {
    // Where few are lost, more packets.
    const point = await measure(receivers, isShared, receivers < 100 ? 4 * fewest : isShared ? 2 * fewest : fewest)
    const numbers = Object.entries(point).map(([name, value]) => `${name} ${Number(value).toFixed(3)}`)
    console.error(isShared ? 'shared' : 'independent', numbers.join(', '))
    points.push(point)
  }
  curves.push({ isShared, points })
}
await writeFile(
  new URL('../docs/group-repair.json', import.meta.url),
  `${JSON.stringify({ packets: fewest, curves }, null, 1)}\n`,
)
await writeFile(new URL('../docs/group-repair.svg', import.meta.url), drawGroupRepair(curves, fewest))
