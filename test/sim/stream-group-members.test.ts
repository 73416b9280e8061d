import { describe, expect, test } from 'vitest'
import { fixedRate, type Peer, type Publication, type StreamError } from '../../src/stream/index.js'
import { SimulatedNetwork } from '../../src/testing/index.js'
import { nodeOn } from './support/stream-nodes.js'
import { GROUP, expectBalanced, joinAll, makeGroup, messageOf, openReceiver, pourAll, publish } from './support/stream-groups.js'

const control = fixedRate(1e6)
const bytes = (): number => 1000
const numbers = (from: number, end: number): number[] => Array.from({ length: end - from }, (_, i) => from + i)

/** Who is gone, and why. */
function watch(publication: Publication): { gone: string[]; closed: string | undefined } {
  const seen: { gone: string[]; closed: string | undefined } = { gone: [], closed: undefined }
  const codeOf = (error: StreamError | undefined): string => error?.reason ?? error?.code ?? 'fine'
  publication.on('receiverGone', (peer: Peer, error) => seen.gone.push(`${peer.name} ${codeOf(error)}`))
  publication.on('close', (error) => (seen.closed = codeOf(error)))
  return seen
}

describe.each([
  ['a list', {}],
  ['a multicast group', { group: GROUP }],
])('to %s', (_name, where) => {
  test('a late receiver gets what comes from now on, or all that is still there, from a whole message on', async () => {
    const network = new SimulatedNetwork(1, { path: { latencyMs: 2, lossProbability: 0.02 } })
    const made = await makeGroup(network, 1)
    const early = made.receivers[0]!
    const late = [openReceiver(network.addHost({ name: 'late' }), {}), openReceiver(network.addHost({ name: 'later' }), {})]
    made.receivers.push(...late)
    await joinAll(made, late)
    const publication = made.sender.openGroup({ ...where, congestionControl: control, windowBytes: 1 << 20 })
    publication.add(early.peer)
    const seen = watch(publication)
    // Long messages: the others come in the middle of one.
    let sent = 0
    const send = (end: number): void => {
      while (sent < end && publication.send(messageOf(sent, 20_000))) sent++
      if (sent === 60) publication.end()
    }
    publication.on('drain', () => send(60))
    send(40)
    await network.clock.advanceAsync(200)
    expect(early.received.length).toBeGreaterThan(0)
    expect(early.received.length).toBeLessThan(40)
    publication.add(late[0]!.peer)
    publication.add(late[1]!.peer, { from: 'oldest' })
    send(60)
    await network.clock.runUntilTrueAsync(() => seen.closed !== undefined, 60_000)
    expect(() => publication.add(early.peer)).toThrow('publication is closed')
    expect(early.received).toEqual(numbers(0, 60))
    const [now, oldest] = late.map(({ received }) => received)
    expect(now).toEqual(numbers(now![0]!, 60))
    expect(oldest).toEqual(numbers(oldest![0]!, 60))
    expect(now![0]!).toBeGreaterThan(0)
    expect(oldest![0]!).toBeLessThanOrEqual(now![0]!)
    expect({ ...seen, gone: seen.gone.sort() }).toEqual({ gone: ['host2 fine', 'late fine', 'later fine'], closed: 'fine' })
    await network.clock.advanceAsync(2000)
    expectBalanced(made)
    made.close()
  })

  test('receivers leave, are removed, refuse, die and start anew; the others get everything', async () => {
    const network = new SimulatedNetwork(2, { path: { latencyMs: 2, lossProbability: 0.01 } })
    const made = await makeGroup(network, 6, { keepAliveMs: 200, peerTimeoutMs: 1000 })
    const [, leaver, removed, refuser, dead, restarted] = made.receivers
    refuser!.node.removeAllListeners('stream')
    const publication = publish(made, { ...where, congestionControl: control, windowBytes: 100_000 })
    const seen = watch(publication)
    pourAll(publication, 3000, bytes)
    await network.clock.advanceAsync(300)
    expect(await leaver!.stream!.close()).toBe(false)
    expect(publication.remove(removed!.peer)).toBe(true)
    expect(publication.remove(removed!.peer)).toBe(false)
    dead!.host.stop()
    restarted!.host.restart()
    const again = openReceiver(restarted!.host, { keepAliveMs: 200, peerTimeoutMs: 1000 })
    await network.clock.runUntilTrueAsync(() => seen.closed !== undefined, 60_000)
    expect(seen.gone.sort()).toEqual([
      'host2 fine',
      'host3 cancelled',
      'host4 fine',
      'host5 refused',
      'host6 ERR_PEER_SILENT',
      'host7 ERR_PEER_RESTARTED',
    ])
    expect(seen.closed).toBe('fine')
    expect(made.receivers[0]!.received).toEqual(numbers(0, 3000))
    expect(removed!.error).toMatchObject({ code: 'ERR_STREAM_RESET', reason: 'cancelled' })
    again.node.destroy()
    await network.clock.advanceAsync(3000)
    expectBalanced({ ...made, receivers: made.receivers.slice(0, 4) })
    made.close()
  })

  test('a receiver that was removed can be added again', async () => {
    const network = new SimulatedNetwork(3, { path: { latencyMs: 2 } })
    const made = await makeGroup(network, 2)
    const publication = publish(made, { ...where, congestionControl: control })
    for (const number of numbers(0, 10)) publication.send(messageOf(number, 100))
    await network.clock.advanceAsync(100)
    publication.remove(made.receivers[1]!.peer)
    for (const number of numbers(10, 20)) publication.send(messageOf(number, 100))
    await network.clock.advanceAsync(100)
    publication.add(made.receivers[1]!.peer)
    for (const number of numbers(20, 30)) publication.send(messageOf(number, 100))
    const closed = publication.close()
    await network.clock.advanceAsync(1000)
    expect(await closed).toBe(true)
    expect(made.receivers[0]!.received).toEqual(numbers(0, 30))
    expect(made.receivers[1]!.received).toEqual([...numbers(0, 10), ...numbers(20, 30)])
    made.close()
  })

  test('a sender that starts anew ends its old streams, and new ones start clean', async () => {
    const network = new SimulatedNetwork(4, { path: { latencyMs: 2 } })
    const options = { keepAliveMs: 200, peerTimeoutMs: 1000 }
    const made = await makeGroup(network, 3, options)
    const publication = publish(made, { ...where, congestionControl: control })
    pourAll(publication, 1000, bytes)
    await network.clock.advanceAsync(200)
    made.senderHost.restart()
    // What is under way arrives.
    await network.clock.advanceAsync(10)
    const sender = nodeOn(made.senderHost, options, { port: GROUP.port })
    const anew = { ...made, sender: sender.node }
    const before = made.receivers.map(({ received }) => received.splice(0))
    for (const { length } of before) expect(length).toBeGreaterThan(0)
    await joinAll(anew, made.receivers)
    for (const { error } of made.receivers) expect(error).toMatchObject({ code: 'ERR_PEER_RESTARTED' })
    const next = publish(anew, { ...where, congestionControl: control })
    pourAll(next, 100, bytes)
    await network.clock.advanceAsync(3000)
    for (const { received } of made.receivers) expect(received).toEqual(numbers(0, 100))
    await network.clock.advanceAsync(2000)
    expectBalanced(anew)
    anew.close()
  })

  test('a partition that heals in time costs nobody a message', async () => {
    const network = new SimulatedNetwork(5, { path: { latencyMs: 2, lossProbability: 0.01 } })
    const made = await makeGroup(network, 4, { keepAliveMs: 500, peerTimeoutMs: 10_000 })
    const publication = publish(made, { ...where, congestionControl: control, windowBytes: 200_000 })
    const seen = watch(publication)
    pourAll(publication, 2000, bytes)
    await network.clock.advanceAsync(300)
    const parted = made.receivers.slice(0, 2).map(({ host }) => host)
    const partition = network.partition(parted, [made.senderHost])
    await network.clock.advanceAsync(5000)
    expect(publication.closed).toBe(false)
    partition.heal()
    await network.clock.runUntilTrueAsync(() => seen.closed !== undefined, 60_000)
    for (const { received } of made.receivers) expect(received).toEqual(numbers(0, 2000))
    made.close()
  })
})

test('a receiver that multicast does not reach gets everything by its own address', async () => {
  const network = new SimulatedNetwork(9, { path: { latencyMs: 2 } })
  const made = await makeGroup(network, 3)
  made.receivers[0]!.link.leaveGroup(GROUP.address)
  const publication = publish(made, { group: GROUP, congestionControl: control })
  const seen = watch(publication)
  pourAll(publication, 50, bytes)
  await network.clock.runUntilTrueAsync(() => seen.closed !== undefined, 60_000)
  for (const { received } of made.receivers) expect(received).toEqual(numbers(0, 50))
  made.close()
})

test('a receiver whose path is too narrow for the group gets everything in pieces, beside repairs for the others', async () => {
  const path = { latencyMs: 2, lossProbability: 0.02, duplicateProbability: 0.02 }
  const network = new SimulatedNetwork(11, { path })
  const made = await makeGroup(network, 4)
  const narrow = made.receivers[0]!
  network.setPath(made.senderHost, narrow.host, { ...path, mtuBytes: 1300, tooBig: 'drop' })
  const publication = publish(made, { group: GROUP, congestionControl: control })
  const seen = watch(publication)
  pourAll(publication, 100, () => 1400)
  await network.clock.runUntilTrueAsync(() => seen.closed !== undefined, 60_000)
  expect(seen.closed).toBe('fine')
  for (const { received } of made.receivers) expect(received).toEqual(numbers(0, 100))
  expect(narrow.peer.stats().frameBytes).toBeLessThan(1400)
  made.close()
})

test('fire and forget to a list notices that the path to a receiver has become narrower', async () => {
  const path = { latencyMs: 2 }
  const network = new SimulatedNetwork(11, { path })
  const made = await makeGroup(network, 3)
  const narrow = made.receivers[0]!
  const publication = publish(made, { kind: 'fireAndForget', congestionControl: control })
  await network.clock.advanceAsync(100)
  network.setPath(made.senderHost, narrow.host, { ...path, mtuBytes: 1300, tooBig: 'drop' })
  let sent = 0
  const sendFor = async (seconds: number): Promise<number[]> => {
    const before = made.receivers.map(({ received }) => received.length)
    for (let i = 0; i < 10 * seconds; i++) {
      publication.send(messageOf(sent++, publication.maxMessageBytes))
      await network.clock.advanceAsync(100)
    }
    return made.receivers.map(({ received }, i) => received.length - before[i]!)
  }
  expect((await sendFor(10)).slice(1)).toEqual([100, 100])
  expect(await sendFor(10)).toEqual([100, 100, 100])
  expect(narrow.peer.stats().frameBytes).toBe(1232)
  network.setPath(made.senderHost, narrow.host, path)
  expect(await sendFor(60)).toEqual([600, 600, 600])
  expect(publication.maxMessageBytes).toBeGreaterThan(1400)
  made.close()
})

test('an end whose statuses are all lost is asked for one by one: who has forgotten the stream is not to be asked by the group', async () => {
  const network = new SimulatedNetwork(10, { path: { latencyMs: 2 } })
  const made = await makeGroup(network, 30)
  const publication = publish(made, { group: GROUP, congestionControl: control })
  const seen = watch(publication)
  pourAll(publication, 20, bytes, false)
  await network.clock.advanceAsync(500)
  for (const { host } of made.receivers) network.setPath(host, made.senderHost, { latencyMs: 2, lossProbability: 1 })
  publication.end()
  await network.clock.advanceAsync(500)
  expect(made.receivers.every(({ isEnded }) => isEnded)).toBe(true)
  expect(publication.receivers).toHaveLength(30)
  for (const { host } of made.receivers) network.setPath(host, made.senderHost, { latencyMs: 2 })
  await network.clock.runUntilTrueAsync(() => seen.closed !== undefined, 5000)
  expect(seen.closed).toBe('fine')
  expect(seen.gone).toEqual(made.receivers.map(({ host }) => `${host.name} fine`))
  made.close()
})

describe('a receiver that does not read', () => {
  async function slow(policy: 'wait' | 'drop' | { quorum: number }, slowCount: number): Promise<string[]> {
    const network = new SimulatedNetwork(6, { path: { latencyMs: 2, lossProbability: 0.01 } })
    const made = await makeGroup(network, 5)
    const publication = publish(made, {
      group: GROUP,
      congestionControl: control,
      windowBytes: 100_000,
      slowReceivers: policy,
      stallMs: 500,
    })
    const seen = watch(publication)
    await network.clock.runUntilTrueAsync(() => made.receivers.every(({ stream }) => stream !== undefined), 1000)
    for (const { stream } of made.receivers.slice(0, slowCount)) stream!.pause()
    pourAll(publication, 2000, bytes)
    await network.clock.advanceAsync(10_000)
    const kept = made.sender.stats().frameMemoryBytes
    expect(kept).toBeLessThanOrEqual(120_000)
    const fast = made.receivers.slice(slowCount)
    const state = [
      ...seen.gone.filter((line) => !line.endsWith('fine')).sort(),
      fast.every(({ received }) => received.length === 2000),
    ]
    for (const { stream } of made.receivers) stream!.resume()
    // Without receivers it waits for some.
    if (publication.receivers.length === 0) publication.reset()
    await network.clock.runUntilTrueAsync(() => publication.closed, 60_000)
    expect(fast.every(({ received }) => received.length === 2000)).toBe(true)
    await network.clock.advanceAsync(2000)
    expectBalanced(made)
    made.close()
    return state.map(String)
  }

  test('stops the others, or is dropped, or is dropped if most of the others read', async () => {
    expect(await slow('wait', 1)).toEqual(['false'])
    expect(await slow('drop', 1)).toEqual(['host2 ERR_RECEIVER_SLOW', 'true'])
    expect(await slow('drop', 5)).toHaveLength(6)
    expect(await slow({ quorum: 0.5 }, 2)).toEqual(['host2 ERR_RECEIVER_SLOW', 'host3 ERR_RECEIVER_SLOW', 'true'])
    expect(await slow({ quorum: 0.5 }, 3)).toEqual(['false'])
  })
})

describe('other kinds', () => {
  test('best effort to many: order, and gaps for what is missing; nobody holds anybody up', async () => {
    const network = new SimulatedNetwork(7, { path: { latencyMs: 2, lossProbability: 0.05 } })
    const made = await makeGroup(network, 5)
    const publication = publish(made, { group: GROUP, kind: 'bestEffort', congestionControl: control, windowBytes: 64 * 1462 })
    const seen = watch(publication)
    await network.clock.advanceAsync(100)
    made.receivers[0]!.stream!.pause()
    // Slower than the pace: what has left is kept for a while.
    for (const number of numbers(0, 1000)) {
      publication.send(messageOf(number, 1400))
      await network.clock.advanceAsync(2)
    }
    publication.end()
    await network.clock.advanceAsync(1000)
    made.receivers[0]!.stream!.resume()
    await network.clock.runUntilTrueAsync(() => seen.closed !== undefined, 60_000)
    expect(seen.closed).toBe('fine')
    for (const { received, gaps, isEnded } of made.receivers) {
      expect(received.length + gaps).toBe(1000)
      expect(isEnded).toBe(true)
    }
    expect(made.receivers[0]!.gaps).toBeGreaterThan(800)
    expect(made.receivers[1]!.received.length).toBeGreaterThan(990)
    await network.clock.advanceAsync(2000)
    expectBalanced(made)
    made.close()
  })

  test.each([
    ['a list', {}],
    ['a multicast group', { group: GROUP }],
  ])('fire and forget to %s', async (_name, where) => {
    const network = new SimulatedNetwork(8, { path: { latencyMs: 2, lossProbability: 0.1 } })
    const made = await makeGroup(network, 5)
    const publication = publish(made, { ...where, kind: 'fireAndForget', label: 'readings' })
    await network.clock.advanceAsync(100)
    for (const number of numbers(0, 500)) {
      publication.send(messageOf(number, 100), 3)
      await network.clock.advanceAsync(1)
    }
    const closed = publication.close()
    await network.clock.advanceAsync(5000)
    expect(await closed).toBe(true)
    for (const { received, isEnded, stream } of made.receivers) {
      expect(stream!.label).toBe('readings')
      expect(received.length).toBeGreaterThan(400)
      expect(received.length).toBeLessThan(500)
      expect(isEnded).toBe(true)
    }
    expectBalanced(made)
    made.close()
  })
})
