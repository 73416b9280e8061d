import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lacking, namespaceProblem } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { TestNetwork } from '../support/network.js'

// a - r - b, where the second wire carries shorter packets: a learns it from r (RFC 1191, RFC 8201).
describe.skipIf(lacking('network namespaces', namespaceProblem()))('errors that a router sends', () => {
  let network: TestNetwork
  let a: Host

  beforeAll(() => {
    network = new TestNetwork()
    for (const name of ['a', 'r', 'b']) network.addNamespace(name)
    for (const family of ['ipv4.ip_forward', 'ipv6.conf.all.forwarding']) network.sysctl('r', `net.${family}`, 1)
    network.link(
      { namespace: 'a', device: 'va', addresses: ['10.77.1.1/24', 'fd77:1::1/64'] },
      { namespace: 'r', device: 'ra', addresses: ['10.77.1.254/24', 'fd77:1::254/64'] },
    )
    network.link(
      { namespace: 'r', device: 'rb', addresses: ['10.77.2.254/24', 'fd77:2::254/64'] },
      { namespace: 'b', device: 'vb', addresses: ['10.77.2.1/24', 'fd77:2::1/64'] },
    )
    network.ip('r', 'link set rb mtu 1300')
    for (const [from, gateway] of [
      ['a', '1'],
      ['b', '2'],
    ] as const) {
      network.ip(from, `route add default via 10.77.${gateway}.254`)
      network.ip(from, `-6 route add default via fd77:${gateway}::254`)
    }
    // A router tells one host about errors only so often (icmp(7)); the test asks more often.
    network.sysctl('r', 'net.ipv4.icmp_ratemask', 0)
    network.sysctl('r', 'net.ipv6.icmp.ratelimit', 0)
    a = network.host('a')
  })
  afterAll(() => network.remove())

  test.each(['10.77.2.1', 'fd77:2::1'])(
    'a packet too big for the way to %s is reported with the MTU that fits',
    async (address) => {
      const result = await a.run(async ({ geysir, events }, to) => {
        const type = to.includes(':') ? 'udp6' : 'udp4'
        const unconnected = new geysir.UdpSocket({ type, dontFragment: true, receiveErrors: true })
        const reported = events.once(unconnected, 'peerError')
        unconnected.send(Buffer.alloc(1400), geysir.endpoint(to, 7777))
        const [error] = await reported
        const connected = new geysir.UdpSocket({ type, dontFragment: true })
        await connected.connect({ address: to, port: 7777 })
        const mtu = connected.getOption('pathMtuBytes')
        const failed = events.once(connected, 'sendError')
        connected.send(Buffer.alloc(1400))
        const [sendError] = await failed
        unconnected.close()
        connected.close()
        return {
          code: error.code as string,
          mtuBytes: error.mtuBytes as number,
          endpoint: String(error.endpoint),
          icmp: [error.icmpType, error.icmpCode] as number[],
          mtu,
          sendError: sendError.code as string,
        }
      }, address)
      const six = address.includes(':')
      expect(result).toEqual({
        code: 'EMSGSIZE',
        mtuBytes: 1300,
        endpoint: six ? `[${address}]:7777` : `${address}:7777`,
        icmp: six ? [2, 0] : [3, 4],
        mtu: 1300,
        sendError: 'EMSGSIZE',
      })
    },
  )

  test.each(['10.77.2.1', 'fd77:2::1'])(
    'a TTL too short for the way to %s is reported as an unreachable host',
    async (address) => {
      const result = await a.run(async ({ geysir, events }, to) => {
        const socket = new geysir.UdpSocket({ type: to.includes(':') ? 'udp6' : 'udp4', receiveErrors: true })
        const reported = events.once(socket, 'peerError')
        socket.send('x', geysir.endpoint(to, 7777), { ttl: 1 })
        const [error] = await reported
        socket.close()
        return {
          code: error.code as string,
          endpoint: error.endpoint.address as string,
          icmp: [error.icmpType, error.icmpCode] as number[],
        }
      }, address)
      expect(result).toEqual({ code: 'EHOSTUNREACH', endpoint: address, icmp: address.includes(':') ? [3, 0] : [11, 0] })
    },
  )

  test('a network without a route beyond the router is reported', async () => {
    const result = await a.run(async ({ geysir, events }) => {
      const socket = new geysir.UdpSocket({ receiveErrors: true })
      const errors: [string, string][] = []
      socket.on('peerError', (error) => errors.push([error.code, error.endpoint!.toString()]))
      const healthy = geysir.endpoint('10.77.1.254', 9)
      for (let i = 0; i < 5; i++) {
        socket.send('x', geysir.endpoint('198.51.100.7', 9))
        socket.send('y', healthy)
      }
      while (!errors.some(([code]) => code === 'ENETUNREACH')) await events.once(socket, 'peerError')
      const stats = socket.stats()
      socket.close()
      return { errors, stats }
    })
    expect(result.stats).toMatchObject({ datagramsSent: 10, datagramsFailed: 0 })
    for (const [code, endpoint] of result.errors) {
      expect([['ENETUNREACH', '198.51.100.7:9'], ['ECONNREFUSED', '10.77.1.254:9']]).toContainEqual([code, endpoint]) // prettier-ignore
    }
  })
})
