import { describe, expect, test } from 'vitest'
import { SimulatedNetwork, type SimulatedHost } from '../../src/testing/index.js'
import { arrivals, textsOf, twoHosts } from '../support/simulation.js'
import { failure } from '../unit/support/errors.js'
import { uncaughtDuring } from '../unit/support/turns.js'

describe('a partition', () => {
  test('separates its groups, and nobody else', () => {
    const network = new SimulatedNetwork(1)
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => network.addHost({ name })) as [
      SimulatedHost,
      SimulatedHost,
      SimulatedHost,
      SimulatedHost,
    ]
    const links = new Map([a, b, c, d].map((host) => [host, host.openLink({ port: 7 })]))
    const seen = new Map([a, b, c, d].map((host) => [host, arrivals(network, links.get(host)!)]))
    network.partition([a, b], [c])
    for (const from of links.keys())
      for (const to of links.keys()) links.get(from)!.send(`${from}${to}`, links.get(to)!.address())
    network.clock.runUntilIdle()
    expect(textsOf(seen.get(a)!).sort()).toEqual(['aa', 'ba', 'da'])
    expect(textsOf(seen.get(b)!).sort()).toEqual(['ab', 'bb', 'db'])
    expect(textsOf(seen.get(c)!).sort()).toEqual(['cc', 'dc'])
    expect(textsOf(seen.get(d)!).sort()).toEqual(['ad', 'bd', 'cd', 'dd'])
    expect(network.stats().dropped.partitioned).toBe(4)
  })

  test('loses what is on its way when it begins, and heals', () => {
    const { network, hostA, hostB, a, b } = twoHosts({ latencyMs: 10 })
    const seen = arrivals(network, b)
    a.send('on its way')
    network.clock.advance(5)
    const partition = network.partition([hostA], [hostB])
    network.clock.advance(20)
    a.send('inside')
    network.clock.advance(20)
    partition.heal()
    partition.heal()
    a.send('after')
    network.clock.runUntilIdle()
    expect(textsOf(seen)).toEqual(['after'])
    expect(network.stats().dropped.partitioned).toBe(2)
  })

  test('adds up with others, each healed by itself or all together', () => {
    const { network, hostA, hostB, a, b } = twoHosts()
    const seen = arrivals(network, b)
    const first = network.partition([hostA], [hostB])
    network.partition([hostB], [hostA])
    first.heal()
    a.send('still parted')
    network.clock.runUntilIdle()
    network.heal()
    a.send('healed')
    network.clock.runUntilIdle()
    expect(textsOf(seen)).toEqual(['healed'])
  })
})

describe('a paused host', () => {
  test('receives nothing until it goes on, and then all that found room', () => {
    const { network, hostB, a, b } = twoHosts()
    const seen = arrivals(network, b)
    hostB.pause()
    hostB.pause()
    for (const text of ['one', 'two']) a.send(text)
    network.clock.advance(100)
    expect(seen).toEqual([])
    expect(network.stats()).toMatchObject({ delivered: 0, inFlight: 2 })
    hostB.resume()
    hostB.resume()
    network.clock.runUntilIdle()
    expect(seen.map(({ timeMs, payload }) => `${payload}@${timeMs}`)).toEqual(['one@100', 'two@100'])
  })

  test('loses what its receive buffer has no room for', () => {
    const network = new SimulatedNetwork(1)
    const [hostA, hostB] = [network.addHost(), network.addHost()]
    const b = hostB.openLink({ receiveBufferBytes: 10 * (1000 + 256) })
    const a = hostA.openLink({ peer: b.address() })
    const seen = arrivals(network, b)
    hostB.pause()
    for (let i = 0; i < 15; i++) a.send(Buffer.alloc(1000))
    network.clock.advance(10)
    hostB.resume()
    network.clock.runUntilIdle()
    expect(seen.length).toBe(10)
    expect(network.stats().dropped.receiveBufferFull).toBe(5)
    expect(b.stats()).toMatchObject({ datagramsReceived: 10, receiveBufferDrops: 5 })
  })

  test('sends nothing: what is queued waits, and drain follows', () => {
    const { network, hostA, a, b } = twoHosts()
    const seen = arrivals(network, b)
    let drains = 0
    a.on('drain', () => drains++)
    hostA.pause()
    a.send('later')
    expect(a.flush()).toBe(false)
    network.clock.advance(50)
    expect([seen.length, drains]).toEqual([0, 0])
    hostA.resume()
    network.clock.runUntilIdle()
    expect(seen.map(({ timeMs }) => timeMs)).toEqual([51])
    expect(drains).toBe(1)
    hostA.pause()
    hostA.resume()
    network.clock.runUntilIdle()
    expect(drains).toBe(1)
  })

  test('runs its overdue timers when it goes on, in their order, and not those that were cancelled', () => {
    const network = new SimulatedNetwork(1)
    const host = network.addHost()
    const seen: string[] = []
    const note = (text: string) => () => seen.push(`${text}@${network.clock.nowMs()}`)
    host.clock.setTimer(note('second'), 20)
    host.clock.setTimer(note('first'), 10)
    host.clock.setTimer(note('later'), 200)
    const cancelled = host.clock.setTimer(note('cancelled'), 15)
    host.pause()
    network.clock.advance(100)
    cancelled.cancel()
    host.resume()
    network.clock.runUntilIdle()
    expect(seen).toEqual(['first@100', 'second@100', 'later@200'])
  })
})

describe('a host that restarts', () => {
  test('starts its program again, on the same port', () => {
    const network = new SimulatedNetwork(1)
    let starts = 0
    const server = network.addHost({
      start: (host) => {
        starts++
        const link = host.openLink({ port: 7 })
        const generation = starts
        link.on('batch', (batch) => {
          for (let i = 0; i < batch.count; i++) link.send(`start ${generation}`, batch.endpoint(i))
        })
      },
    })
    const client = network.addHost().openLink({ peer: { address: server.addressOf(), port: 7 } })
    const seen = arrivals(network, client)
    for (let i = 0; i < 2; i++) {
      client.send('?')
      network.clock.runUntilIdle()
      server.restart()
    }
    expect([starts, textsOf(seen)]).toEqual([3, ['start 1', 'start 2']])
  })

  test('closes its links, discards their queues, forgets its timers and groups; nothing of it runs on', async () => {
    const { network, hostB, a, b } = twoHosts()
    const seen = arrivals(network, b)
    const events: string[] = []
    b.on('close', () => events.push('close'))
    b.joinGroup('239.1.2.3')
    hostB.clock.setTimer(() => events.push('timer'), 5)
    const iteration = b[Symbol.asyncIterator]().next()
    b.send('never sent', a.address())
    a.send('too late')
    hostB.stop()
    hostB.stop()
    expect([b.closed, hostB.isUp]).toEqual([true, false])
    network.clock.runUntilIdle()
    expect((await iteration).done).toBe(true)
    expect([events, seen]).toEqual([['close'], []])
    expect(b.stats()).toMatchObject({ datagramsQueued: 1, datagramsDiscarded: 1 })
    expect(network.stats().dropped).toMatchObject({ hostDown: 1 })
    a.send('hello', { address: '239.1.2.3', port: 7 })
    network.clock.runUntilIdle()
    expect(network.stats().dropped).toMatchObject({ noMember: 1 })
  })

  test('does not get what waited in its receive buffers', () => {
    const { network, hostB, a, b } = twoHosts()
    a.send('waits')
    network.clock.runUntilIdle()
    hostB.restart()
    const seen = arrivals(network, hostB.openLink({ port: 7 }))
    network.clock.runUntilIdle()
    expect([seen, b.closed]).toEqual([[], true])
    expect(network.stats()).toMatchObject({ inFlight: 0, dropped: { linkClosed: 1 } })
  })

  test('while it is down, opens no link and cannot be paused', () => {
    const { hostB } = twoHosts()
    hostB.stop()
    failure(() => hostB.openLink(), 'ERR_INVALID_STATE')
    failure(() => hostB.pause(), 'ERR_INVALID_STATE')
    hostB.restart()
    hostB.openLink().close()
  })

  test('may be paused when it is stopped: its timers run again afterwards', () => {
    const { network, hostB } = twoHosts()
    const seen: string[] = []
    hostB.pause()
    hostB.restart()
    hostB.clock.setTimer(() => seen.push('timer'), 5)
    network.clock.runUntilIdle()
    expect([seen, hostB.isPaused]).toEqual([['timer'], false])
  })
})

describe('the clock of a host', () => {
  test('is ahead or behind by its offset, and runs faster or slower by its drift', () => {
    const network = new SimulatedNetwork(1)
    const exact = network.addHost()
    const skewed = network.addHost({ clock: { offsetMs: -2000, driftPpm: 1000 } })
    const startMicroseconds = network.clock.wallMicroseconds()
    network.clock.advance(10_000)
    expect(exact.clock.nowMs()).toBe(10_000)
    expect(exact.clock.wallMicroseconds()).toBe(network.clock.wallMicroseconds())
    expect(skewed.clock.nowMs()).toBeCloseTo(10_010, 6)
    expect(skewed.clock.wallMicroseconds()).toBe(startMicroseconds + 10_010_000 - 2_000_000)
  })

  test('sets timers by its own time', () => {
    const network = new SimulatedNetwork(1)
    const fast = network.addHost({ clock: { driftPpm: 250_000 } })
    let firedMs = 0
    fast.clock.setTimer(() => (firedMs = network.clock.nowMs()), 100)
    network.clock.runUntilIdle()
    expect([firedMs, fast.clock.nowMs()]).toEqual([80, 100])
  })

  test('has timers that can be cancelled and unref’d', () => {
    const network = new SimulatedNetwork(1)
    const { clock } = network.addHost()
    clock.setTimer(() => expect.unreachable(), 10).cancel()
    clock.setTimer(() => expect.unreachable(), 10).unref()
    network.clock.runUntilIdle()
    expect(network.clock.nowMs()).toBe(0)
  })
})

describe('a device with a limited rate', () => {
  test('gives back pressure: nothing is lost, and drain comes when all is with the device', () => {
    const { network, a, b } = twoHosts({ latencyMs: 0 }, 1, { bytesPerSecond: 100_000 })
    const small = a.unfragmentedBytes()
    expect(small).toBe(1472)
    const seen = arrivals(network, b)
    const drains: number[] = []
    a.on('drain', () => drains.push(network.clock.nowMs()))
    let taken = 0
    while (a.send(Buffer.alloc(972))) taken++
    expect(a.stats()).toMatchObject({ datagramsQueued: taken, datagramsRefused: 1 })
    network.clock.runUntilIdle()
    expect([seen.length, a.stats().datagramsSent]).toEqual([taken, taken])
    expect(network.clock.nowMs()).toBeCloseTo(taken * 10, 3)
    expect(drains.length).toBe(1)
  })
})

describe('randomness', () => {
  test('of a host is its own, from the seed', () => {
    const draw = (seed: number): number[] => {
      const network = new SimulatedNetwork(seed)
      return [network.addHost().random.uint32(), network.addHost().random.uint32()]
    }
    const [one, again, other] = [draw(1), draw(1), draw(2)]
    expect(one).toEqual(again)
    expect(new Set([...one, ...other]).size).toBe(4)
  })
})

test('what a program throws in a handler is uncaught, and the simulation goes on', async () => {
  const { network, a, b } = twoHosts()
  const seen: string[] = []
  b.on('batch', (batch) => {
    seen.push(batch.payload(0).toString())
    if (seen.length === 1) throw new Error('of a handler')
  })
  const uncaught = await uncaughtDuring(() => {
    a.send('one')
    network.clock.advance(5)
    a.send('two')
    network.clock.advance(5)
  })
  expect(uncaught).toEqual([new Error('of a handler')])
  expect(seen).toEqual(['one', 'two'])
})
