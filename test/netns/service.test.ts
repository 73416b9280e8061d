import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lacking, namespaceProblem } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { TestNetwork } from '../support/network.js'

// Two hosts, two wires.
describe.skipIf(lacking('network namespaces', namespaceProblem()))('services on two hosts', () => {
  let network: TestNetwork
  let a: Host
  let b: Host

  beforeAll(async () => {
    network = new TestNetwork()
    network.addNamespace('a')
    network.addNamespace('b')
    for (const i of [1, 2]) {
      network.link(
        { namespace: 'a', device: `va${i}`, addresses: [`10.79.${i}.1/24`, `fd79:${i}::1/64`] },
        { namespace: 'b', device: `vb${i}`, addresses: [`10.79.${i}.2/24`, `fd79:${i}::2/64`] },
      )
    }
    a = network.host('a')
    b = network.host('b')
    for (const host of [a, b]) {
      await host.run(async ({ geysir, keep }) => {
        const service = await geysir.openService({ multicastPort: 7900, groups: ['239.79.9.9', 'ff12::79'], unicastPort: 7901 })
        keep.service = service
        keep.events = []
        const names = new Map(service.interfaces().map(({ index, name }) => [index, name]))
        service.on('batch', (batch) => {
          for (let i = 0; i < batch.count; i++) {
            const where = names.get(batch.interfaceIndex(i)) ?? `${batch.interfaceIndex(i)}`
            keep.events.push(`${batch.payload(i).toString()} ${batch.place.cast} ${where} ${batch.isOwn(i) ? 'own' : 'foreign'}`)
          }
        })
        service.on('change', (changes) => keep.events.push(...changes.map(({ type }) => type)))
      })
    }
  })
  afterAll(() => network.remove())

  const heard = (host: Host, count: number): Promise<string[]> =>
    host.run(async ({ keep }, count) => {
      while (keep.events.length < count) await new Promise((resolve) => setTimeout(resolve, 5))
      return keep.events.splice(0).sort()
    }, count)

  test.each(['239.79.9.9', 'ff12::79'])(
    '%s is exhibited on one interface, or on all, and observed with the interface',
    async (group) => {
      const queued = await a.run(({ keep }, address) => {
        const group = { address, port: 7900 }
        return [keep.service.sendMulticast('all', group), keep.service.sendMulticast('one', group, { interfaces: ['va2'] })]
      }, group)
      expect(queued).toEqual([2, 1])
      expect(await heard(b, 3)).toEqual(['all multicast vb1 foreign', 'all multicast vb2 foreign', 'one multicast vb2 foreign'])
      expect(await heard(a, 3)).toEqual(['all multicast va1 own', 'all multicast va2 own', 'one multicast va2 own'])
    },
  )

  test('unicast is observed on the interface that it came by', async () => {
    await a.run(({ keep }) => {
      keep.service.send('four', { address: '10.79.2.2', port: 7901 })
      keep.service.send('six', { address: 'fd79:1::2', port: 7901 })
    })
    expect(await heard(b, 2)).toEqual(['four unicast vb2 foreign', 'six unicast vb1 foreign'])
  })

  test('an interface that comes is told of, its addresses are known, and its groups are joined', async () => {
    network.link(
      { namespace: 'a', device: 'va3', addresses: ['10.79.3.1/24'] },
      { namespace: 'b', device: 'vb3', addresses: ['10.79.3.2/24'] },
    )
    const known = await b.run(async ({ keep }) => {
      const has = (): boolean => keep.service.localEndpoints().some(({ address }) => address === '10.79.3.2')
      while (!has() || !keep.events.includes('addressAdded')) await new Promise((resolve) => setTimeout(resolve, 5))
      keep.events = []
      return has()
    })
    expect(known).toBe(true)
    // Joining follows the change; a datagram that comes too early is sent again.
    for (let tries = 0; tries < 100; tries++) {
      await a.run(({ keep }) => {
        const isThere = keep.service.interfaces().some(({ name, addresses }) => name === 'va3' && addresses.length > 0)
        if (isThere) keep.service.sendMulticast('new', { address: '239.79.9.9', port: 7900 }, { interfaces: ['va3'] })
      })
      const isHeard = await b.run(async ({ keep }) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return keep.events.some((event) => event.startsWith('new multicast'))
      })
      if (isHeard) return
    }
    throw new Error('the group was not joined on the new interface')
  })
})
