import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { MulticastSenderOptions } from '../../src/index.js'
import { lacking, namespaceProblem } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { TestNetwork } from '../support/network.js'

const FAMILIES = [
  { group: '239.77.6.1', type: 'udp4', interface: 'va1' },
  { group: 'ff15::7706', type: 'udp6', interface: 'va1' },
] as const
const COUNT = 200

// Two wires between a, which sends, and b, which counts what arrives.
describe.skipIf(lacking('network namespaces', namespaceProblem()))('a multicast sender', () => {
  let network: TestNetwork
  let a: Host
  let b: Host

  beforeAll(() => {
    network = new TestNetwork()
    network.addNamespace('a')
    network.addNamespace('b')
    for (const i of [1, 2]) {
      network.link(
        {
          namespace: 'a',
          device: `va${i}`,
          addresses: [`10.79.${i}.1/24`, `10.79.${i}.101/24`, '10.79.9.9/32', `fd79:${i}::1/64`],
        },
        { namespace: 'b', device: `vb${i}`, addresses: [`10.79.${i}.2/24`, `fd79:${i}::2/64`] },
      )
    }
    network.ip('a', 'route add default dev va1')
    a = network.host('a')
    b = network.host('b')
  })
  afterAll(() => network.remove())

  /** Packets that have arrived at b by either wire, whatever they were. */
  const arrived = (): number =>
    ['vb1', 'vb2']
      .map((device) => Number(network.exec('b', 'cat', `/sys/class/net/${device}/statistics/rx_packets`)))
      .reduce((sum, count) => sum + count)

  describe.each(FAMILIES)('with TTL 0, $group', ({ group, type }) => {
    // Nobody in b has to listen: a wire tells what left. Besides, the kernel sends a few packets of its own. Without offload, because a
    // wire without hardware counts a coalesced packet once.
    test('sends to members of this host, and not one packet leaves', async () => {
      const before = arrived()
      const heard = await a.run(sendHere, { group, count: COUNT })
      expect(heard).toBe(COUNT)
      expect(arrived() - before).toBeLessThan(COUNT / 2)
    })

    test('stays here when the routing table chooses another interface', async () => {
      await a.run(({ geysir, keep }, { group }) => {
        keep.socket = geysir.openMulticastSender({ group: { address: group, port: 9 }, ttl: 0, socket: { sendOffload: false } })
        keep.socket.send('before')
        keep.socket.flush()
      }, { group }) // prettier-ignore
      network.ip('a', 'route replace default dev va2')
      network.ip('a', `-6 route prepend multicast ff00::/8 dev va2 table local metric 1`)
      const before = arrived()
      const sent = await a.run(async ({ keep }, count) => {
        for (let i = 0; i < count; i++) keep.socket.send('after')
        keep.socket.flush()
        const { datagramsSent } = keep.socket.stats()
        keep.socket.close()
        await new Promise((resolve) => setTimeout(resolve, 20))
        return datagramsSent
      }, COUNT) // prettier-ignore
      expect(sent).toBe(COUNT + 1)
      expect(arrived() - before).toBeLessThan(COUNT / 2)
      network.ip('a', 'route replace default dev va1')
      network.ip('a', `-6 route del multicast ff00::/8 dev va2 table local metric 1`)
    })

    test.each([
      ['setOption multicastInterface', "socket.setOption('multicastInterface', 'va2')"],
      ['setOption multicastTtl', "socket.setOption('multicastTtl', 1)"],
      ['setOption bindToDevice', "socket.setOption('bindToDevice', 'va2')"],
      ['send by another interface', "socket.send('x', socket.group, { interface: 'va2' })"],
      ['send with another TTL', "socket.send('x', socket.group, { ttl: 1 })"],
      ['reserve by another interface', "socket.reserve(1, socket.group, { interface: 'va2' })"],
      ['reserveRun by another interface', "socket.reserveRun(1, 2, socket.group, { interface: 'va2' })"],
    ])('refuses a switch by %s', async (_, code) => {
      const before = arrived()
      const error = await a.run(({ geysir }, { group, code }) => {
        const socket = geysir.openMulticastSender({ group: { address: group, port: 9 }, ttl: 0, socket: { sendOffload: false } })
        let refusal = 'none'
        try {
          // eslint-disable-next-line @typescript-eslint/no-implied-eval -- functions travel as text
          ;(new Function('socket', code) as (each: unknown) => void)(socket)
        } catch (error) {
          refusal = (error as { code: string }).code
        }
        for (let i = 0; i < 100; i++) socket.send('after')
        socket.flush()
        socket.close()
        return refusal
      }, { group, code }) // prettier-ignore
      expect(error).toBe('ERR_INVALID_ARG_VALUE')
      expect(arrived() - before).toBeLessThan(50)
    })

    test('refuses an explicit interface but loopback', async () => {
      const attempt = (by: string): Promise<string> =>
        a.run(({ geysir }, { group, by }) => {
          try {
            geysir.openMulticastSender({ group: { address: group, port: 9 }, ttl: 0, interface: by }).close()
            return 'opened'
          } catch (error) {
            return (error as Error).message
          }
        }, { group, by }) // prettier-ignore
      expect(await attempt('va1')).toMatch(/'options\.interface' cannot be with ttl 0, which means this host only.*'va1'/)
      expect(await attempt('lo')).toBe('opened')
    })

    // The twin: the test before can fail, because the kernel alone lets them out.
    test('a plain socket with TTL 0 leaks where nobody has joined', async () => {
      const before = arrived()
      await a.run(({ geysir }, { group, type, count }) => {
        const socket = new geysir.UdpSocket({ type, multicastTtl: 0, multicastInterface: 'va1', sendOffload: false })
        for (let i = 0; i < count; i++) socket.send('x', geysir.endpoint(group, 9))
        socket.flush()
        socket.close()
      }, { group, type, count: COUNT }) // prettier-ignore
      const end = Date.now() + 5000
      while (arrived() - before < COUNT && Date.now() < end);
      expect(arrived() - before).toBeGreaterThanOrEqual(COUNT)
    })
  })

  test.each([
    [{ interface: 'va1' }, 'vb1', '10.79.1.1'],
    [{ interface: 'va2' }, 'vb2', '10.79.2.1'],
    [{}, 'vb1', undefined],
    [{ interface: '10.79.2.101' }, 'vb2', '10.79.2.101'],
    [{ interface: 'va2', source: '10.79.2.101' }, 'vb2', '10.79.2.101'],
    [{ source: '10.79.2.101' }, 'vb2', '10.79.2.101'],
    // Both interfaces have this one.
    [{ interface: 'va1', source: '10.79.9.9' }, 'vb1', '10.79.9.9'],
    [{ interface: 'va2', source: '10.79.9.9' }, 'vb2', '10.79.9.9'],
  ] as const)('given %j it leaves to %s, from %s', async (options, device, from) => {
    const heard = await across({ ...options, group: { address: '239.77.6.1', port: 0 } })
    expect(heard).toEqual({ device, from: from ?? expect.stringMatching(/^10\.79\./), ttl: 1 })
  })

  test.each([
    [{ interface: 'va2', source: 'fd79:2::1' }, 'vb2', 'fd79:2::1'],
    [{ interface: 'va1' }, 'vb1', 'fd79:1::1'],
  ] as const)('given %j it leaves to %s, from %s', async (options, device, from) => {
    const heard = await across({ ...options, ttl: 7, group: { address: 'ff15::7706', port: 0 } })
    expect(heard).toEqual({ device, from, ttl: 7 })
  })

  test('a source of another interface is refused', async () => {
    const attempt = across({ interface: 'va1', source: '10.79.2.1', group: { address: '239.77.6.1', port: 0 } })
    await expect(attempt).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' })
  })

  test('with a monitor it goes on sending when its interface was deleted and made again with another address', async () => {
    const make = (address: string): void => {
      network.ip('a', 'link add vx type veth peer name vy')
      network.ip('a', `addr add ${address}/24 dev vx`)
      network.ip('a', 'link set vx up')
    }
    make('10.79.3.1')
    await a.run(({ geysir, keep }) => {
      const monitor = new geysir.InterfaceMonitor({ settleMs: 0 })
      const membership = new geysir.Membership({ monitor })
      keep.until = async (condition) => {
        while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
      }
      keep.heard = []
      membership.on('datagram', (payload, from, batch, i) => {
        keep.heard.push({ text: `${payload.toString()} from ${from.address}`, group: batch.destination(i), index: 0, atMs: 0 })
      })
      membership.join('239.77.6.9', { interfaces: ['vx'], loopback: false })
      const group = { address: '239.77.6.9', port: membership.port }
      keep.monitor = monitor
      keep.membership = membership
      keep.socket = geysir.openMulticastSender({ group, interface: 'vx', monitor })
      keep.socket.send('one', geysir.endpoint(group.address, group.port))
      return keep.until(() => keep.heard.length === 1)
    })
    network.ip('a', 'link del vx')
    make('10.79.3.2')
    const heard = await a.run(async ({ geysir, keep }) => {
      const group = geysir.endpoint('239.77.6.9', keep.membership.port)
      await keep.until(() => keep.monitor.interface('vx')!.addresses.length > 0 && keep.membership.current().get(group.address)!.length > 0) // prettier-ignore
      keep.socket.send('two', group)
      await keep.until(() => keep.heard.length === 2)
      for (const each of [keep.socket, keep.membership, keep.monitor]) each.close()
      return keep.heard.map(({ text }) => text)
    })
    expect(heard).toEqual(['one from 10.79.3.1', 'two from 10.79.3.2'])
    network.ip('a', 'link del vx')
  })

  test('one group and interface have one sender, whoever asks, and by whatever name', async () => {
    const result = await a.run(({ geysir }) => {
      const senders = new geysir.MulticastSenders()
      const group = { address: '239.77.6.1', port: 9 }
      const one = senders.acquire({ group, interface: 'va1' })
      const same = senders.acquire({ group, interface: '10.79.1.1' })
      const others = [
        senders.acquire({ group, interface: 'va2' }),
        senders.acquire({ group }),
        senders.acquire({ group, ttl: 0, socket: { sendOffload: false } }),
      ]
      const conflict = (() => {
        try {
          senders.acquire({ group, interface: 'va1', ttl: 5 })
          return 'none'
        } catch (error) {
          return (error as { code: string }).code
        }
      })()
      senders.release(one)
      const afterOne = one.closed
      senders.release(same)
      const distinct = new Set([one, ...others]).size
      senders.close()
      return {
        same: one === same,
        distinct,
        conflict,
        afterOne,
        afterBoth: one.closed,
        rest: others.map((other) => other.closed),
      }
    })
    expect(result).toEqual({ same: true, distinct: 4, conflict: 'ERR_INVALID_STATE', afterOne: false, afterBoth: true, rest: [true, true, true] }) // prettier-ignore
  })

  /** What b hears of one datagram. */
  async function across(options: MulticastSenderOptions): Promise<{ device: string; from: string; ttl: number }> {
    const { address } = options.group
    const port = await b.run(({ geysir, keep }, address) => {
      keep.socket?.close()
      const type = address.includes(':') ? 'udp6' : 'udp4'
      keep.socket = geysir.openMulticastReceiver({ type, socket: { receiveTtl: true } })
      for (const device of ['vb1', 'vb2']) keep.socket.joinGroup(address, { interface: device })
      return keep.socket.address().port
    }, address) // prettier-ignore
    await a.run(({ geysir }, options) => {
      const socket = geysir.openMulticastSender(options)
      socket.send('x')
      socket.close()
    }, { ...options, group: { address, port } }) // prettier-ignore
    return b.run(async ({ keep, received, geysir }) => {
      const [datagram] = await received(keep.socket)
      const device = geysir.interfaces().find(({ index }) => index === datagram!.interfaceIndex)!.name
      return { device, from: datagram!.endpoint.address, ttl: datagram!.ttl }
    })
  }
})

/** A membership and a sender with TTL 0 on one host; returns how many of `count` were heard. */
async function sendHere(
  { geysir }: Parameters<Parameters<Host['run']>[0]>[0],
  { group, count }: { group: string; count: number },
): Promise<number> {
  const monitor = new geysir.InterfaceMonitor({ settleMs: 0 })
  const membership = new geysir.Membership({ monitor })
  let heard = 0
  const all = new Promise<void>((resolve) => {
    membership.on('batch', (batch) => {
      heard += batch.count
      if (heard >= count) resolve()
    })
  })
  membership.join(group)
  const sender = geysir.openMulticastSender({
    group: { address: group, port: membership.port },
    ttl: 0,
    socket: { sendOffload: false },
  })
  for (let i = 0; i < count; i++) sender.send(`datagram ${i}`)
  await all
  for (const each of [sender, membership, monitor]) each.close()
  return heard
}
