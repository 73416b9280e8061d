import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Endpoint } from '../../src/core/index.js'
import { UdpSocket } from '../../src/socket/index.js'
import { Messenger, type MessengerOptions, type ReceivedMessage } from '../../src/strokkur/index.js'

async function withPair(
  options: MessengerOptions,
  use: (sender: Messenger, target: Endpoint, receiver: Messenger) => Promise<void>,
): Promise<void> {
  await using there = new UdpSocket({ type: 'udp4' })
  await using here = new UdpSocket({ type: 'udp4' })
  const target = await there.bind({ address: '127.0.0.1' })
  await using receiver = new Messenger(there, options)
  await using sender = new Messenger(here, options)
  await use(sender, target, receiver)
}

function next(receiver: Messenger): Promise<ReceivedMessage> {
  return new Promise((resolve) => receiver.once('message', resolve))
}

describe.each(['compact', 'classic'] as const)('messages between sockets, in the %s format', (format) => {
  test('of 4 MiB arrive in the default receive buffer, at the default pace', async () => {
    await withPair({ format }, async (sender, target, receiver) => {
      const message = randomBytes(4 << 20)
      const received = next(receiver)
      await sender.send(message, target, { redundancy: 60 })
      expect((await received).bytes.equals(message)).toBe(true)
    })
  })

  test('of many sizes arrive, each once', async () => {
    await withPair({ format }, async (sender, target, receiver) => {
      const messages = Array.from({ length: 200 }, (_, i) => randomBytes(1 + ((i * 997) % 5000)))
      const missing = new Set(messages.map((message) => message.toString('latin1')))
      receiver.on('message', ({ bytes }) => {
        expect(missing.delete(bytes.toString('latin1'))).toBe(true)
      })
      // One after the other: a receiver that is slow, as under a sanitizer, may lose what it has not read.
      for (const message of messages) {
        const received = next(receiver)
        await sender.send(message, target)
        await received
      }
      expect(missing.size).toBe(0)
    })
  })
})

test('memory that was given back serves the next message', async () => {
  await withPair({}, async (sender, target, receiver) => {
    const memory = new Set<ArrayBufferLike>()
    for (let i = 0; i < 4; i++) {
      const received = next(receiver)
      await sender.send(randomBytes(100_000), target)
      const message = await received
      memory.add(message.bytes.buffer)
      message.release()
      message.release()
      expect(message.bytes.length).toBe(0)
    }
    expect(memory.size).toBe(1)
  })
})

test('adaptive redundancy hears of losses over a connected socket', async () => {
  await using there = new UdpSocket({ type: 'udp4' })
  await using here = new UdpSocket({ type: 'udp4' })
  const target = await there.bind({ address: '127.0.0.1' })
  await here.connect({ address: target.address, port: target.port })
  await using receiver = new Messenger(there, { reports: true })
  await using sender = new Messenger(here, { redundancy: 'adaptive' })
  const received = next(receiver)
  await sender.send(randomBytes(50_000))
  await received
  await expect.poll(() => sender.stats().reportsReceived).toBe(1)
  expect(sender.stats().reportsRejected).toBe(0)
})
