import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import {
  createChannelNode,
  multicastGroupForChannel,
  type ChannelMessage,
  type ChannelNode,
  type ChannelNodeOptions,
} from '../../src/index.js'

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
})
