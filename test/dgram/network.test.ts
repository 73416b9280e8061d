import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lacking, namespaceProblem } from '../support/capabilities.js'
import { twoHosts, type TestNetwork } from '../support/network.js'
import { fullBufferCases } from './cases/full-buffer.js'
import { multicastInterfaceCases } from './cases/multicast-interface.js'
import type { Observation } from './differential.js'

/** What loopback cannot show: both implementations run on a host of a network of two. */

interface Seen {
  name: string
  node: Observation
  dropIn: Observation
}

const OBSERVE = fileURLToPath(new URL('programs/observe.ts', import.meta.url))

describe.skipIf(lacking('network namespaces', namespaceProblem()))('on an interface that is not loopback', () => {
  let network: TestNetwork
  let multicast: Seen[]
  let fullBuffer: Seen[]

  beforeAll(() => {
    network = twoHosts()
    multicast = observeIn(network, 'multicast')
    // A neighbour that does not answer keeps datagrams in the kernel until the program says who it is.
    network.sysctl('a', 'net.ipv4.neigh.va.mcast_solicit', 1000)
    network.ip('b', 'link set vb arp off')
    const mac = /link\/ether (\S+)/.exec(network.exec('b', 'ip', 'link', 'show', 'vb'))![1]!
    fullBuffer = observeIn(network, 'full buffer', `MAC_OF_B=${mac}`)
  })
  afterAll(() => network.remove())

  test.each(multicastInterfaceCases)('$name', ({ name, hears, misses = [] }) => {
    const { node, dropIn } = multicast.find((one) => one.name === name)!
    const text = node.lines.filter((line) => line.includes(' message ')).join('\n')
    for (const heard of hears) expect(text, `Node's own hears ${heard}`).toContain(Buffer.from(heard).toString('hex'))
    for (const missed of misses) expect(text, `Node's own hears ${missed}`).not.toContain(Buffer.from(missed).toString('hex'))
    expect(dropIn.lines).toEqual(node.lines)
  })

  test.each(fullBufferCases)('$name', ({ name }) => {
    const { node, dropIn } = fullBuffer.find((one) => one.name === name)!
    expect(node.lines).toContain('some wait')
    expect(dropIn.lines).toEqual(node.lines)
  })
})

function observeIn(network: TestNetwork, table: string, ...environment: string[]): Seen[] {
  return JSON.parse(network.exec('a', 'env', ...environment, process.execPath, '--import', 'tsx', OBSERVE, table)) as Seen[]
}
