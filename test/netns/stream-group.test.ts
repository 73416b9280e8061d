import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { firewallProblem, lacking } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { TestNetwork } from '../support/network.js'

const GROUP = { address: '239.79.1.1', port: 7100 }
const NAMES = ['sender', 'one', 'two', 'three']
const MESSAGES = 2000
const NODE_OPTIONS = { keepAliveMs: 300, peerTimeoutMs: 2000 }

// A bridge with four hosts; the three receivers lose 5 % of what comes to them.
describe.skipIf(lacking('network namespaces and nftables', firewallProblem()))('a stream to many hosts by multicast', () => {
  let network: TestNetwork
  let sender: Host
  let receivers: Host[]

  beforeAll(() => {
    network = new TestNetwork()
    for (const name of [...NAMES, 'bridge']) network.addNamespace(name)
    network.ip('bridge', 'link add br0 type bridge mcast_snooping 0')
    network.ip('bridge', 'link set br0 up')
    for (const [i, namespace] of NAMES.entries()) {
      network.link(
        { namespace, device: 'eth0', addresses: [`10.79.0.${i + 1}/24`] },
        { namespace: 'bridge', device: `port${i}`, addresses: [] },
      )
      network.ip('bridge', `link set port${i} master br0`)
    }
    for (const name of NAMES.slice(1)) {
      network.exec(name, 'nft', 'add table inet loss')
      network.exec(name, 'nft', 'add chain inet loss input { type filter hook input priority 0; }')
      network.exec(name, 'nft', `add rule inet loss input udp dport ${GROUP.port} numgen random mod 20 == 0 counter drop`)
    }
  })
  afterAll(() => network.remove())

  beforeEach(async () => {
    const hosts = NAMES.map((name) => network.host(name))
    await Promise.all(hosts.map(openNode))
    ;[sender, ...receivers] = hosts as [Host, ...Host[]]
    await Promise.all(receivers.map(listen))
    await sender.run(
      async ({ geysir, keep }, { group, addresses }) => {
        keep.publication = keep.node.openGroup({ group, windowBytes: 1 << 20, congestionControl: geysir.fixedRate(20e6) })
        for (const address of addresses) keep.publication.add(await keep.node.connect({ address, port: group.port }))
      },
      { group: GROUP, addresses: receivers.map((_, i) => `10.79.0.${i + 2}`) },
    )
  })
  afterEach(() => Promise.all([sender, ...receivers].map((host) => host.stop())))

  test('every byte of a reliable one arrives at all of them', async () => {
    await pour(sender, MESSAGES)
    const { gone, stats, memory } = await ending(sender)
    expect(gone).toEqual(['one fine', 'three fine', 'two fine'])
    for (const receiver of receivers) expect(await told(receiver)).toMatchObject({ count: MESSAGES, wrong: '', error: 'fine' })
    expect(memory).toEqual([0, 0, 3])
    const { packetsSent, packetsRetransmitted, repairsSent, naksReceived } = stats
    console.log(
      `3 receivers, 5 % lost at each: ${packetsSent} packets, ${packetsRetransmitted} sent again, ${repairsSent} repairs, ` +
        `${naksReceived} NAKs`,
    )
    expect(packetsRetransmitted + repairsSent).toBeGreaterThan(0)
    for (const name of NAMES.slice(1)) expect(network.exec(name, 'nft', 'list table inet loss')).toMatch(/packets [1-9]/)
  })

  test('one whose process is killed is noticed, and the others get everything', async () => {
    await pour(sender, MESSAGES)
    await until(receivers[2]!, 100)
    const startedMs = performance.now()
    await kill(receivers[2]!)
    const { gone, memory } = await ending(sender)
    expect(gone).toEqual(['one fine', 'three ERR_PEER_SILENT', 'two fine'])
    for (const receiver of receivers.slice(0, 2)) {
      expect(await told(receiver)).toMatchObject({ count: MESSAGES, wrong: '', error: 'fine' })
    }
    expect(memory).toEqual([0, 0, 2])
    const tookMs = Math.round(performance.now() - startedMs)
    console.log(`over ${tookMs} ms after the kill; peers are given up after ${NODE_OPTIONS.peerTimeoutMs} ms of silence`)
  })

  test('all notice that the process of the sender is killed, and hold nothing for it', async () => {
    await pour(sender, 1_000_000)
    await Promise.all(receivers.map((receiver) => until(receiver, 100)))
    const startedMs = performance.now()
    await kill(sender)
    for (const receiver of receivers) {
      expect(await told(receiver)).toMatchObject({ wrong: '', error: 'ERR_PEER_SILENT', memory: [0, 0, 0] })
    }
    const tookMs = Math.round(performance.now() - startedMs)
    console.log(`noticed by all ${tookMs} ms after the kill; ${NODE_OPTIONS.peerTimeoutMs} ms of silence are stated`)
  })
})

/** A node with one socket for everything. */
async function openNode(host: Host, index: number): Promise<void> {
  await host.run(
    async ({ geysir, keep }, { group, name, options }) => {
      const socket = new geysir.UdpSocket({ multicastInterface: 'eth0', multicastLoopback: false, receiveBufferBytes: 1 << 20 })
      await socket.bind({ address: '0.0.0.0', port: group.port })
      socket.joinGroup(group.address, { interface: 'eth0' })
      keep.socket = socket
      keep.node = geysir.createNode({ link: socket, name, ...options })
      keep.numbers = []
      keep.events = []
    },
    { group: GROUP, name: NAMES[index]!, options: NODE_OPTIONS },
  )
}

/** Reads every message, and notes what is wrong with it. */
async function listen(host: Host): Promise<void> {
  await host.run(({ keep }) => {
    keep.node.on('stream', (stream) => {
      stream.on('message', (message) => {
        const number = message.readUInt32LE(0)
        const expected = Buffer.alloc(4 + ((number * 7919) % 20_000), number)
        expected.writeUInt32LE(number)
        if (number !== keep.numbers.length || !message.equals(expected)) keep.events.push(`wrong: ${number}`)
        keep.numbers.push(number)
      })
      stream.on('close', (error) => keep.events.push(`closed: ${error?.code ?? 'fine'}`))
    })
  })
}

/** Begins to send so many messages, and to note what becomes of the receivers. */
async function pour(host: Host, messages: number): Promise<void> {
  await host.run(({ keep }, messages) => {
    const { publication } = keep
    let next = 0
    const more = (): void => {
      for (; next < messages; next++) {
        const message = Buffer.alloc(4 + ((next * 7919) % 20_000), next)
        message.writeUInt32LE(next)
        if (!publication.send(message)) return
      }
      publication.end()
    }
    publication.on('drain', more)
    publication.on('receiverGone', (peer, error) => keep.events.push(`${peer.name} ${error?.code ?? 'fine'}`))
    more()
  }, messages)
}

interface Ending {
  gone: string[]
  stats: { packetsSent: number; packetsRetransmitted: number; repairsSent: number; naksReceived: number }
  /** Of frames, of messages, and peers. */
  memory: number[]
}

/** When the publication is over: what it says. */
function ending(host: Host): Promise<Ending> {
  return host.run(async ({ keep, events }) => {
    const { publication, node } = keep
    if (!publication.closed) await events.once(publication, 'close')
    const { frameMemoryBytes, assemblyBytes, peers } = node.stats()
    return { gone: keep.events.sort(), stats: publication.stats(), memory: [frameMemoryBytes, assemblyBytes, peers] }
  })
}

interface Told {
  count: number
  wrong: string
  error: string
  memory: number[]
}

/** When the stream of a receiver is over: what it got. */
function told(host: Host): Promise<Told> {
  return host.run(async ({ keep }) => {
    const closed = (): string | undefined => keep.events.find((event) => event.startsWith('closed: '))
    while (closed() === undefined) await new Promise((resolve) => setImmediate(resolve))
    const wrong = keep.events.filter((event) => event.startsWith('wrong: ')).slice(0, 5)
    const { frameMemoryBytes, assemblyBytes, peers } = keep.node.stats()
    return {
      count: keep.numbers.length,
      wrong: wrong.join(),
      error: closed()!.slice('closed: '.length),
      memory: [frameMemoryBytes, assemblyBytes, peers],
    }
  })
}

/** Waits until a receiver has so many messages. */
async function until(host: Host, messages: number): Promise<void> {
  await host.run(async ({ keep }, messages) => {
    while (keep.numbers.length < messages) await new Promise((resolve) => setImmediate(resolve))
  }, messages)
}

/** As `kill -9` does. */
async function kill(host: Host): Promise<void> {
  process.kill(await host.run(() => process.pid), 'SIGKILL')
  await host.stop()
}
