import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lacking, namespaceProblem } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { TestNetwork, twoHosts } from '../support/network.js'

describe.skipIf(lacking('network namespaces', namespaceProblem()))('addresses of two hosts', () => {
  let network: TestNetwork
  let a: Host
  let b: Host

  beforeAll(() => {
    network = twoHosts()
    for (const address of ['10.77.0.12/24', 'fd77::12/64', 'fe80::bb/64']) {
      network.ip('b', `addr add ${address} dev vb${address.includes(':') ? ' nodad' : ''}`)
    }
    a = network.host('a')
    b = network.host('b')
  })
  afterAll(() => network.remove())

  test('a link-local peer is reached by interface name and by index', async () => {
    const { port, index } = await b.run(async ({ geysir, keep }) => {
      keep.socket = new geysir.UdpSocket({ type: 'udp6', receivePacketInfo: true })
      const local = await keep.socket.bind({ address: 'fe80::b%vb' })
      return { port: local.port, index: local.scopeId }
    })
    const sent = await a.run(async ({ geysir, keep, fs }, to) => {
      const socket = (keep.socket = new geysir.UdpSocket({ type: 'udp6' }))
      const va = Number(fs.readFileSync('/sys/class/net/va/ifindex', 'utf8'))
      const byName = geysir.endpoint('fe80::b%va', to)
      socket.send('by name', byName)
      socket.send('by index', geysir.endpoint(`fe80::b%${va}`, to))
      socket.send('as an object', { address: `fe80::b%${va}`, port: to })
      const peer = await socket.connect({ address: 'fe80::b%va', port: to })
      socket.send('connected')
      return { scope: byName.scopeId, va, text: byName.toString(), peer: peer.toString() }
    }, port)
    expect(sent).toEqual({
      va: sent.va,
      scope: sent.va,
      text: `[fe80::b%${sent.va}]:${port}`,
      peer: `[fe80::b%${sent.va}]:${port}`,
    })

    const heard = await b.run(async ({ keep, received }) => {
      const datagrams = await received(keep.socket, 4)
      for (const { endpoint, text } of datagrams) keep.socket.send(`answer to ${text}`, endpoint)
      return datagrams.map(({ text, from, destination, interfaceIndex, endpoint }) => ({
        text,
        from,
        destination,
        interfaceIndex,
        scope: endpoint.scopeId,
      }))
    })
    expect(heard.map(({ text }) => text).sort()).toEqual(['as an object', 'by index', 'by name', 'connected'])
    // The peer's address carries the interface that it came in by, so that an answer finds its way.
    for (const { from, scope, interfaceIndex, destination } of heard) {
      expect({ scope, interfaceIndex, destination }).toEqual({ scope: index, interfaceIndex: index, destination: 'fe80::b' })
      expect(from).toMatch(new RegExp(`^\\[fe80::.*%${index}\\]:`))
    }
    expect(await a.run(async ({ keep, received }) => (await received(keep.socket, 4)).length)).toBe(4)
  })

  test('a link-local address without its interface can be neither bound nor connected to', async () => {
    const result = await a.run(async ({ geysir }) => {
      const codeOf = (error: { code: string }) => error.code
      const socket = new geysir.UdpSocket({ type: 'udp6' })
      const bind = await socket.bind({ address: 'fe80::a' }).then(() => 'bound', codeOf)
      const connect = await socket.connect({ address: 'fe80::b', port: 9 }).then(() => 'connected', codeOf)
      socket.close()
      return { bind, connect }
    })
    expect(result).toEqual({ bind: 'EINVAL', connect: 'EINVAL' })
  })

  test.each([
    ['udp4', '0.0.0.0', ['10.77.0.2', '10.77.0.12']],
    ['udp6', '::', ['fd77::2', 'fd77::12', '10.77.0.12']],
    ['udp6', '::', ['fe80::b%va', 'fe80::bb%va']],
  ] as const)('a %s server replies from each of its addresses: %s %j', async (type, any, addresses) => {
    const port = await b.run(
      async ({ geysir, keep }, options) => {
        keep.socket.close()
        const server = (keep.socket = new geysir.UdpSocket({ type: options.type, receivePacketInfo: true }))
        const local = await server.bind({ address: options.any })
        server.on('batch', (batch) => {
          for (let i = 0; i < batch.count; i++) server.reply(batch, i, `answer from ${batch.destination(i)}`)
        })
        return local.port
      },
      { type, any },
    )
    for (const address of addresses) {
      // Connected: it hears only the address that it asked.
      const answer = await a.run(
        async ({ geysir, received }, to) => {
          const client = new geysir.UdpSocket({ type: to.address.includes(':') ? 'udp6' : 'udp4' })
          await client.connect(to)
          client.send('question')
          const [datagram] = await received(client)
          client.close()
          return datagram!.text
        },
        { address, port },
      )
      const mapped = type === 'udp6' && !address.includes(':')
      expect(answer).toBe(`answer from ${mapped ? '::ffff:' : ''}${address.replace('%va', '')}`)
    }
  })

  test('a datagram can leave from another IPv6 address and by another interface', async () => {
    const port = await a.run(async ({ geysir, keep }) => {
      keep.socket = new geysir.UdpSocket({ type: 'udp6' })
      return (await keep.socket.bind()).port
    })
    await b.run(({ geysir }, to) => {
      const socket = new geysir.UdpSocket({ type: 'udp6' })
      const peer = geysir.endpoint('fd77::1', to)
      socket.send('one', peer, { source: 'fd77::12' })
      socket.send('two', peer, { source: 'fd77::2', interface: 'vb' })
      socket.send('four', geysir.endpoint('10.77.0.1', to), { source: '10.77.0.12', interface: 'fd77::2' })
      // The interface is all that this one needs of a scope.
      socket.send('local', geysir.endpoint('fe80::a', to), { interface: 'vb', source: 'fe80::bb' })
      socket.flush()
      socket.close()
    }, port)
    const heard = await a.run(async ({ keep, received }) =>
      (await received(keep.socket, 4)).map(({ text, endpoint }) => [text, endpoint.address.replace(/%.*/, '')]),
    )
    expect(Object.fromEntries(heard)).toEqual({ one: 'fd77::12', two: 'fd77::2', four: '::ffff:10.77.0.12', local: 'fe80::bb' })
  })
})

describe.skipIf(lacking('network namespaces', namespaceProblem()))('two interfaces', () => {
  let network: TestNetwork
  let a: Host
  let b: Host

  beforeAll(() => {
    network = new TestNetwork()
    network.addNamespace('a')
    network.addNamespace('b')
    for (const i of [1, 2]) {
      // One link-local address on both, as a router would have.
      network.link(
        { namespace: 'a', device: `va${i}`, addresses: [`10.77.${i}.1/24`, 'fe80::a/64'] },
        { namespace: 'b', device: `vb${i}`, addresses: [`10.77.${i}.2/24`, 'fe80::b/64'] },
      )
    }
    a = network.host('a')
    b = network.host('b')
  })
  afterAll(() => network.remove())

  test('a socket bound to a device hears that device only', async () => {
    const port = await b.run(async ({ geysir, keep }) => {
      keep.first = new geysir.UdpSocket({ bindToDevice: 'vb1', receivePacketInfo: true })
      const { port: chosen } = await keep.first.bind()
      // The same port is free on another device.
      keep.second = new geysir.UdpSocket({ bindToDevice: 'vb2', receivePacketInfo: true })
      await keep.second.bind({ port: chosen })
      return chosen
    })
    await a.run(({ geysir }, to) => {
      const socket = new geysir.UdpSocket()
      for (const i of [1, 2]) socket.send(`by ${i}`, geysir.endpoint(`10.77.${i}.2`, to))
      socket.flush()
      socket.close()
    }, port)
    const heard = await b.run(async ({ keep, received, texts }) => {
      const first = texts(await received(keep.first))
      const second = texts(await received(keep.second))
      return { first, second, device: String(keep.first.getOption('bindToDevice')) }
    })
    expect(heard).toEqual({ first: ['by 1'], second: ['by 2'], device: 'vb1' })
  })

  test('peers with one address on two interfaces are two endpoints', async () => {
    const port = await b.run(async ({ geysir, keep }) => {
      keep.socket = new geysir.UdpSocket({ type: 'udp6' })
      return (await keep.socket.bind()).port
    })
    await a.run(async ({ geysir }, to) => {
      for (const i of [1, 2]) {
        const socket = new geysir.UdpSocket({ type: 'udp6' })
        await socket.bind({ address: `fe80::a%va${i}`, port: 7000 })
        socket.send(`by ${i}`, geysir.endpoint(`fe80::b%va${i}`, to))
        socket.flush()
        socket.close()
      }
    }, port)
    const heard = await b.run(async ({ keep, received }) => {
      const [first, second] = await received(keep.socket, 2)
      return {
        equal: first!.endpoint.equals(second!.endpoint),
        scopes: new Set([first!.endpoint.scopeId, second!.endpoint.scopeId]).size,
      }
    })
    expect(heard).toEqual({ equal: false, scopes: 2 })
  })

  test.each(['va1', 'va2'])('an interface named by a scoped link-local address is the one of its zone: %s', async (device) => {
    const found = await a.run(({ geysir, fs }, name) => {
      const socket = new geysir.UdpSocket({ type: 'udp6', multicastInterface: `fe80::a%${name}` })
      const index = socket.getOption('multicastInterface')
      socket.close()
      return { index, expected: Number(fs.readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8')) }
    }, device)
    expect(found.index).toBe(found.expected)
  })
})
