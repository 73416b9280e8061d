import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { NetworkInterface } from '../../src/index.js'
import { lacking, namespaceProblem, toolProblem } from '../support/capabilities.js'
import { Host } from '../support/host.js'
import { TestNetwork } from '../support/network.js'
import { run } from '../support/tools.js'

const problem = namespaceProblem() ?? toolProblem('cc', '--version')

// A seccomp filter refuses netlink, and with it getifaddrs(3), which is made of it.
describe.skipIf(lacking('network namespaces and a C compiler', problem))('where netlink is refused', () => {
  let network: TestNetwork
  let directory: string
  let told: Host
  let refused: Host

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'geysir-'))
    const source = fileURLToPath(new URL('../support/without-netlink.c', import.meta.url))
    const filter = join(directory, 'without-netlink')
    run('cc', '-o', filter, source)
    network = new TestNetwork()
    network.addNamespace('a')
    network.ip('a', 'link add va type veth peer name vb')
    addAddresses()
    told = network.host('a')
    refused = new Host(network.fullName('a'), [filter])
  })
  afterAll(async () => {
    await refused.stop()
    await network.remove()
    rmSync(directory, { recursive: true })
  })

  function addAddresses(): void {
    for (const address of ['10.80.0.1/24 brd +', '10.80.0.2/24 brd + label va:1', '10.81.0.1/13', 'fd80::1/72 nodad']) {
      network.ip('a', `addr add ${address} dev va`)
    }
    network.ip('a', 'link set va up')
    network.ip('a', 'link set vb up')
  }

  test('a snapshot has the same interfaces and addresses', async () => {
    const known = (list: readonly NetworkInterface[]): unknown[] =>
      list.map(({ index, name, up, running, multicast, mtuBytes, hardwareAddress, addresses }) => ({
        ...{ index, name, up, running, multicast, mtuBytes, hardwareAddress },
        addresses: addresses
          .filter(({ address }) => !address.startsWith('fe80:')) // comes in its own time
          .map(({ address, prefixLength, broadcast }) => `${address}/${prefixLength} ${broadcast}`)
          .sort(),
      }))
    const seen = known(await refused.run(({ geysir }) => geysir.interfaces()))
    expect(seen).toEqual(known(await told.run(({ geysir }) => geysir.interfaces())))
    expect(JSON.stringify(seen)).toContain('10.80.0.2/24 10.80.0.255')
  })

  test('capabilities and monitor say that they look', async () => {
    const said = await refused.run(({ geysir }) => {
      const monitor = new geysir.InterfaceMonitor()
      monitor.close()
      return [geysir.capabilities().interfaceEvents, monitor.source]
    })
    expect(said).toEqual([false, 'polling'])
  })

  test('a membership joins again on an interface that was made again, and hears', async () => {
    await refused.run(({ geysir, keep }) => {
      keep.monitor = new geysir.InterfaceMonitor({ pollMs: 10 })
      keep.membership = new geysir.Membership({ monitor: keep.monitor })
      keep.audits = []
      keep.membership.on('audit', (audit) => void keep.audits.push(audit))
      keep.membership.join('239.80.0.1', { interfaces: ['va'], loopback: false })
    })
    network.ip('a', 'link del va')
    network.ip('a', 'link add va type veth peer name vb')
    addAddresses()
    const heard = await refused.run(async ({ geysir, events, keep }) => {
      while (!keep.audits.some(({ action }) => action === 'renewed')) await events.once(keep.membership, 'audit')
      const datagram = new Promise<string[]>((resolve) => {
        keep.membership.once('datagram', (payload, from) => resolve([String(payload), from.address]))
      })
      const group = { address: '239.80.0.1', port: keep.membership.port }
      const sender = geysir.openMulticastSender({ group, interface: 'va', source: '10.80.0.2' })
      sender.send('here')
      const heard = await datagram
      sender.close()
      keep.membership.close()
      keep.monitor.close()
      return heard
    })
    expect(heard).toEqual(['here', '10.80.0.2'])
  })
})
