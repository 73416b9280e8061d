import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Channel, ChannelNode } from '../../src/index.js'
import { bridgeProblem, lacking } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { TestNetwork } from '../support/network.js'

const PORT = 8765
const NAME = 'netns/weather'

// A switch in `a`, where one node is, and a port of it in `b`, where the other is.
describe.skipIf(lacking('network namespaces with bridges', bridgeProblem()))('channels between two hosts', () => {
  let network: TestNetwork
  let a: Host
  let b: Host

  beforeAll(() => {
    network = new TestNetwork()
    network.addNamespace('a')
    network.addNamespace('b')
    network.addSwitch({ namespace: 'a', device: 'br0', addresses: ['10.79.0.1/24'] })
    addWire()
    a = network.host('a')
    b = network.host('b')
  })
  afterEach(async () => {
    for (const host of [a, b]) await host.run(close)
  })
  afterAll(() => network.remove())

  function addWire(): void {
    const end = { namespace: 'b', device: 'vb1', addresses: ['10.79.0.11/24'] }
    network.plug(end, { namespace: 'a', device: 'br0', port: 'pa1' })
  }

  const heard = (host: Host, last: string): Promise<string[]> =>
    host.run(async ({ keep }, last) => {
      await (keep as unknown as Mine).until((mine) => mine.texts.includes(last))
      return (keep as unknown as Mine).texts.splice(0)
    }, last)

  test('what is published here comes there, in order and whole', async () => {
    await a.run(openNode, { port: PORT, name: NAME, interfaces: ['br0'] })
    await b.run(openNode, { port: PORT, name: NAME, interfaces: ['vb1'] })
    await a.run(publish, { texts: ['rain', 'x'.repeat(20_000), 'sun'] })
    expect((await heard(b, 'sun')).map((text) => text.length)).toEqual([4, 20_000, 3])
    await b.run(publish, { texts: ['snow', 'over'] })
    expect(await heard(a, 'over')).toEqual(['rain', 'x'.repeat(20_000), 'sun', 'snow', 'over'])
    expect(await a.run(sources)).toEqual([
      ['10.79.0.1', 3],
      ['10.79.0.11', 2],
    ])
  })

  test('a burst of neighbours crosses the wire, coalesced or not, without a gap', async () => {
    await a.run(openNode, { port: PORT, name: NAME, interfaces: ['br0'] })
    await b.run(openNode, { port: PORT, name: NAME, interfaces: ['vb1'] })
    const texts = Array.from({ length: 200 }, (_, i) => `message ${String(i).padStart(4, '0')}`)
    await a.run(publish, { texts: [...texts, 'last'] })
    expect(await heard(b, 'last')).toEqual([...texts, 'last'])
  })

  test('both sides go on after the interface was deleted and made again, and the source stays the same', async () => {
    await a.run(openNode, { port: PORT, name: NAME, interfaces: ['br0'] })
    await b.run(openNode, { port: PORT, name: NAME, interfaces: ['vb1'] })
    await b.run(publish, { texts: ['before'] })
    await heard(a, 'before')
    network.ip('b', 'link del vb1')
    await b.run(publish, { texts: ['lost'] })
    addWire()
    await a.run(keepPublishing, { text: 'from a' })
    await b.run(keepPublishing, { text: 'from b' })
    await heard(b, 'from a')
    await heard(a, 'from b')
    const [[address, , ports, gaps]] = (await a.run(sourceOf, '10.79.0.11')) as [[string, number, number, number]]
    expect([address, ports, gaps >= 1]).toEqual(['10.79.0.11', 1, true])
  })

  test('TTL 0 stays here, TTL 1 crosses one link', async () => {
    await a.run(openNode, { port: PORT, name: NAME, ttl: 0 })
    await b.run(openNode, { port: PORT, name: NAME, interfaces: ['vb1'] })
    await a.run(publish, { texts: ['secret'] })
    await heard(a, 'secret')
    await a.run(close)
    await a.run(openNode, { port: PORT, name: NAME, interfaces: ['br0'] })
    await a.run(publish, { texts: ['told'] })
    expect(await heard(b, 'told')).toEqual(['told'])
  })
})

// --- What runs on a host ---

type Tools = Parameters<Parameters<Host['run']>[0]>[0]

interface Mine {
  node: ChannelNode
  channel: Channel
  texts: string[]
  publishing: NodeJS.Timeout | undefined
  until: (condition: (mine: Mine) => boolean) => Promise<void>
}

function openNode(
  { geysir, keep }: Tools,
  { name, ...options }: { port: number; name: string; interfaces?: string[]; ttl?: number },
): void {
  const mine = keep as unknown as Mine
  mine.node = geysir.createChannelNode(options)
  mine.channel = mine.node.channel(name)
  mine.texts = []
  mine.channel.subscribe(({ payload }) => mine.texts.push(payload.toString()))
  mine.until = async (condition) => {
    while (!condition(mine)) await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

function publish({ keep }: Tools, { texts }: { texts: string[] }): void {
  for (const text of texts) (keep as unknown as Mine).channel.publish(text)
}

/** Until the node is closed: whoever is to hear it may still be joining. */
function keepPublishing({ keep }: Tools, { text }: { text: string }): void {
  const mine = keep as unknown as Mine
  mine.publishing = setInterval(() => mine.channel.publish(text), 5)
}

function sources({ keep }: Tools): [string, number][] {
  const all = (keep as unknown as Mine).channel.sources()
  return all.map(({ endpoint, datagrams }) => [endpoint.address, datagrams] as [string, number]).sort()
}

/** Address, datagrams, how many endpoints it has, gaps. */
function sourceOf({ keep }: Tools, address: string): [string, number, number, number][] {
  const all = (keep as unknown as Mine).channel.sources().filter(({ endpoint }) => endpoint.address === address)
  return all.map(({ datagrams, gaps }) => [address, datagrams, all.length, gaps])
}

function close({ keep }: Tools): void {
  const mine = keep as unknown as Mine
  clearInterval(mine.publishing)
  mine.node?.close()
}
