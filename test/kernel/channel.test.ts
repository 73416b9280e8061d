import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import {
  createChannelNode,
  multicastGroupForChannel,
  observeChannels,
  type ChannelMessage,
  type ChannelNode,
  type ChannelNodeOptions,
} from '../../src/index.js'
import { VirtualClock } from '../../src/testing/index.js'
import { thrownBy } from '../support/sockets.js'

// Everything goes by loopback, so that nothing leaves this host and the machine's own interfaces do not matter.
describe('channels on loopback', () => {
  const open: ChannelNode[] = []
  const plain: Socket[] = []

  afterEach(() => {
    for (const node of open.splice(0)) node.close()
    for (const socket of plain.splice(0)) socket.close()
  })

  async function freePort(): Promise<number> {
    const socket = createSocket('udp4').bind(0)
    await once(socket, 'listening')
    const { port } = socket.address()
    await new Promise<void>((resolve) => socket.close(resolve))
    return port
  }

  function node(port: number, options: Partial<ChannelNodeOptions> = {}): ChannelNode {
    const made = createChannelNode({ port, interfaces: ['lo'], ...options })
    open.push(made)
    return made
  }

  /** The texts of the next `count` messages. */
  async function texts(messages: AsyncIterable<ChannelMessage>, count: number): Promise<string[]> {
    const found: string[] = []
    for await (const { payload } of messages) if (found.push(payload.toString()) === count) break
    return found
  }

  test('what is published comes to every subscriber of the name, to the publisher as well', async () => {
    const port = await freePort()
    const [one, other] = [node(port), node(port)]
    const subscriptions = [one, other, other].map((each) => each.channel('weather').subscribe())
    for (const text of ['rain', 'sun', 'snow']) expect(one.channel('weather').publish(text)).toBe(true)
    for (const subscription of subscriptions) expect(await texts(subscription, 3)).toEqual(['rain', 'sun', 'snow'])
  })

  test('a message has source, sequence and lead', async () => {
    const port = await freePort()
    const [one, other] = [node(port), node(port)]
    const subscription = other.channel('a').subscribe()
    for (let i = 0; i < 3; i++) one.channel('a').publish(`${i}`)
    const heard: ChannelMessage[] = []
    for await (const message of subscription) if (heard.push(message) === 3) break
    expect(heard.map(({ sequence, lead }) => [sequence, lead])).toEqual([[0, 1], [1, 1], [2, 1]]) // prettier-ignore
    expect(new Set(heard.map(({ source }) => source.toString())).size).toBe(1)
    expect(heard[0]!.source.address).toBe('127.0.0.1')
  })

  test('a handler gets views; what it throws is an uncaught exception, and costs nobody a message', async () => {
    const port = await freePort()
    const [one, other] = [node(port), node(port)]
    const heard: string[] = []
    const thrown: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => thrown.push(error))
    try {
      other.channel('a').subscribe(({ payload }) => {
        heard.push(payload.toString())
        if (heard.length === 1) throw new Error('mine')
      })
      const also = other.channel('a').subscribe()
      for (const text of ['1', '2']) one.channel('a').publish(text)
      expect(await texts(also, 2)).toEqual(['1', '2'])
      expect(heard).toEqual(['1', '2'])
      expect(thrown).toEqual([new Error('mine')])
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of listeners) process.on('uncaughtException', listener)
    }
  })

  test('is on the wire as the document says, in both directions', async () => {
    const port = await freePort()
    const name = `wire/${process.pid}`
    const group = multicastGroupForChannel(name)
    const peer = createSocket({ type: 'udp4', reuseAddr: true })
    plain.push(peer)
    peer.bind(port, group)
    await once(peer, 'listening')
    peer.addMembership(group, '127.0.0.1')
    peer.setMulticastInterface('127.0.0.1')

    const mine = node(port)
    const channel = mine.channel(name)
    channel.publish('first')
    channel.publish(Buffer.from([0, 255]))
    const arrived: Buffer[] = []
    await new Promise<void>((resolve) => peer.on('message', (datagram) => arrived.push(datagram) === 2 && resolve()))
    const header = Buffer.concat([Buffer.from('PULI'), Buffer.of(name.length), Buffer.from(name)])
    expect(arrived[0]).toEqual(Buffer.concat([header, Buffer.of(0, 0, 0, 0), Buffer.from('first')]))
    expect(arrived[1]).toEqual(Buffer.concat([header, Buffer.of(0, 0, 0, 1), Buffer.of(0, 255)]))

    const subscription = channel.subscribe()
    peer.send(Buffer.concat([header, Buffer.of(0xff, 0xff, 0xff, 0xff), Buffer.from('back')]), port, group)
    for await (const { payload, sequence, lead } of subscription) {
      expect([payload.toString(), sequence, lead]).toEqual(['back', 0xffff_ffff, 1])
      break
    }
  })

  test('two names with one group are kept apart, and share the membership', async () => {
    const port = await freePort()
    const [one, other] = [node(port), node(port)]
    const [first, second] = ['sensor/10000', 'sensor/24641'] as const
    expect(multicastGroupForChannel(first)).toBe(multicastGroupForChannel(second))
    const subscription = other.channel(first).subscribe()
    one.channel(second).publish('not for you')
    one.channel(first).publish('for you')
    expect(await texts(subscription, 1)).toEqual(['for you'])
    const alone = other.stats()
    expect([alone.otherChannels, alone.membership.groups]).toEqual([1, 0])
    const both = [first, second].map((name) => other.channel(name).subscribe())
    for (const name of [first, second]) one.channel(name).publish(`in ${name}`)
    expect(await Promise.all(both.map((each) => texts(each, 1)))).toEqual([[`in ${first}`], [`in ${second}`]])
  })

  test('in 500 channels of one process each hears its own', async () => {
    const port = await freePort()
    const [one, other] = [node(port), node(port)]
    const heard = new Map<string, string[]>()
    let count = 0
    const all = new Promise<void>((resolve) => {
      for (let i = 0; i < 500; i++) {
        const channel = other.channel(`many/${i}`)
        channel.subscribe(({ payload }) => {
          heard.set(channel.name, [...(heard.get(channel.name) ?? []), payload.toString()])
          if (++count === 1000) resolve()
        })
      }
    })
    for (let i = 0; i < 500; i++) for (const text of ['a', 'b']) one.channel(`many/${i}`).publish(`${text}${i}`)
    await all
    for (let i = 0; i < 500; i++) expect(heard.get(`many/${i}`)).toEqual([`a${i}`, `b${i}`])
    const { membership, otherChannels } = other.stats()
    expect([membership.groups, otherChannels]).toEqual([500, 0])
    expect(one.channel('many/0').stats()).toMatchObject({ datagramsSent: 2, sendSockets: 1 })
  })

  describe('from a source that is written by hand', () => {
    /** Sends datagrams of a channel with the sequence numbers that it is told. */
    async function source(port: number, name: string): Promise<(...sequences: number[]) => void> {
      const socket = createSocket('udp4')
      plain.push(socket)
      socket.bind(0, '127.0.0.1')
      await once(socket, 'listening')
      socket.setMulticastInterface('127.0.0.1')
      const header = Buffer.concat([Buffer.from('PULI'), Buffer.of(name.length), Buffer.from(name)])
      return (...sequences) => {
        for (const sequence of sequences) {
          const number = Buffer.alloc(4)
          number.writeUInt32BE(sequence)
          socket.send(Buffer.concat([header, number, Buffer.from(`${sequence}`)]), port, multicastGroupForChannel(name))
        }
      }
    }

    test('gaps are events, late and double ones are counted, and an ordered subscriber sees neither', async () => {
      const port = await freePort()
      const send = await source(port, 'a')
      const channel = node(port).channel('a')
      const gaps: number[][] = []
      channel.on('gap', ({ missing, sequence }) => gaps.push([missing, sequence]))
      const [all, ordered] = [channel.subscribe(), channel.subscribe({ ordered: true })]
      send(10, 11, 14, 12, 14, 12, 13, 15, 20)
      expect(await texts(all, 9)).toEqual(['10', '11', '14', '12', '14', '12', '13', '15', '20'])
      expect(await texts(ordered, 5)).toEqual(['10', '11', '14', '15', '20'])
      expect(gaps).toEqual([[2, 14], [4, 20]]) // prettier-ignore
      expect(channel.stats()).toMatchObject({ gaps: 2, missing: 6, late: 2, duplicates: 2, restarts: 0, datagramsReceived: 9 })
    })

    test('a restart is noticed', async () => {
      const port = await freePort()
      const send = await source(port, 'a')
      const channel = node(port).channel('a')
      const restarts: [string, number][] = []
      channel.on('restart', (endpoint, sequence) => restarts.push([endpoint.address, sequence]))
      const ordered = channel.subscribe({ ordered: true })
      send(70_000, 70_001, 0, 1, 2)
      expect(await texts(ordered, 5)).toEqual(['70000', '70001', '0', '1', '2'])
      expect(restarts).toEqual([['127.0.0.1', 0]])
    })

    test('it is forgotten when nobody subscribes any more', async () => {
      const port = await freePort()
      const send = await source(port, 'a')
      const channel = node(port).channel('a')
      const first = channel.subscribe()
      send(5, 6)
      await texts(first, 2)
      expect([channel.sources(), channel.stats().sources, node(port).channel('a').sources()]).toEqual([[], 0, []])
      const second = channel.subscribe()
      send(3)
      for await (const { lead } of second) {
        expect(lead).toBe(1)
        break
      }
      expect(channel.stats()).toMatchObject({ datagramsReceived: 3, late: 0, restarts: 0 })
    })

    test('it is forgotten after its silence', async () => {
      const port = await freePort()
      const send = await source(port, 'a')
      const clock = new VirtualClock()
      const channel = node(port, { clock, sourceExpiryMs: 10_000 }).channel('a')
      const leads: number[] = []
      const all = channel.subscribe()
      const next = async (sequence: number): Promise<void> => {
        send(sequence)
        const iterator = all[Symbol.asyncIterator]()
        leads.push(((await iterator.next()).value as ChannelMessage).lead)
      }
      await next(5)
      clock.advance(7_400)
      await next(7)
      clock.advance(7_400)
      expect(channel.sources()).toMatchObject([{ datagrams: 2, sequence: 7, heardMs: 7_400 }])
      clock.advance(10_000)
      expect(channel.sources()).toEqual([])
      await next(8)
      expect([leads, channel.stats().sourcesExpired]).toEqual([[1, 2, 1], 1])
    })

    test('what is no datagram of a channel is counted, and told', async () => {
      const port = await freePort()
      const send = await source(port, 'a')
      const receiver = node(port)
      const told: string[] = []
      receiver.on('malformed', (reason, endpoint, lengthBytes) => told.push(`${reason} ${endpoint.address} ${lengthBytes}`))
      const all = receiver.channel('a').subscribe()
      for (const bytes of ['', 'PULI', 'PULX\x01a\0\0\0\0', 'PULI\xff\0\0\0\0\0']) {
        plain[0]!.send(Buffer.from(bytes, 'latin1'), port, multicastGroupForChannel('a'))
      }
      send(1)
      await texts(all, 1)
      const { notPulicast, tooShort, truncatedDropped, otherChannels, undelivered, membership } = receiver.stats()
      expect({ notPulicast, tooShort, truncatedDropped, otherChannels, undelivered }).toEqual({
        ...{ notPulicast: 1, tooShort: 3, truncatedDropped: 0, otherChannels: 0, undelivered: 0 },
      })
      expect(membership.datagramsDelivered).toBe(receiver.channel('a').stats().datagramsReceived + 4)
      expect(told).toEqual(['tooShort 127.0.0.1 0'])
    })
  })

  test('a payload is written in place', async () => {
    const port = await freePort()
    const channel = node(port).channel('a')
    const all = channel.subscribe()
    const room = channel.reserve(100)!
    expect(room.length).toBe(100)
    room.write('in place')
    for (const call of [() => channel.publish('x'), () => channel.reserve(1)])
      expect(thrownBy(call).code).toBe('ERR_INVALID_STATE')
    expect(thrownBy(() => channel.commit(101)).code).toBe('ERR_INVALID_ARG_VALUE')
    channel.commit(8)
    expect(thrownBy(() => channel.commit()).code).toBe('ERR_INVALID_STATE')
    channel.reserve(5)!.write('never')
    channel.cancel()
    channel.cancel()
    expect(thrownBy(() => channel.commit()).code).toBe('ERR_INVALID_STATE')
    channel.publish('copied')
    expect(await texts(all, 2)).toEqual(['in place', 'copied'])
    expect(channel.stats()).toMatchObject({ datagramsPublished: 2, bytesPublished: 14, datagramsSent: 2 })
  })

  test('the longest payload arrives; a longer one is refused, without a number', async () => {
    const port = await freePort()
    const channel = node(port).channel('a')
    const all = channel.subscribe()[Symbol.asyncIterator]()
    expect(channel.maxPayloadBytes).toBe(65_507 - 10)
    expect(thrownBy(() => channel.publish(Buffer.alloc(65_498))).code).toBe('ERR_OUT_OF_RANGE')
    channel.publish(Buffer.alloc(65_497, 7))
    channel.publish('')
    expect((await all.next()).value!.payload.length).toBe(65_497)
    expect((await all.next()).value).toMatchObject({ sequence: 1, payload: Buffer.alloc(0) })
  })

  test('names are resolved in the namespace, and one name is one channel', async () => {
    const port = await freePort()
    const robot = node(port, { namespace: '/robot/arm', name: 'driver' })
    expect([robot.name, robot.namespace]).toEqual(['robot/arm/driver', 'robot/arm'])
    expect(robot.channel('../pose')).toBe(robot.channel('/robot/pose'))
    const all = node(port).channel('robot/pose').subscribe()
    robot.channel('../pose').publish('up')
    expect(await texts(all, 1)).toEqual(['up'])
  })

  test('TTL 0 stays on this host, and is heard here', async () => {
    const port = await freePort()
    const [one, other] = [createChannelNode({ port, ttl: 0 }), createChannelNode({ port })]
    open.push(one, other)
    const all = other.channel('a').subscribe()
    one.channel('a').publish('here')
    expect(await texts(all, 1)).toEqual(['here'])
  })

  test('an interface that is not there is told and counted, and costs the others nothing', async () => {
    const port = await freePort()
    const channel = node(port, { interfaces: ['none0', 'lo', '127.0.0.1'] }).channel('a')
    const errors: Error[] = []
    channel.on('sendError', (error) => errors.push(error))
    const all = channel.subscribe()
    channel.publish('1')
    channel.publish('2')
    // Once each: the address is another name of lo.
    expect(await texts(all, 2)).toEqual(['1', '2'])
    expect(channel.stats()).toMatchObject({ datagramsPublished: 2, datagramsSent: 2, datagramsUnsent: 0, sendSockets: 1 })
    expect(errors).toMatchObject([{ code: 'ENODEV' }])
    const lost = node(port, { interfaces: ['none0'] }).channel('a')
    expect(lost.publish('x')).toBe(true)
    expect(lost.stats()).toMatchObject({ datagramsPublished: 1, datagramsUnsent: 1, datagramsSent: 0 })
  })

  test('closing ends everything at once', async () => {
    const port = await freePort()
    const controller = new AbortController()
    const mine = node(port, { signal: controller.signal })
    const channel = mine.channel('a')
    const waiting = channel.subscribe()[Symbol.asyncIterator]().next()
    const closed = [once(channel, 'close'), once(mine, 'close')]
    controller.abort()
    expect(await waiting).toEqual({ done: true, value: undefined })
    await Promise.all(closed)
    for (const call of [
      () => channel.publish('x'),
      () => channel.reserve(1),
      () => channel.commit(),
      () => channel.flush(),
      () => channel.subscribe(),
      () => mine.channel('a'),
    ]) {
      expect(thrownBy(call).code).toBe('ERR_CLOSED')
    }
    mine.close()
    expect([mine.closed, channel.closed, mine.stats().channels, channel.stats().subscriptions]).toEqual([true, true, 0, 0])
  })

  test('a closed channel can be made again, and leaves its group meanwhile', async () => {
    const port = await freePort()
    const mine = node(port)
    const first = mine.channel('a')
    first.subscribe(() => {})
    expect(mine.stats().membership.groups).toBe(1)
    first.close()
    expect(mine.stats().membership.groups).toBe(0)
    const second = mine.channel('a')
    expect(second).not.toBe(first)
    const all = second.subscribe()
    second.publish('again')
    expect(await texts(all, 1)).toEqual(['again'])
  })

  test.each([
    [{ port: 0 }, 'ERR_OUT_OF_RANGE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [{ port: 9, ttl: 256 }, 'ERR_OUT_OF_RANGE'],
    [{ port: 9, ttl: 0, loopback: false }, 'ERR_INVALID_ARG_VALUE'],
    [{ port: 9, interfaces: [] }, 'ERR_INVALID_ARG_VALUE'],
    [{ port: 9, interfaces: [0] }, 'ERR_OUT_OF_RANGE'],
    [{ port: 9, interfaces: 'eth0' }, 'ERR_INVALID_ARG_TYPE'],
    [{ port: 9, namespace: '..' }, 'ERR_INVALID_ARG_VALUE'],
    [{ port: 9, maxSources: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ port: 9, hops: 1 }, 'ERR_INVALID_ARG_VALUE'],
    [{ port: 9, receiveSocket: { type: 'udp6' } }, 'ERR_INVALID_ARG_VALUE'],
    [undefined, 'ERR_INVALID_ARG_TYPE'],
  ])('a node is refused for %j', (options, code) => {
    expect(thrownBy(() => createChannelNode(options as never)).code).toBe(code)
  })

  test('a channel is refused beyond the limit of the node, and misuse of it is refused', async () => {
    const mine = node(await freePort(), { maxChannels: 2 })
    const channel = mine.channel('a')
    mine.channel('b')
    expect(thrownBy(() => mine.channel('c')).code).toBe('ERR_INVALID_STATE')
    expect(mine.channel('a')).toBe(channel)
    expect(thrownBy(() => channel.publish(7 as never)).code).toBe('ERR_INVALID_ARG_TYPE')
    expect(thrownBy(() => channel.reserve(-1)).code).toBe('ERR_OUT_OF_RANGE')
    expect(thrownBy(() => channel.subscribe('x' as never)).code).toBe('ERR_INVALID_ARG_TYPE')
    expect(thrownBy(() => channel.subscribe(null as never)).code).toBe('ERR_INVALID_ARG_TYPE')
    expect(mine.stats().membership.groups).toBe(0)
  })

  test('an observer lists what programs of this host subscribe to, or what it is asked for', async () => {
    const port = await freePort()
    const [one, other] = [node(port), node(port)]
    const everything = observeChannels({ port })
    const named = observeChannels({ port, names: ['b'], interfaces: ['lo'] })
    try {
      const all = other.channel('a').subscribe()
      for (const text of ['x', 'yy']) one.channel('a').publish(text)
      one.channel('b').publish('zzz')
      await texts(all, 2)
      await expect.poll(() => [everything, named].map((each) => each.channels().length)).toEqual([2, 1])
      expect(everything.channels()).toMatchObject([
        { name: 'a', group: multicastGroupForChannel('a'), datagramsReceived: 2, bytesReceived: 3, sources: [{ datagrams: 2 }] },
        { name: 'b', datagramsReceived: 1 },
      ])
      expect(named.channels()).toMatchObject([{ name: 'b', bytesReceived: 3, missing: 0 }])
    } finally {
      everything.close()
      named.close()
    }
  })

  test('an observer tells so many channels apart, and counts the rest', async () => {
    const port = await freePort()
    const one = node(port)
    for (const name of ['a', 'b']) one.channel(name).subscribe(() => {})
    const observer = observeChannels({ port, maxChannels: 1 })
    try {
      one.channel('a').publish('x')
      one.channel('a').flush()
      await expect.poll(() => observer.channels().length).toBe(1)
      one.channel('b').publish('x')
      await expect.poll(() => observer.stats().otherChannels).toBe(1)
      expect(observer.channels().map(({ name }) => name)).toEqual(['a'])
      for (const options of [
        { port: 0 },
        { port, names: ['ä'] },
        { port, names: 'a' },
        { port, maxChannels: 0 },
        { port, signal: {} },
        { port, x: 1 },
      ]) {
        expect(thrownBy(() => observeChannels(options as never)).code).toMatch(/^ERR_/)
      }
    } finally {
      observer.close()
      observer.close()
    }
    await once(observer, 'close')
  })
})
