import { EventEmitter, once } from 'node:events'
import { onTestFinished, expect, test } from 'vitest'
import { openService, UdpSocket, type Link, type Service, type ServiceBatch, type ServiceOptions } from '../../src/index.js'
import { fallbackProblem, lacking } from '../support/capabilities.js'
import { freePort } from '../support/link-ports.js'
import { failure, rejection } from '../unit/support/errors.js'

async function open(options: ServiceOptions): Promise<Service> {
  const service = await openService(options)
  onTestFinished(() => service.close())
  return service
}

interface Seen {
  text: string
  cast: string
  family: string
  secured: boolean
  interfaceIndex: number
  destination: string | undefined
  own: boolean
}

function seeing(service: Service): Seen[] {
  const seen: Seen[] = []
  service.on('batch', (batch: ServiceBatch) => {
    for (let i = 0; i < batch.count; i++) {
      const { cast, family, secured } = batch.place
      seen.push({
        text: batch.payload(i).toString(),
        cast,
        family,
        secured,
        interfaceIndex: batch.interfaceIndex(i),
        destination: batch.destination(i),
        own: batch.isOwn(i),
      })
    }
  })
  return seen
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 20_000) throw new Error('it did not happen')
    await new Promise(setImmediate)
  }
}

test('unicast of both families is observed with its interface, and own datagrams are known', async () => {
  const service = await open({})
  expect(service.places()).toEqual([
    { cast: 'unicast', family: 'IPv4', secured: false },
    { cast: 'unicast', family: 'IPv6', secured: false },
  ])
  const seen = seeing(service)
  const [four, six] = ['127.0.0.1', '::1'].map((address) => service.localEndpoints().find((local) => local.address === address)!)
  expect(service.localEndpoints()).toBe(service.localEndpoints())
  const stranger = new UdpSocket()
  onTestFinished(() => stranger.close())
  stranger.send('from a stranger', four)
  service.send('from me', four!)
  service.send('from me, six', six!)
  await until(() => seen.length === 3)
  const lo = service.interfaces().find(({ loopback }) => loopback)!.index
  const common = { cast: 'unicast', secured: false, interfaceIndex: lo }
  expect(seen).toContainEqual({ ...common, text: 'from a stranger', family: 'IPv4', destination: '127.0.0.1', own: false })
  expect(seen).toContainEqual({ ...common, text: 'from me', family: 'IPv4', destination: '127.0.0.1', own: true })
  expect(seen).toContainEqual({ ...common, text: 'from me, six', family: 'IPv6', destination: '::1', own: true })
})

test('groups are observed, exhibited to and left', async () => {
  const multicastPort = await freePort('127.0.0.1')
  const service = await open({ families: ['IPv4'], multicastPort, groups: ['239.79.1.1'] })
  const audits: string[] = []
  service.on('audit', ({ action, group }) => audits.push(`${action} ${group}`))
  const seen = seeing(service)
  const group = { address: '239.79.1.1', port: multicastPort }
  expect(service.sendMulticast('hello', group, { interfaces: ['lo'] })).toBe(1)
  await until(() => seen.length === 1)
  expect(seen).toMatchObject([{ text: 'hello', cast: 'multicast', family: 'IPv4', destination: '239.79.1.1', own: true }])
  service.leave('239.79.1.1')
  await until(() => audits.some((audit) => audit.startsWith('left')))
  failure(() => service.leave('239.79.1.1'), 'ERR_INVALID_STATE')
  failure(() => service.join('ff15::1'), 'ERR_INVALID_ARG_VALUE')
  failure(() => service.sendMulticast('x', { address: '10.0.0.1', port: 1 }), 'ERR_INVALID_ARG_VALUE')
  failure(() => service.sendMulticast('x', group, { interfaces: ['nowhere0'] }), 'ERR_INVALID_ARG_VALUE')
  failure(() => service.send('x', { address: '::1', port: 1 }), 'ERR_INVALID_ARG_VALUE', /unicast socket of IPv6/)
})

test('unicast and groups may share a port, as those of mDNS do', async () => {
  const port = await freePort('127.0.0.1')
  const service = await open({ families: ['IPv4'], unicastPort: port, multicastPort: port, groups: ['239.79.1.2'] })
  const seen = seeing(service)
  const stranger = new UdpSocket({ multicastInterface: 'lo' })
  onTestFinished(() => stranger.close())
  stranger.send('unicast', { address: '127.0.0.1', port })
  stranger.send('multicast', { address: '239.79.1.2', port })
  await until(() => seen.length === 2)
  expect(seen.map(({ text, cast }) => [text, cast]).sort()).toEqual([
    ['multicast', 'multicast'],
    ['unicast', 'unicast'],
  ])
})

test('a secured twin is whatever the user makes of its socket', async () => {
  const service = await open({
    families: ['IPv4'],
    securePort: 0,
    // A link that is a socket, and nothing else: what security is, is none of the service's business.
    secure: (socket, place) => {
      expect(place).toEqual({ cast: 'unicast', family: 'IPv4', secured: true })
      return socket
    },
  })
  const seen = seeing(service)
  const [, secured] = service.localEndpoints().filter(({ address }) => address === '127.0.0.1')
  service.send('secret', secured!, { secured: true })
  await until(() => seen.length === 1)
  expect(seen).toMatchObject([{ text: 'secret', secured: true }])
})

test.skipIf(lacking('the addon', fallbackProblem()))('a secured twin that cannot be made leaves nothing open', async () => {
  const sockets: Link[] = []
  const secure = (socket: Link): never => {
    sockets.push(socket)
    throw new Error('no key')
  }
  await expect(openService({ families: ['IPv4'], securePort: 0, secure })).rejects.toThrow('no key')
  expect(sockets.map(({ closed }) => closed)).toEqual([true])
})

test('an abort before it is open closes it when it is open', async () => {
  const controller = new AbortController()
  const opening = openService({ families: ['IPv4'], signal: controller.signal })
  controller.abort()
  expect((await opening).closed).toBe(true)
  expect((await openService({ families: ['IPv4'], signal: controller.signal })).closed).toBe(true)
})

test('closing settles everything at once', async () => {
  const controller = new AbortController()
  const service = await open({ multicastPort: await freePort('127.0.0.1'), groups: ['239.79.1.3'], signal: controller.signal })
  const next = service[Symbol.asyncIterator]().next()
  const closed = once(service as EventEmitter, 'close')
  controller.abort()
  expect(await next).toEqual({ done: true, value: undefined })
  await closed
  await service[Symbol.asyncDispose]()
  for (const call of [
    () => service.places(),
    () => service.localEndpoints(),
    () => service.interfaces(),
    () => service.send('x', { address: '127.0.0.1', port: 1 }),
    () => service.sendMulticast('x', { address: '239.0.0.1', port: 1 }),
    () => service.join('239.0.0.1'),
    () => service.leave('239.0.0.1'),
    () => service[Symbol.asyncIterator](),
  ]) {
    failure(call, 'ERR_CLOSED')
  }
  expect(service.stats().unicast.length).toBe(2)
})

test.skipIf(lacking('the addon', fallbackProblem()))('a port that is taken rejects, and wrong options are refused', async () => {
  const socket = new UdpSocket()
  onTestFinished(() => socket.close())
  const { port } = await socket.bind()
  await rejection(openService({ families: ['IPv4'], unicastPort: port }), 'EADDRINUSE')
  failure(() => openService({ ports: 1 } as never), 'ERR_INVALID_ARG_VALUE', /ports/)
  failure(() => openService({ families: [] }), 'ERR_INVALID_ARG_TYPE')
  failure(() => openService({ families: ['IPX' as never] }), 'ERR_INVALID_ARG_VALUE')
  failure(() => openService({ groups: ['239.0.0.1'] }), 'ERR_INVALID_ARG_VALUE', /multicastPort/)
  failure(() => openService({ groups: ['10.0.0.1'], multicastPort: 1 }), 'ERR_INVALID_ARG_VALUE', /multicast addresses/)
  failure(() => openService({ securePort: 1 }), 'ERR_INVALID_ARG_VALUE', /secure/)
  failure(() => openService({ multicastTtl: 0 }), 'ERR_OUT_OF_RANGE')
})
