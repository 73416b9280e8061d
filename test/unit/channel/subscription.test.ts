import { describe, expect, test } from 'vitest'
import type { ChannelMessage } from '../../../src/channel/message.js'
import { Subscription, type SubscribeOptions } from '../../../src/channel/subscription.js'
import { Endpoint } from '../../../src/core/index.js'
import { failure } from '../support/errors.js'

const SOURCE = Endpoint.of('192.0.2.1', 5000)

function message(text: string, lead = 1): ChannelMessage {
  return { payload: Buffer.from(text), source: SOURCE, sequence: 0, lead }
}

/** One that is iterated, and whether it was given back. */
function opened(options: SubscribeOptions = {}): { subscription: Subscription; closings: () => number } {
  let closings = 0
  return { subscription: new Subscription(undefined, options, () => closings++), closings: () => closings }
}

const textOf = (step: IteratorResult<ChannelMessage, undefined>): string | undefined => step.value?.payload.toString()

describe('a subscription', () => {
  test('that is ordered skips what is behind', () => {
    const heard: string[] = []
    const subscription = new Subscription(
      ({ payload }) => heard.push(payload.toString()),
      { ordered: true },
      () => {},
    )
    for (const [text, lead] of [['a', 1], ['b', 5], ['c', 0], ['d', -3], ['e', 1]] as const) subscription.deliver(message(text, lead)) // prettier-ignore
    expect(heard).toEqual(['a', 'b', 'e'])
    expect(subscription.stats()).toMatchObject({ matched: 5, delivered: 3, skipped: 2 })
  })

  test('keeps what it was given for an iteration in memory of its own', async () => {
    const { subscription } = opened()
    const payload = Buffer.from('kept')
    subscription.deliver({ ...message(''), payload })
    payload.fill(0)
    expect(textOf(await subscription[Symbol.asyncIterator]().next())).toBe('kept')
  })

  test('keeps so many messages, and loses the oldest', async () => {
    const { subscription } = opened({ queueMessages: 3 })
    for (let i = 0; i < 200; i++) subscription.deliver(message(`${i}`))
    expect(subscription.stats()).toMatchObject({ matched: 200, overflowed: 197, queued: 3 })
    const iterator = subscription[Symbol.asyncIterator]()
    expect([await iterator.next(), await iterator.next(), await iterator.next()].map(textOf)).toEqual(['197', '198', '199'])
  })

  test('keeps so many bytes, but always one message', () => {
    const { subscription } = opened({ queueBytes: 10 })
    for (const text of ['12345', '12345', '123456', 'x'.repeat(50)]) subscription.deliver(message(text))
    expect(subscription.stats()).toMatchObject({ overflowed: 3, queued: 1 })
    // What was taken no longer counts.
    const { subscription: other } = opened({ queueBytes: 10 })
    for (let i = 0; i < 5; i++) {
      other.deliver(message('1234567'))
      void other[Symbol.asyncIterator]().next()
    }
    for (const text of ['12345', '12345']) other.deliver(message(text))
    expect(other.stats()).toMatchObject({ overflowed: 0, queued: 2 })
  })

  test('gives messages to several who wait in the order in which they asked', async () => {
    const { subscription } = opened()
    const [one, other] = [subscription[Symbol.asyncIterator](), subscription[Symbol.asyncIterator]()]
    const steps = [one.next(), other.next(), one.next()]
    for (const text of ['a', 'b', 'c']) subscription.deliver(message(text))
    expect((await Promise.all(steps)).map(textOf)).toEqual(['a', 'b', 'c'])
  })

  test('is closed by leaving its loop', async () => {
    const { subscription, closings } = opened()
    for (const text of ['a', 'b', 'c']) subscription.deliver(message(text))
    for await (const { payload } of subscription) {
      expect(payload.toString()).toBe('a')
      break
    }
    expect([subscription.closed, closings()]).toEqual([true, 1])
    expect(subscription.stats()).toEqual({ matched: 3, delivered: 1, skipped: 0, overflowed: 0, discarded: 2, queued: 0 })
  })

  test('settles everybody who waits when it is closed, and gives nothing more', async () => {
    const { subscription, closings } = opened()
    const iterator = subscription[Symbol.asyncIterator]()
    const waiting = [iterator.next(), iterator.next()]
    subscription.close()
    subscription.close()
    subscription.deliver(message('late'))
    expect((await Promise.all([...waiting, iterator.next()])).map(({ done }) => done)).toEqual([true, true, true])
    expect([closings(), subscription.stats().matched]).toEqual([1, 0])
    failure(() => subscription[Symbol.asyncIterator](), 'ERR_CLOSED')
  })

  test('is closed by its signal', async () => {
    const controller = new AbortController()
    const { subscription } = opened({ signal: controller.signal })
    controller.abort()
    expect(subscription.closed).toBe(true)
    const late = opened({ signal: controller.signal }).subscription
    await Promise.resolve()
    expect(late.closed).toBe(true)
  })

  test('refuses misuse', () => {
    failure(() => opened({ queueMessages: 0 }), 'ERR_OUT_OF_RANGE')
    failure(() => opened({ queueBytes: 1.5 }), 'ERR_OUT_OF_RANGE')
    failure(() => opened({ ordered: 1 as never }), 'ERR_INVALID_ARG_TYPE')
    failure(() => opened({ signal: {} as never }), 'ERR_INVALID_ARG_TYPE')
    failure(() => opened({ order: true } as never), 'ERR_INVALID_ARG_VALUE')
    const handled = new Subscription(() => {}, {}, () => {}) // prettier-ignore
    failure(() => handled[Symbol.asyncIterator](), 'ERR_INVALID_STATE')
  })
})
