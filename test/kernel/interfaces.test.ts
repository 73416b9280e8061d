import { networkInterfaces } from 'node:os'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { InterfaceMonitor, UdpSocket, capabilities, interfaces } from '../../src/index.js'

test('a snapshot has what Node tells, and more', () => {
  const ours = interfaces().flatMap(({ name, addresses }) =>
    addresses.map(({ address, prefixLength }) => `${name} ${address}/${prefixLength}`),
  )
  const theirs = Object.entries(networkInterfaces()).flatMap(([name, list]) => (list ?? []).map(({ cidr }) => `${name} ${cidr}`))
  expect(ours).toEqual(expect.arrayContaining(theirs))
  expect(interfaces().find(({ loopback }) => loopback)).toMatchObject({ name: 'lo', index: 1, up: true, mtuBytes: 65_536 })
})

test('a snapshot inside the handler of a batch leaves its views alone', async () => {
  const receiver = new UdpSocket({ type: 'udp4' })
  const { port } = await receiver.bind({ address: '127.0.0.1' })
  const sender = new UdpSocket()
  const payload = Buffer.alloc(60_000, 'geysir')
  const seen: { names: string[]; equal: boolean; count: number }[] = []
  receiver.on('batch', (batch) => {
    const names = interfaces().map(({ name }) => name)
    seen.push({ names, equal: batch.payload(0).equals(payload), count: batch.count })
  })
  const arrived = once(receiver, 'batch')
  sender.send(payload, { address: '127.0.0.1', port })
  await arrived
  const result = seen[0]!
  for (const socket of [sender, receiver]) socket.close()
  expect(result).toMatchObject({ equal: true, count: 1 })
  expect(result.names).toContain('lo')
})

test('the kernel tells of interfaces wherever it tells of datagrams, and a monitor can be left', async () => {
  const monitor = new InterfaceMonitor()
  expect(capabilities().interfaceEvents).toBe(monitor.source === 'netlink')
  expect(monitor.interfaces()).toEqual(interfaces())
  const closed = once(monitor, 'close')
  const changes = monitor[Symbol.asyncIterator]()
  const waiting = changes.next()
  monitor.close()
  expect(await waiting).toEqual({ done: true, value: undefined })
  await closed
})
