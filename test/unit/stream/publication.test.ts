import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeControl, type ControlFrame } from '../../../src/stream/control-frame.js'
import { writeHeader } from '../../../src/stream/header.js'
import { NOBODY, type NodeId } from '../../../src/stream/node-id.js'
import { createNode, type Peer, type Stream, type StreamNode } from '../../../src/stream/index.js'
import {
  DATA,
  DATA_HEADER_BYTES,
  FLAG,
  HEADER_BYTES,
  KIND,
  OPEN_OPTION,
  TYPE,
  VERSION,
  WHOLE_CHUNK,
} from '../../../src/stream/wire.js'
import { SimulatedNetwork, type SimulatedLink } from '../../../src/testing/index.js'
import { failure } from '../support/errors.js'

const GROUP = { address: '239.1.2.3', port: 7000 }
let network: SimulatedNetwork
let sender: StreamNode
let receiver: StreamNode
let senderLink: SimulatedLink
let link: SimulatedLink
let peer: Peer
let streams: Stream[]

beforeEach(async () => {
  network = new SimulatedNetwork(1)
  const [one, other] = [network.addHost(), network.addHost()]
  senderLink = one.openLink({ port: GROUP.port })
  senderLink.joinGroup(GROUP.address)
  link = other.openLink({ port: GROUP.port })
  link.joinGroup(GROUP.address)
  sender = createNode({ link: senderLink, clock: one.clock, random: one.random })
  receiver = createNode({ link, clock: other.clock, random: other.random })
  streams = []
  receiver.on('stream', (stream) => {
    streams.push(stream)
    stream.on('message', () => undefined)
  })
  const joined = sender.connect({ address: other.addressOf(), port: GROUP.port })
  await network.clock.advanceAsync(100)
  peer = await joined
})

afterEach(() => {
  sender.destroy()
  receiver.destroy()
})

describe('options', () => {
  test.each<[string, object, string]>([
    ['an unknown option', { allowHalfOpen: true }, 'ERR_INVALID_ARG_VALUE'],
    ['an order that is not to be had', { ordered: false }, 'ERR_INVALID_ARG_VALUE'],
    ['a congestion control that is none', { congestionControl: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['a group that is none', { group: { address: '10.0.0.1', port: 1 } }, 'ERR_INVALID_ARG_VALUE'],
    ['a group without a port', { group: { address: '239.1.1.1', port: 0 } }, 'ERR_OUT_OF_RANGE'],
    ['an unknown policy', { slowReceivers: 'hope' }, 'ERR_INVALID_ARG_VALUE'],
    ['a policy that is none', { slowReceivers: 7 }, 'ERR_INVALID_ARG_TYPE'],
    ['a quorum of more than all', { slowReceivers: { quorum: 1.5 } }, 'ERR_OUT_OF_RANGE'],
    ['a quorum that is no number', { slowReceivers: { quorum: '1' } }, 'ERR_INVALID_ARG_TYPE'],
    ['a negative stall', { stallMs: -1 }, 'ERR_OUT_OF_RANGE'],
    ['frames that are too short', { frameBytes: 1199 }, 'ERR_OUT_OF_RANGE'],
    ['frames that are too long', { frameBytes: 1473 }, 'ERR_OUT_OF_RANGE'],
    ['a kind that is none', { kind: 'perfect' }, 'ERR_INVALID_ARG_VALUE'],
    ['a signal that is none', { signal: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ])('%s', (_name, options, code) => {
    expect(failure(() => sender.openGroup(options)).code).toBe(code)
  })

  test('of a node', () => {
    const options = { link: senderLink, groupLink: {} } as never
    expect(failure(() => createNode(options)).code).toBe('ERR_INVALID_ARG_TYPE')
  })
})

test('receivers are peers, once, and only while it is open', async () => {
  const publication = sender.openGroup({ group: GROUP })
  expect(failure(() => publication.add({} as Peer)).code).toBe('ERR_INVALID_ARG_TYPE')
  expect(failure(() => publication.add(peer, { from: 'then' as 'now' })).code).toBe('ERR_INVALID_ARG_VALUE')
  publication.add(peer)
  await network.clock.advanceAsync(100)
  const peerOfTheOther = streams[0]!.peer as Peer
  expect(failure(() => publication.add(peerOfTheOther)).code).toBe('ERR_INVALID_ARG_VALUE')
  expect(failure(() => publication.add(peer)).code).toBe('ERR_INVALID_STATE')
  expect(publication.receivers).toMatchObject([{ peer, isOpen: true, lagPackets: 0, lossRate: 0 }])
  expect(failure(() => publication.send(Buffer.alloc((16 << 20) + 1))).code).toBe('ERR_OUT_OF_RANGE')
  expect(failure(() => publication.send('x', 256)).code).toBe('ERR_OUT_OF_RANGE')
  const closed = publication.close()
  expect(failure(() => publication.send('x')).code).toBe('ERR_CLOSED')
  await network.clock.advanceAsync(1000)
  expect(await closed).toBe(true)
  expect(await publication.close()).toBe(true)
  expect(failure(() => publication.add(peer)).code).toBe('ERR_CLOSED')
})

test('a stream of a group can only be read', async () => {
  const publication = sender.openGroup({ group: GROUP, label: 'x' })
  publication.add(peer)
  publication.send('message')
  await network.clock.advanceAsync(1000)
  const [stream] = streams as [Stream]
  expect([stream.isGroup, stream.label, stream.stats().messagesReceived]).toEqual([true, 'x', 1])
  for (const misuse of [() => stream.send('x'), () => stream.end(), () => stream.duplex()]) {
    expect(failure(misuse).code).toBe('ERR_INVALID_STATE')
  }
  expect(publication.receivers).toMatchObject([{ isOpen: true, lagPackets: 0 }])
  // It is a member of the group itself.
  expect(sender.stats().dropped.ownFrame).toBeGreaterThan(0)
})

test('an abort, and the end of the node, end it for everybody', async () => {
  const controller = new AbortController()
  const ends: unknown[] = []
  const publications = [sender.openGroup({ group: GROUP, signal: controller.signal }), sender.openGroup()]
  for (const publication of publications) {
    publication.add(peer)
    publication.on('close', (error) => ends.push(error?.code))
  }
  await network.clock.advanceAsync(100)
  for (const stream of streams) stream.on('close', (error) => ends.push(error?.reason ?? error?.code))
  controller.abort()
  await network.clock.advanceAsync(100)
  sender.destroy()
  await network.clock.advanceAsync(100)
  expect(ends).toEqual(['ABORT_ERR', 'cancelled', 'ERR_CLOSED', 'ERR_PEER_LEFT'])
})

test('frames to a group that make no sense are dropped, counted, and not answered', async () => {
  const publication = sender.openGroup({ group: GROUP })
  publication.add(peer)
  await network.clock.advanceAsync(100)
  const before = receiver.stats()
  const frame = (flags: number, type: number, body: number[], senderOf: StreamNode | undefined = undefined): Buffer => {
    const bytes = Buffer.alloc(HEADER_BYTES + body.length)
    bytes[0] = flags | FLAG.mark
    bytes[1] = type
    bytes[3] = VERSION
    if (senderOf === undefined) bytes.writeUInt32LE(77, 8)
    bytes.set(body, HEADER_BYTES)
    return bytes
  }
  const zeros = (count: number): number[] => new Array<number>(count).fill(0)
  for (const bytes of [
    frame(FLAG.numbered, 0, zeros(20)),
    frame(FLAG.opener, 0, zeros(4)),
    frame(FLAG.opener | FLAG.numbered, 0, zeros(20)),
    frame(FLAG.opener | FLAG.control, 17, zeros(28)),
    frame(FLAG.opener | FLAG.control, 18, [1, 0, 0, 0, ...zeros(13)]),
    frame(FLAG.opener | FLAG.control, 18, [1, 0, 0, 0, ...zeros(12), 1]),
    frame(FLAG.control, 18, [1, 0, 0, 0, ...zeros(12), 1]),
  ]) {
    senderLink.send(bytes, GROUP)
  }
  await network.clock.advanceAsync(100)
  const after = receiver.stats()
  expect(after.dropped).toMatchObject({ malformed: 4, short: 1, unknownPeer: 2 })
  expect(after.controlFramesSent).toBe(before.controlFramesSent)
})

test('what a receiver says of its stream that cannot be, or that is not its to say, is dropped and counted', async () => {
  const publication = sender.openGroup({ group: GROUP, initialPacket: 0 })
  publication.add(peer)
  await network.clock.advanceAsync(100)
  const stream = streams[0]!
  const say = (frame: ControlFrame): void => {
    const bytes = Buffer.alloc(700)
    writeHeader(bytes, FLAG.control, frame.type, 0, peer.id, (stream.peer as Peer).id)
    link.send(bytes.subarray(0, encodeControl(bytes, frame)), stream.peer.endpoint)
  }
  const status = { type: TYPE.status, stream: stream.id, next: 0, consumed: 0, highest: 0, beyond: 0, timestamp: 0, delay: 0 }
  for (const beyond of [{ next: 1 }, { consumed: 1 }, { beyond: 1 }]) say({ ...status, flags: 0, missed: 0, ...beyond })
  say({ type: TYPE.heartbeat, stream: stream.id, floor: 0, next: 9, timestamp: 1, flags: 1 })
  await network.clock.advanceAsync(100)
  expect(sender.stats().dropped).toEqual({ malformed: 3, wrongKind: 1 })
  expect(publication.receivers).toMatchObject([{ isOpen: true, lagPackets: 0 }])
  publication.reset()
})

test('a stream of a group can be unordered, as any other, if its sender says so', async () => {
  const stream = { stream: 5, kind: KIND.reliable, options: OPEN_OPTION.unordered, packet: 10, windowPackets: 64, label: '' }
  const terms = { group: 7, receivers: 1, backOff: 0 }
  const control = (frame: ControlFrame, to: NodeId): Buffer => {
    const bytes = Buffer.alloc(700)
    writeHeader(bytes, FLAG.control | FLAG.opener, frame.type, 0, senderId, to)
    return bytes.subarray(0, encodeControl(bytes, frame))
  }
  const data = (packet: number, text: string): Buffer => {
    const bytes = Buffer.alloc(DATA_HEADER_BYTES)
    writeHeader(bytes, FLAG.numbered | FLAG.opener, 0, 0, senderId, NOBODY)
    bytes.writeUInt32LE(terms.group, DATA.stream)
    bytes.writeUInt32LE(packet, DATA.packet)
    return Buffer.concat([bytes, Buffer.of(WHOLE_CHUNK, 0, text.length, 0), Buffer.from(text)])
  }
  const senderId = receiver.peers()[0]!.id
  senderLink.send(control({ type: TYPE.openGroup, ...stream, endpoint: '239.1.2.3:7000', ...terms }, peer.id), peer.endpoint)
  await network.clock.advanceAsync(10)
  expect([streams[0]!.isGroup, streams[0]!.ordered]).toEqual([true, false])
  const seen: string[] = []
  streams[0]!.on('message', (message) => seen.push(String(message)))
  streams[0]!.on('end', () => seen.push('end'))
  const final = control({ type: TYPE.groupHeartbeat, floor: 10, next: 13, timestamp: 1, flags: 1, ...terms }, NOBODY)
  for (const frame of [data(12, 'last'), data(10, 'first'), data(12, 'last'), final, data(11, 'middle')]) {
    senderLink.send(frame, GROUP)
    await network.clock.advanceAsync(10)
  }
  expect(seen).toEqual(['last', 'first', 'middle', 'end'])
})
