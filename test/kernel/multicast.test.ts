import { expect, test } from 'vitest'
import { capabilities, endpoint, type UdpSocket } from '../../src/index.js'
import { received, texts } from '../support/received.mjs'
import { bound, open, thrownBy } from '../support/sockets.js'

// On the loopback interface. Two hosts, IPv6, source addresses: test/netns/multicast.test.ts.
const GROUP = '239.77.0.1'
const ON_LOOPBACK = { interface: 'lo' }

test.each(['lo', 1, '127.0.0.1'])('a group can be joined on an interface given as %j', async (name) => {
  const b = await groupReceiver()
  b.joinGroup(GROUP, { interface: name })
  const a = await groupSender()
  a.send('to the group', endpoint(GROUP, b.address().port))
  expect(texts(await received(b))).toEqual(['to the group'])
  b.leaveGroup(GROUP, { interface: name })
  a.send('too late', endpoint(GROUP, b.address().port))
  await nothingBut(b, a, 'marker')
})

test('a source-specific member hears only its source', async () => {
  const b = await groupReceiver()
  b.joinGroup(GROUP, { ...ON_LOOPBACK, source: '127.0.0.2' })
  const a = await groupSender()
  const to = endpoint(GROUP, b.address().port)
  a.send('from another', to, { source: '127.0.0.3' })
  a.send('from the source', to, { source: '127.0.0.2' })
  expect(await received(b)).toMatchObject([{ text: 'from the source', from: `127.0.0.2:${a.address().port}` }])

  b.joinGroup(GROUP, { ...ON_LOOPBACK, source: '127.0.0.3' })
  b.leaveGroup(GROUP, { ...ON_LOOPBACK, source: '127.0.0.2' })
  a.send('no longer', to, { source: '127.0.0.2' })
  a.send('now', to, { source: '127.0.0.3' })
  expect(texts(await received(b))).toEqual(['now'])
})

test('every member on this host gets its copy', async () => {
  const first = await groupReceiver({ reuseAddress: true })
  const second = await groupReceiver({ reuseAddress: true }, first.address().port)
  for (const socket of [first, second]) socket.joinGroup(GROUP, ON_LOOPBACK)
  const a = await groupSender()
  a.send('to both', endpoint(GROUP, first.address().port))
  expect(texts(await received(first))).toEqual(['to both'])
  expect(texts(await received(second))).toEqual(['to both'])
})

test('multicastAll decides whether a socket hears groups that only another one joined', async () => {
  const member = await groupReceiver({ reuseAddress: true })
  member.joinGroup(GROUP, ON_LOOPBACK)
  const { port } = member.address()
  const all = await groupReceiver({ reuseAddress: true, multicastAll: true }, port)
  const own = await groupReceiver({ reuseAddress: true, multicastAll: false }, port)
  const a = await groupSender()
  a.send('to the group', endpoint(GROUP, port))
  expect(texts(await received(member))).toEqual(['to the group'])
  expect(texts(await received(all))).toEqual(['to the group'])
  own.joinGroup('239.77.0.9', ON_LOOPBACK)
  a.send('own group', endpoint('239.77.0.9', port))
  expect(texts(await received(own))).toEqual(['own group'])
})

test('the destination of a group datagram is the group, and reply leaves from a unicast address', async () => {
  const server = await groupReceiver({ receivePacketInfo: true })
  server.joinGroup(GROUP, ON_LOOPBACK)
  const client = await groupSender()
  client.send('who is there?', endpoint(GROUP, server.address().port))
  const destination = await new Promise((resolve) => {
    server.on('batch', (batch) => {
      server.reply(batch, 0, 'I am')
      resolve(batch.destination(0))
    })
  })
  expect(destination).toBe(GROUP)
  expect(await received(client)).toMatchObject([{ text: 'I am', from: `127.0.0.1:${server.address().port}` }])
})

test('a dual-stack socket joins IPv4 groups, and replies to them from a unicast address', async () => {
  const server = await bound({ type: 'udp6', receivePacketInfo: true }, { address: '::' })
  server.joinGroup(GROUP, ON_LOOPBACK)
  const client = await groupSender()
  client.send('who is there?', endpoint(GROUP, server.address().port))
  server.on('batch', (batch) => server.reply(batch, 0, `I am, at ${batch.destination(0)}`))
  expect(await received(client)).toMatchObject([{ text: `I am, at ::ffff:${GROUP}`, from: `127.0.0.1:${server.address().port}` }])
})

test('multicastTtl goes with group datagrams, ttl with the others', async () => {
  const b = await groupReceiver({ receiveTtl: true })
  b.joinGroup(GROUP, ON_LOOPBACK)
  const a = await groupSender()
  a.setOption('multicastTtl', 9)
  a.setOption('ttl', 99)
  const { port } = b.address()
  a.send('group', endpoint(GROUP, port))
  a.send('one', endpoint('127.0.0.1', port))
  expect((await received(b, 2)).map(({ text, ttl }) => [text, ttl])).toEqual([
    ['group', 9],
    ['one', 99],
  ])
})

test('what cannot be joined or left says why', async () => {
  const socket = await groupReceiver()
  socket.joinGroup(GROUP, ON_LOOPBACK)
  const twice = thrownBy(() => socket.joinGroup(GROUP, ON_LOOPBACK))
  expect(twice).toMatchObject({ code: 'EADDRINUSE', syscall: 'setsockopt', address: GROUP })
  expect(twice.message).toContain('join on lo: this socket has joined it already')
  expect(thrownBy(() => socket.leaveGroup('239.77.0.2', ON_LOOPBACK)).message).toMatch(/leave on lo: .*not a member/)
  expect(thrownBy(() => socket.joinGroup(GROUP, { interface: 'nosuch0' }))).toMatchObject({ code: 'ENODEV', address: 'nosuch0' })
  expect(thrownBy(() => socket.joinGroup(GROUP, { interface: 99_999 }))).toMatchObject({ code: 'ENODEV' })
  expect(thrownBy(() => socket.joinGroup(GROUP, { interface: '192.0.2.99' }))).toMatchObject({ code: 'EADDRNOTAVAIL' })
})

test('the limit of memberships is named when it is reached', async () => {
  const socket = await groupReceiver()
  const error = thrownBy(() => {
    for (let i = 0; i < 100_000; i++) socket.joinGroup(`239.78.${i >> 8}.${i & 255}`, ON_LOOPBACK)
  })
  expect(error).toMatchObject({ code: 'ENOBUFS' })
  expect(error.message).toContain('net.ipv4.igmp_max_memberships')
})

test.each(['lo', 1, '127.0.0.1'])('multicastInterface takes %j and tells the index', (name) => {
  const socket = open({ multicastInterface: name })
  expect(socket.getOption('multicastInterface')).toBe(1)
  socket.setOption('multicastInterface', 0)
  expect(socket.getOption('multicastInterface')).toBe(0)
})

test('multicastInterface names what it does not find', () => {
  const socket = open()
  expect(thrownBy(() => socket.setOption('multicastInterface', 'nosuch0'))).toMatchObject({ code: 'ENODEV', address: 'nosuch0' })
  expect(thrownBy(() => socket.setOption('multicastInterface', '192.0.2.99'))).toMatchObject({ code: 'EADDRNOTAVAIL' })
  expect(thrownBy(() => socket.setOption('multicastInterface', true as never))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  expect(socket.getOption('multicastInterface')).toBe(0)
})

/** A port of its own on all addresses, and no other group's datagrams. */
function groupReceiver(options: Parameters<typeof bound>[0] = {}, port = 0): Promise<UdpSocket> {
  return bound({ ...(capabilities().multicastAll ? { multicastAll: false } : {}), ...options }, { address: '0.0.0.0', port })
}

function groupSender(): Promise<UdpSocket> {
  return bound({ multicastInterface: 'lo' }, { address: '0.0.0.0' })
}

/** Nothing came before `marker`, which is sent now to the socket itself. */
async function nothingBut(socket: UdpSocket, sender: UdpSocket, marker: string): Promise<void> {
  sender.send(marker, endpoint('127.0.0.1', socket.address().port))
  expect(texts(await received(socket))).toEqual([marker])
}
