import { afterEach, describe, expect, test } from 'vitest'
import { Endpoint, randomFill } from '../../../src/core/index.js'
import { Messenger, type DroppedMessage, type MessengerOptions, type ReceivedMessage } from '../../../src/strokkur/index.js'
import { SimulatedNetwork, type PathOptions, type SimulatedLink, type SimulatedLinkOptions } from '../../../src/testing/index.js'
import { failure, rejection } from '../support/errors.js'
import { KEY, expectSame, seeded } from './messages.js'

interface Ends {
  readonly network: SimulatedNetwork
  readonly sender: Messenger
  readonly receiver: Messenger
  readonly links: [SimulatedLink, SimulatedLink]
  readonly target: Endpoint
  readonly messages: ReceivedMessage[]
  readonly dropped: DroppedMessage[]
}

const open: Ends[] = []
afterEach(() => {
  // Whatever a test did: no memory is left behind, and everything was counted.
  for (const { sender, receiver } of open.splice(0)) {
    for (const messenger of [sender, receiver]) {
      const { chunksReceived, chunksUsed, chunksRejected } = messenger.stats()
      expect(chunksReceived).toBe(chunksUsed + Object.values(chunksRejected).reduce((sum, count) => sum + count))
      messenger.close()
      const { stateBytes, messagesQueued, messagesSent, messagesFailed } = messenger.stats()
      expect(stateBytes).toBe(0)
      expect(messagesQueued).toBe(messagesSent + messagesFailed)
    }
  }
})

function connect(
  path: PathOptions = {},
  options: MessengerOptions = {},
  senderOptions: MessengerOptions = {},
  linkOptions: SimulatedLinkOptions = {},
): Ends {
  const network = new SimulatedNetwork(1, { path })
  const [a, b] = [network.addHost(), network.addHost()]
  const links: Ends['links'] = [a.openLink(linkOptions), b.openLink({ port: 7, ...linkOptions })]
  const random = seeded(5)
  const sender = new Messenger(links[0], { ...options, clock: a.clock, random, ...senderOptions })
  const receiver = new Messenger(links[1], { ...options, clock: b.clock, random })
  const messages: ReceivedMessage[] = []
  const dropped: DroppedMessage[] = []
  receiver.on('message', (message) => messages.push(message))
  receiver.on('dropped', (drop) => dropped.push(drop))
  const ends = { network, sender, receiver, links, target: links[1].address(), messages, dropped }
  open.push(ends)
  return ends
}

function bytes(length: number, seed = length): Buffer {
  const message = Buffer.alloc(length)
  randomFill(seeded(seed), message)
  return message
}

const ROUGH: PathOptions = {
  latencyMs: 5,
  jitterMs: 2,
  lossProbability: 0.03,
  duplicateProbability: 0.02,
  reorderProbability: 0.1,
  reorderMs: 5,
  corruptProbability: 0.001,
}

describe.each(['classic', 'compact'] as const)('a messenger in the %s format', (format) => {
  test('brings messages of every size over a perfect path, and says how long they took', async () => {
    const { network, sender, target, messages, dropped } = connect({ latencyMs: 5 }, { format })
    const sizes = [1, 1000, 1400, 8192, 8193, 100_000, 4 << 20]
    const sent = Promise.all(sizes.map((size) => sender.send(bytes(size), target)))
    await network.clock.advanceAsync(1000)
    await sent
    expect(messages.map((message) => message.bytes.length)).toEqual(sizes)
    for (const [i, message] of messages.entries()) {
      expectSame(message.bytes, bytes(sizes[i]!))
      expect(message.endpoint.toString()).toMatch(/^10\.0\.0\.1:/)
      expect(message.id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
      expect(message).toMatchObject({ hash: 'sha256', chunksRepaired: 0, chunksDamaged: 0 })
      expect(message.latencyMs).toBeGreaterThanOrEqual(5)
    }
    expect(dropped).toEqual([])
  })

  test('brings them over a rough path with redundant chunks', async () => {
    const { network, sender, target, messages } = connect(
      // Six fragments a chunk: the classic format loses more of them.
      format === 'classic' ? { ...ROUGH, lossProbability: 0.005, corruptProbability: 0 } : ROUGH,
      { format, redundancy: { fraction: 0.25 } },
    )
    const sent = Array.from({ length: 30 }, (_, i) => bytes(1000 + i * i * 300, i))
    for (const message of sent) void sender.send(message, target, { redundancy: 16 })
    await network.clock.advanceAsync(3000)
    expect(messages.length).toBe(30)
    for (const { bytes } of messages) expect(sent.some((message) => message.equals(bytes))).toBe(true)
    expect(messages.some(({ chunksRepaired }) => chunksRepaired > 0)).toBe(true)
  })

  test('authenticates with a key', async () => {
    const { network, sender, target, messages } = connect({}, { format, key: KEY })
    void sender.send(bytes(30_000), target)
    await network.clock.advanceAsync(100)
    expect(messages[0]!.hash).toBe('keyed-sha3-256')
    const other = connect({}, { format, key: KEY }, { key: Buffer.alloc(16) })
    void other.sender.send(bytes(30_000), other.target)
    await other.network.clock.advanceAsync(5000)
    expect(other.messages).toEqual([])
    expect(other.dropped).toMatchObject([{ reason: 'damaged' }])
  })

  test('uses the hash that send is given', async () => {
    const { network, sender, target, messages } = connect({}, { format })
    await Promise.all([sender.send(bytes(3000), target, { hash: 'sha3-256' }), network.clock.advanceAsync(10)])
    // The classic format does not say which it was.
    expect(messages.map(({ hash }) => hash)).toEqual(format === 'compact' ? ['sha3-256'] : [])
  })
})

describe('sending', () => {
  test('is paced: a receive buffer of 208 KiB never overflows by default, though its reader looks only every 2 ms', async () => {
    const { network, sender, target, messages, links } = connect({ latencyMs: 1 })
    const host = network.hosts[1]!
    const sent = sender.send(bytes(4 << 20), target)
    let done = false
    void sent.then(() => (done = true))
    while (!done) {
      host.pause()
      await network.clock.advanceAsync(2)
      host.resume()
      await network.clock.advanceAsync(0.1)
    }
    await network.clock.advanceAsync(10)
    expect(links[1].stats().datagramsReceived).toBe(sender.stats().chunksSent)
    expect(messages.length).toBe(1)
    // 24 MiB a second.
    expect(network.clock.nowMs()).toBeGreaterThan(150)
  })

  test('resolves when the last chunk has left, one message after the other', async () => {
    const { network, sender, target } = connect({}, { paceBytesPerSecond: 1e6, burstBytes: 2000 })
    const order: number[] = []
    for (const size of [50_000, 10]) void sender.send(bytes(size), target).then(() => order.push(size))
    await network.clock.advanceAsync(20)
    expect(order).toEqual([])
    expect(sender.stats()).toMatchObject({ messagesWaiting: 2, bytesWaiting: 50_010 })
    await network.clock.advanceAsync(100)
    expect(order).toEqual([50_000, 10])
    expect(sender.stats()).toMatchObject({ messagesSent: 2, messageBytesSent: 50_010, messagesWaiting: 0 })
  })

  test('waits for a link that has no room, and goes on at drain', async () => {
    const { network, sender, target, messages } = connect({}, { paceBytesPerSecond: Infinity }, {}, { sendQueueBytes: 10_000 })
    await Promise.all([sender.send(bytes(100_000), target), network.clock.advanceAsync(100)])
    await network.clock.advanceAsync(10)
    expect(messages.length).toBe(1)
  })

  test('gives up what its signal aborts, before or while it is sent', async () => {
    const { network, sender, target, messages } = connect({}, { paceBytesPerSecond: 1e6, burstBytes: 2000 })
    const controller = new AbortController()
    const reason = new Error('enough')
    const first = sender.send(bytes(100_000), target, { signal: controller.signal })
    const second = sender.send(bytes(100_000), target, { signal: controller.signal })
    const third = sender.send(bytes(100), target)
    await network.clock.advanceAsync(5)
    controller.abort(reason)
    await expect(first).rejects.toBe(reason)
    await expect(second).rejects.toBe(reason)
    await Promise.all([third, network.clock.advanceAsync(50)])
    await expect(sender.send(bytes(5), target, { signal: controller.signal })).rejects.toBe(reason)
    expect(messages.length).toBe(1)
    expect(sender.stats().messagesFailed).toBe(2)
  })

  test('gives up what cannot leave in time', async () => {
    const { network, sender, target } = connect({}, { paceBytesPerSecond: 1e6, burstBytes: 2000 })
    const late = sender.send(bytes(100_000), target, { deadlineMs: 20 })
    const inTime = sender.send(bytes(1000), target, { deadlineMs: 50 })
    const failed = rejection(late, 'ERR_MESSAGE_DEADLINE')
    await network.clock.advanceAsync(60)
    await failed
    await inTime
  })

  test('refuses more than may wait', async () => {
    const { sender, target } = connect({}, { maxQueuedMessages: 2, maxQueuedBytes: 1000 })
    const waiting = [sender.send(bytes(400), target), sender.send(bytes(400), target)]
    await rejection(sender.send(bytes(1), target), 'ERR_MESSAGE_QUEUE_FULL')
    await Promise.all(waiting)
    await rejection(sender.send(bytes(1001), target), 'ERR_MESSAGE_QUEUE_FULL')
  })

  test('chunks fit the path in one piece', async () => {
    const { network, sender, target, messages } = connect({ mtuBytes: 1280, tooBig: 'drop' }, {}, { datagramBytes: 1200 })
    await Promise.all([sender.send(bytes(100_000), target), network.clock.advanceAsync(100)])
    expect(messages.length).toBe(1)
  })

  test('refuses misuse at once', () => {
    const { sender, target } = connect()
    failure(() => sender.send(bytes(0), target), 'ERR_OUT_OF_RANGE')
    failure(() => sender.send(Buffer.alloc((4 << 20) + 1), target), 'ERR_OUT_OF_RANGE')
    failure(() => sender.send('text' as never, target), 'ERR_INVALID_ARG_TYPE')
    failure(() => sender.send(bytes(1), { address: 'nowhere', port: 1 }), 'ERR_INVALID_ARG_VALUE')
    failure(() => sender.send(bytes(1), target, { retries: 1 } as never), 'ERR_INVALID_ARG_VALUE', /redundancy/)
    failure(() => sender.send(bytes(1), target, { redundancy: -1 }), 'ERR_OUT_OF_RANGE')
    failure(() => sender.send(bytes(1), target, { redundancy: { fraction: 11 } }), 'ERR_OUT_OF_RANGE')
    failure(() => sender.send(bytes(1), target, { redundancy: { part: 1 } as never }), 'ERR_INVALID_ARG_VALUE')
    failure(() => sender.send(bytes(1), target, { redundancy: 'much' as never }), 'ERR_INVALID_ARG_TYPE')
    failure(() => sender.send(bytes(1), target, { hash: 'md5' as never }), 'ERR_INVALID_ARG_VALUE')
    failure(() => sender.send(bytes(1), target, { signal: {} as never }), 'ERR_INVALID_ARG_TYPE')
    failure(() => sender.send(bytes(1), target, { deadlineMs: -1 }), 'ERR_OUT_OF_RANGE')
  })
})

describe('making one', () => {
  test('needs a link, and says so', () => {
    const socket = { send: () => true, on: () => socket, once: () => socket, close: () => undefined }
    for (const link of [undefined, null, 'udp://', {}, socket]) {
      failure(() => new Messenger(link as never), 'ERR_INVALID_ARG_TYPE', /"link" argument must be a Link/)
    }
  })

  test('refuses a link that is closed', () => {
    const { links } = connect()
    links[0].close()
    failure(() => new Messenger(links[0]), 'ERR_CLOSED')
  })
})

describe('receiving', () => {
  test('by iteration; what nobody reads is bounded, and told of', async () => {
    const { network, sender, receiver, target, dropped } = connect({}, { maxUnreadBytes: 5000 })
    const iterator = receiver[Symbol.asyncIterator]()
    for (let i = 0; i < 8; i++) void sender.send(bytes(1000, i), target)
    await network.clock.advanceAsync(100)
    const read: Buffer[] = []
    for (let i = 0; i < 5; i++) read.push(((await iterator.next()) as IteratorYieldResult<ReceivedMessage>).value.bytes)
    expect(read).toEqual([0, 1, 2, 3, 4].map((i) => bytes(1000, i)))
    expect(dropped.map(({ reason }) => reason)).toEqual(['limit', 'limit', 'limit'])
    const waiting = iterator.next()
    void sender.send(bytes(10), target)
    await network.clock.advanceAsync(10)
    expectSame(((await waiting) as IteratorYieldResult<ReceivedMessage>).value.bytes, bytes(10))
    const last = iterator.next()
    receiver.close()
    expect(await last).toEqual({ done: true, value: undefined })
  })

  test('leaving an iteration forgets what waits for it, counted and told of', async () => {
    const { network, sender, receiver, target, dropped } = connect()
    const iterating = (async () => {
      for await (const message of receiver) return message.bytes.length
      return 0
    })()
    for (let i = 0; i < 3; i++) void sender.send(bytes(100, i), target)
    await network.clock.advanceAsync(10)
    expect(await iterating).toBe(100)
    expect(receiver.stats()).toMatchObject({ messagesReceived: 3, messagesDropped: { unread: 2, limit: 0 } })
    expect(dropped).toMatchObject([1, 2].map(() => ({ reason: 'unread', messageBytes: 100, chunkCount: 1, chunksReceived: 1 })))
    const again = receiver[Symbol.asyncIterator]()
    const next = again.next()
    await again.return!()
    expect((await next).done).toBe(true)
    expect((await again.next()).done).toBe(true)
  })

  test('what waits is there for as long as one iteration is, also after closing', async () => {
    const { network, sender, receiver, target, dropped } = connect()
    const [one, other] = [receiver[Symbol.asyncIterator](), receiver[Symbol.asyncIterator]()]
    for (let i = 0; i < 3; i++) void sender.send(bytes(100, i), target)
    await network.clock.advanceAsync(10)
    await one.return!()
    await one.return!()
    receiver.close()
    expectSame(((await other.next()) as IteratorYieldResult<ReceivedMessage>).value.bytes, bytes(100, 0))
    expect(receiver.stats().messagesDropped.unread).toBe(0)
    await other.return!()
    expect(receiver.stats().messagesDropped.unread).toBe(2)
    // After 'close' there is no event.
    expect(dropped).toEqual([])
  })

  test('leaving an iteration ends each of its steps, and takes no message', async () => {
    const { network, sender, receiver, target } = connect()
    const [left, other] = [receiver[Symbol.asyncIterator](), receiver[Symbol.asyncIterator]()]
    const steps = [left.next(), left.next()]
    const next = other.next()
    await left.return!()
    expect((await Promise.all(steps)).map(({ done }) => done)).toEqual([true, true])
    void sender.send(bytes(100), target)
    await network.clock.advanceAsync(10)
    expectSame(((await next) as IteratorYieldResult<ReceivedMessage>).value.bytes, bytes(100))
  })

  test('drops what expires, by a timer, and says so', async () => {
    const { network, sender, target, dropped, receiver } = connect({ lossProbability: 0.3 }, { expiryMs: 500 })
    await Promise.all([sender.send(bytes(50_000), target, { redundancy: 0 }), network.clock.advanceAsync(100)])
    expect(receiver.stats().messagesPending).toBe(1)
    await network.clock.advanceAsync(1000)
    expect(dropped).toMatchObject([{ reason: 'expired', messageBytes: 50_000 }])
    expect(receiver.stats()).toMatchObject({ messagesPending: 0, stateBytes: 0 })
  })

  test('adapts redundancy to the losses that receivers report', async () => {
    const lossy = connect({ lossProbability: 0.1 }, { redundancy: 'adaptive', reports: true })
    const { network, sender, target, messages } = lossy
    for (let i = 0; i < 40; i++) {
      void sender.send(bytes(100_000, i), target)
      await network.clock.advanceAsync(20)
    }
    expect(messages.length).toBeGreaterThan(30)
    const { reportsReceived, reportsRejected, chunksSent } = sender.stats()
    expect(reportsReceived).toBeGreaterThan(30)
    expect(reportsRejected).toBe(0)
    network.setDefaultPath({ lossProbability: 0 })
    for (let i = 0; i < 40; i++) {
      void sender.send(bytes(100_000, i), target)
      await network.clock.advanceAsync(20)
    }
    expect(sender.stats().chunksSent - chunksSent).toBeLessThan(chunksSent)
    expect(lossy.receiver.stats().reportsSent).toBeGreaterThan(70)
  })

  test('does not believe reports about messages that it did not send', async () => {
    const { network, sender, links, target } = connect({}, { redundancy: 'adaptive' })
    void sender.send(bytes(100), target)
    await network.clock.advanceAsync(10)
    const report = Buffer.alloc(32)
    report.set([1, 1])
    report[4] = 10
    links[1].send(report, links[0].address().withPort(links[0].address().port))
    await network.clock.advanceAsync(10)
    expect(sender.stats()).toMatchObject({ reportsReceived: 1, reportsRejected: 1 })
  })
})

describe('closing', () => {
  test('gives up what waits, forgets what has not arrived, ends iterations, and leaves the link open', async () => {
    const { network, sender, receiver, target, links } = connect({ lossProbability: 0.5 })
    const waiting = sender.send(bytes(4 << 20), target)
    const rejected = rejection(waiting, 'ERR_CLOSED')
    const iterator = receiver[Symbol.asyncIterator]()
    const next = iterator.next()
    await network.clock.advanceAsync(10)
    const closed = new Promise<void>((resolve) => sender.once('close', resolve))
    sender.close()
    sender.close()
    await rejected
    await closed
    await receiver[Symbol.asyncDispose]()
    await receiver[Symbol.asyncDispose]()
    expect((await next).done).toBe(true)
    failure(() => sender.send(bytes(1), target), 'ERR_CLOSED')
    failure(() => receiver[Symbol.asyncIterator](), 'ERR_CLOSED')
    expect(sender.closed).toBe(true)
    expect(links.map((link) => link.closed)).toEqual([false, false])
  })

  test('the link closes its messenger', async () => {
    const { network, sender, links, target } = connect()
    const waiting = rejection(sender.send(bytes(4 << 20), target), 'ERR_CLOSED')
    await network.clock.advanceAsync(1)
    links[0].close()
    await network.clock.advanceAsync(1)
    await waiting
    expect(sender.closed).toBe(true)
  })

  test('a listener may close it in the middle of a batch', async () => {
    const { network, sender, receiver, target } = connect()
    let count = 0
    receiver.on('message', () => {
      count++
      receiver.close()
    })
    for (let i = 0; i < 5; i++) void sender.send(bytes(100, i), target)
    await network.clock.advanceAsync(10)
    expect(count).toBe(1)
  })
})

test('options are checked, by name, type and range', () => {
  const network = new SimulatedNetwork(1)
  const link = network.addHost().openLink()
  const attempt = (options: object) => () => new Messenger(link, options)
  failure(attempt({ colour: 1 }), 'ERR_INVALID_ARG_VALUE', /colour/)
  failure(attempt({ format: 'old' }), 'ERR_INVALID_ARG_VALUE')
  failure(attempt({ hash: 'md5' }), 'ERR_INVALID_ARG_VALUE')
  failure(attempt({ key: 'secret' }), 'ERR_INVALID_ARG_TYPE')
  failure(attempt({ key: Buffer.alloc(15) }), 'ERR_OUT_OF_RANGE')
  failure(attempt({ format: 'classic', maxMessageBytes: (4 << 20) + 1 }), 'ERR_OUT_OF_RANGE')
  failure(attempt({ acceptUnhashed: true }), 'ERR_INVALID_ARG_VALUE')
  failure(attempt({ format: 'classic', acceptUnhashed: true, key: KEY }), 'ERR_INVALID_ARG_VALUE')
  failure(attempt({ format: 'classic', reports: true }), 'ERR_INVALID_ARG_VALUE')
  failure(attempt({ format: 'classic', redundancy: 'adaptive' }), 'ERR_INVALID_ARG_VALUE')
  failure(attempt({ format: 'classic', redundancy: 66 }), 'ERR_OUT_OF_RANGE')
  failure(attempt({ format: 'classic', datagramBytes: 1000 }), 'ERR_INVALID_ARG_VALUE')
  failure(attempt({ datagramBytes: 100 }), 'ERR_OUT_OF_RANGE')
  failure(attempt({ paceBytesPerSecond: 0 }), 'ERR_OUT_OF_RANGE')
  failure(attempt({ reports: 1 }), 'ERR_INVALID_ARG_TYPE')
  failure(attempt({ clock: {} }), 'ERR_INVALID_ARG_TYPE')
  failure(attempt({ random: {} }), 'ERR_INVALID_ARG_TYPE')
  failure(attempt({ expiryMs: 0 }), 'ERR_OUT_OF_RANGE')
})
