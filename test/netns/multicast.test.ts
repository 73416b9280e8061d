import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lacking, namespaceProblem } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { TestNetwork } from '../support/network.js'

// Two hosts, two wires, and more than one address on each interface of the sender.
describe.skipIf(lacking('network namespaces', namespaceProblem()))('multicast between hosts', () => {
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
          addresses: [`10.77.${i}.1/24`, `10.77.${i}.101/24`, `fd77:${i}::1/64`, `fd77:${i}::101/64`],
        },
        { namespace: 'b', device: `vb${i}`, addresses: [`10.77.${i}.2/24`, `fd77:${i}::2/64`] },
      )
    }
    // Without a route by default, so that only the choice of an interface can tell where a group datagram leaves.
    a = network.host('a')
    b = network.host('b')
  })
  afterAll(() => network.remove())

  const GROUPS = [
    { type: 'udp4', any: '0.0.0.0', group: '239.77.1.1', sources: ['10.77.1.1', '10.77.1.101'] },
    { type: 'udp6', any: '::', group: 'ff15::77', sources: ['fd77:1::1', 'fd77:1::101'] },
  ] as const

  test.each(GROUPS)('any-source members hear every source: $group', async ({ type, any, group, sources }) => {
    const port = await joining(b, { type, any, group, options: { interface: 'vb1' } })
    await sendFrom(a, { type, group, port, sources, device: 'va1' })
    const heard = await hearing(b, 2)
    expect(heard.map(({ from }) => from).sort()).toEqual([...sources].sort())
    for (const { destination } of heard) expect(destination).toBe(group)
  })

  test.each(GROUPS)('source-specific members hear one source: $group', async ({ type, any, group, sources }) => {
    const port = await joining(b, { type, any, group, options: { interface: 'vb1', source: sources[1] } })
    await sendFrom(a, { type, group, port, sources, device: 'va1' })
    expect(await hearing(b, 1)).toMatchObject([{ from: sources[1] }])

    await b.run(({ keep }, { group, sources }) => {
      keep.socket.leaveGroup(group, { interface: 'vb1', source: sources[1] })
      keep.socket.joinGroup(group, { interface: 'vb1', source: sources[0] })
    }, { group, sources }) // prettier-ignore
    await sendFrom(a, { type, group, port, sources, device: 'va1' })
    expect(await hearing(b, 1)).toMatchObject([{ from: sources[0] }])
  })

  test.each(GROUPS)('a member on one interface does not hear the other: $group', async ({ type, any, group, sources }) => {
    const port = await joining(b, { type, any, group, options: { interface: 'vb2' } })
    await sendFrom(a, { type, group, port, sources: [sources[0]], device: 'va1' })
    const elsewhere = type === 'udp4' ? '10.77.2.1' : 'fd77:2::1'
    await sendFrom(a, { type, group, port, sources: [elsewhere], device: 'va2' })
    expect(await hearing(b, 1)).toMatchObject([{ from: elsewhere }])
  })

  test('multicastInterface decides where a group datagram leaves, and its source address', async () => {
    const port = await joining(b, { type: 'udp4', any: '0.0.0.0', group: '239.77.1.1', options: { interface: 'vb1' } })
    await b.run(({ keep }) => keep.socket.joinGroup('239.77.1.1', { interface: 'vb2' }))
    const seen: [string, string][] = []
    for (const name of ['va1', 'va2', '10.77.1.101', '10.77.2.1', '10.77.2.101']) {
      await a.run(
        ({ geysir }, to) => {
          const socket = new geysir.UdpSocket({ multicastInterface: to.name })
          socket.send('x', geysir.endpoint('239.77.1.1', to.port))
          socket.flush()
          socket.close()
        },
        { name, port },
      )
      seen.push([name, (await hearing(b, 1))[0]!.from])
    }
    const index = await a.run(({ fs }) => Number(fs.readFileSync('/sys/class/net/va2/ifindex', 'utf8')))
    await a.run(
      ({ geysir }, to) => {
        const socket = new geysir.UdpSocket({ multicastInterface: to.index })
        socket.send('x', geysir.endpoint('239.77.1.1', to.port))
        socket.flush()
        socket.close()
      },
      { index, port },
    )
    seen.push(['index of va2', (await hearing(b, 1))[0]!.from])
    expect(seen).toEqual([
      ['va1', '10.77.1.1'],
      ['va2', '10.77.2.1'],
      ['10.77.1.101', '10.77.1.101'],
      ['10.77.2.1', '10.77.2.1'],
      ['10.77.2.101', '10.77.2.101'],
      ['index of va2', '10.77.2.1'],
    ])
  })

  test.each(['udp4', 'udp6'] as const)(
    'an address of an interface is given with it on a dual-stack socket too (%s receiver)',
    async (type) => {
      const group = type === 'udp4' ? '239.77.1.1' : 'ff15::77'
      const port = await joining(b, { type, any: type === 'udp4' ? '0.0.0.0' : '::', group, options: { interface: 'vb2' } })
      await a.run(
        ({ geysir }, to) => {
          const socket = new geysir.UdpSocket({ type: 'udp6', multicastInterface: '10.77.2.101' })
          socket.send('x', geysir.endpoint(to.group, to.port))
          socket.flush()
          socket.close()
        },
        { group, port },
      )
      const [datagram] = await hearing(b, 1)
      expect(datagram!.from).toMatch(type === 'udp4' ? /^10\.77\.2\.101$/ : /^fd77:2::/)
    },
  )

  test.each(GROUPS)('the sender hears itself unless multicastLoopback is off: $group', async ({ type, any, group }) => {
    const heard = await a.run(
      async ({ geysir, received, texts }, to) => {
        const socket = new geysir.UdpSocket({
          type: to.type,
          multicastInterface: 'va1',
          multicastLoopback: false,
          multicastAll: false,
        })
        const { port } = await socket.bind({ address: to.any })
        socket.joinGroup(to.group, { interface: 'va1' })
        const group = geysir.endpoint(to.group, port)
        socket.send('unheard', group)
        socket.flush()
        socket.setOption('multicastLoopback', true)
        socket.send('heard', group)
        const datagrams = texts(await received(socket))
        socket.close()
        return datagrams
      },
      { type, any, group },
    )
    expect(heard).toEqual(['heard'])
  })

  test.each(GROUPS)(
    'reply to a group datagram leaves from the interface it came to, by a unicast address: $group',
    async ({ type, any, group }) => {
      const port = await joining(b, { type, any, group, options: { interface: 'vb2' } })
      await b.run(({ keep }) => {
        keep.socket.on('batch', (batch) => keep.socket.reply(batch, 0, 'here I am'))
      })
      const answer = await a.run(
        async ({ geysir, received }, to) => {
          const socket = new geysir.UdpSocket({ type: to.type, multicastInterface: 'va2', receivePacketInfo: true })
          socket.send('who is there?', geysir.endpoint(to.group, to.port))
          const [datagram] = await received(socket)
          socket.close()
          return { text: datagram!.text, from: datagram!.endpoint.address.replace(/%.*/, '') }
        },
        { type, group, port },
      )
      expect(answer.text).toBe('here I am')
      expect(answer.from).toMatch(type === 'udp4' ? /^10\.77\.2\.2$/ : /^fd77:2::2$/)
    },
  )

  test('the scope of a link-local group may stand in its address', async () => {
    const port = await b.run(async ({ geysir, keep, fs }) => {
      keep.socket?.close()
      keep.socket = new geysir.UdpSocket({ type: 'udp6', multicastAll: false, receivePacketInfo: true })
      keep.socket.joinGroup(`ff02::77%${fs.readFileSync('/sys/class/net/vb1/ifindex', 'utf8').trim()}`)
      return (await keep.socket.bind()).port
    })
    await a.run(({ geysir }, to) => {
      const socket = new geysir.UdpSocket({ type: 'udp6' })
      socket.send('by scope', geysir.endpoint('ff02::77%va1', to))
      socket.flush()
      socket.close()
    }, port)
    expect(await hearing(b, 1)).toMatchObject([{ text: 'by scope' }])
  })

  test('multicastAll of IPv6 keeps groups apart that only another socket joined', async () => {
    const heard = await b.run(async ({ geysir, received, texts }) => {
      const options = { type: 'udp6', reuseAddress: true, multicastInterface: 'vb1' } as const
      const [member, all, own] = [
        new geysir.UdpSocket(options),
        new geysir.UdpSocket({ ...options, multicastAll: true }),
        new geysir.UdpSocket({ ...options, multicastAll: false }),
      ]
      const { port } = await member.bind()
      for (const socket of [all, own]) await socket.bind({ port })
      member.joinGroup('ff15::78', { interface: 'vb1' })
      own.joinGroup('ff15::79', { interface: 'vb1' })
      member.send('joined by one', geysir.endpoint('ff15::78', port))
      member.send('joined by the other', geysir.endpoint('ff15::79', port))
      member.flush()
      const result = {
        member: texts(await received(member, 2)),
        all: texts(await received(all, 2)),
        own: texts(await received(own)),
      }
      for (const socket of [member, all, own]) socket.close()
      return result
    })
    // By default the kernel hands over what any socket of this host joined.
    expect(heard).toEqual({
      member: ['joined by one', 'joined by the other'],
      all: ['joined by one', 'joined by the other'],
      own: ['joined by the other'],
    })
  })
})

interface Membership {
  type: 'udp4' | 'udp6'
  any: string
  group: string
  options: { interface: string; source?: string }
}

/** A member, for {@link hearing}. Returns its port. */
function joining(host: Host, membership: Membership): Promise<number> {
  return host.run(async ({ geysir, keep }, { type, any, group, options }) => {
    keep.socket?.close()
    keep.socket = new geysir.UdpSocket({ type, multicastAll: false, receivePacketInfo: true })
    const { port } = await keep.socket.bind({ address: any })
    keep.socket.joinGroup(group, options)
    return port
  }, membership)
}

interface Sending {
  type: 'udp4' | 'udp6'
  group: string
  port: number
  sources: readonly string[]
  device: string
}

function sendFrom(host: Host, sending: Sending): Promise<void> {
  return host.run(({ geysir }, { type, group, port, sources, device }) => {
    const socket = new geysir.UdpSocket({ type, multicastInterface: device })
    for (const source of sources) socket.send(`from ${source}`, geysir.endpoint(group, port), { source, interface: device })
    socket.flush()
    const { datagramsSent } = socket.stats()
    socket.close()
    if (datagramsSent !== sources.length) throw new Error(`${datagramsSent} of ${sources.length} were sent`)
  }, sending)
}

/** Exactly `count` datagrams, and what they say of themselves; more would be an error. */
function hearing(host: Host, count: number): Promise<{ text: string; from: string; destination: string | undefined }[]> {
  return host.run(async ({ keep, received }, wanted) => {
    const datagrams = await received(keep.socket, wanted)
    if (datagrams.length > wanted) throw new Error(`heard ${datagrams.length} datagrams instead of ${wanted}`)
    return datagrams.map(({ text, endpoint, destination }) => ({ text, from: endpoint.address.replace(/%.*/, ''), destination }))
  }, count)
}
