import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createNode, type NodeOptions, type Peer, type StreamNode } from '../../../src/stream/index.js'
import { SimulatedNetwork } from '../../../src/testing/index.js'
import { failure, rejection } from '../support/errors.js'

const network = new SimulatedNetwork(1)
const hosts = [network.addHost(), network.addHost()]
let nodes: StreamNode[] = []
let peer: Peer

function node(options: Partial<NodeOptions> = {}, port = 0): StreamNode {
  const host = hosts[nodes.length % 2]!
  const made = createNode({ link: host.openLink({ port }), clock: host.clock, random: host.random, ...options })
  nodes.push(made)
  return made
}

beforeEach(async () => {
  nodes = []
  const client = node()
  const port = 5000 + Math.floor(network.clock.nowMs() % 10_000)
  node({}, port)
  const joined = client.connect({ address: hosts[1]!.addressOf(), port })
  await network.clock.advanceAsync(100)
  peer = await joined
})

afterEach(() => {
  for (const made of nodes) made.destroy()
})

describe('options of nodes', () => {
  const link = hosts[0]!.openLink()

  test.each<[string, object, string]>([
    ['no link', {}, 'ERR_INVALID_ARG_TYPE'],
    ['a name that is none', { link, name: 7 }, 'ERR_INVALID_ARG_TYPE'],
    ['a long name', { link, name: 'x'.repeat(256) }, 'ERR_INVALID_ARG_VALUE'],
    ['an unknown option', { link, windowByte: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['a short secret', { link, secret: 'short' }, 'ERR_INVALID_ARG_VALUE'],
    ['a secret for another integrity', { link, secret: 'x'.repeat(16), integrity: 'crc32c' }, 'ERR_INVALID_ARG_VALUE'],
    ['a secret that is missing', { link, integrity: 'secret' }, 'ERR_INVALID_ARG_TYPE'],
    ['short frames', { link, frameBytes: 1199 }, 'ERR_OUT_OF_RANGE'],
    ['a timeout too short for its keep-alive', { link, keepAliveMs: 1000, peerTimeoutMs: 1999 }, 'ERR_OUT_OF_RANGE'],
  ])('%s is refused', (_, options, code) => {
    failure(() => createNode(options as NodeOptions), code)
  })

  test('an error about a secret does not show it', () => {
    expect(failure(() => createNode({ link, secret: 'hush' })).message).not.toContain('hush')
  })
})

describe('streams', () => {
  test('wrong options and messages are refused before anything happens', () => {
    failure(() => peer.openStream({ kind: 'sure' as 'reliable' }), 'ERR_INVALID_ARG_VALUE')
    failure(() => peer.openStream({ windowBytes: 0 }), 'ERR_OUT_OF_RANGE')
    failure(() => peer.openStream({ initialPacket: 2 ** 32 }), 'ERR_OUT_OF_RANGE')
    failure(() => peer.openStream({ size: 1 } as object), 'ERR_INVALID_ARG_VALUE')
    expect(peer.stats().streams).toBe(0)
    const stream = peer.openStream()
    failure(() => stream.send(7 as never), 'ERR_INVALID_ARG_TYPE')
    failure(() => stream.send('x', 256), 'ERR_OUT_OF_RANGE')
    failure(() => stream.send(Buffer.alloc((16 << 20) + 1)), 'ERR_OUT_OF_RANGE')
    expect(stream.stats().messagesSent).toBe(0)
  })

  test.each([
    { ordered: false },
    { kind: 'bestEffort' },
    { kind: 'bestEffort', ordered: false },
    { kind: 'fireAndForget' },
  ] as const)('no duplex of %j: bytes would be scrambled, or missing', (options) => {
    failure(() => peer.openStream(options).duplex(), 'ERR_INVALID_STATE')
  })

  test('what is closed says so', async () => {
    const stream = peer.openStream()
    stream.end()
    failure(() => stream.send('x'), 'ERR_CLOSED')
    stream.reset()
    stream.reset()
    expect(await stream.close()).toBe(false)
    peer.leave()
    failure(() => peer.openStream(), 'ERR_CLOSED')
    nodes[0]!.destroy()
    nodes[0]!.destroy()
    failure(() => nodes[0]!.flush(), 'ERR_CLOSED')
    failure(() => nodes[0]!.connect({ address: '10.0.0.1', port: 1 }), 'ERR_CLOSED')
    expect(nodes[0]!.stats().peers).toBe(0)
  })

  test('a connect that is under way ends with the node', async () => {
    const waiting = rejection(nodes[0]!.connect({ address: '10.0.9.9', port: 1 }), 'ERR_CLOSED')
    nodes[0]!.destroy()
    await waiting
  })

  test('who aborts a connect aborts nobody else’s', async () => {
    const controller = new AbortController()
    const endpoint = { address: '10.0.9.9', port: 1 }
    const other = rejection(nodes[0]!.connect(endpoint, { timeoutMs: 300 }), 'ERR_CONNECT_TIMEOUT')
    const aborted = rejection(nodes[0]!.connect(endpoint, { signal: controller.signal }), 'ABORT_ERR')
    controller.abort()
    await aborted
    await network.clock.advanceAsync(400)
    await other
  })

  test('an aborted stream ends with its error at once, and at the other side as cancelled', async () => {
    const seen: (string | undefined)[] = []
    nodes[1]!.on('stream', (stream) => stream.on('close', (error) => seen.push(error?.reason)))
    const controller = new AbortController()
    const stream = peer.openStream({ signal: controller.signal })
    await network.clock.advanceAsync(50)
    controller.abort()
    expect(stream.error?.code).toBe('ABORT_ERR')
    await network.clock.advanceAsync(50)
    expect(seen).toEqual(['cancelled'])
  })

  test('an exception of a handler is the program’s, and costs no message', async () => {
    const seen: string[] = []
    const uncaught: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => uncaught.push(error.message))
    nodes[1]!.on('stream', (stream) => {
      stream.on('message', (message) => {
        seen.push(message.toString())
        throw new Error(`at ${message.toString()}`)
      })
    })
    const stream = peer.openStream()
    for (const text of ['one', 'two', 'three']) stream.send(text)
    await network.clock.advanceAsync(50)
    await new Promise((resolve) => setImmediate(resolve))
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
    expect(seen).toEqual(['one', 'two', 'three'])
    expect(uncaught).toEqual(['at one', 'at two', 'at three'])
  })
})
