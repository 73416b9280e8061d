import { EventEmitter } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { StreamDuplex, type DuplexSource } from '../../../src/stream/duplex.js'

/** A stream that takes `room` messages, until it is ended. */
class FakeStream extends EventEmitter implements DuplexSource {
  closed = false
  maxMessageBytes = 16 << 20
  allowHalfOpen = false
  isEnded = false
  isCutOff = false
  hasEnded = false
  room: number
  sentBytes = 0

  constructor(room: number) {
    super()
    this.room = room
  }

  sendBytes(message: Uint8Array): boolean {
    if (this.closed || this.isEnded) throw Object.assign(new Error('The stream is closed'), { code: 'ERR_CLOSED' })
    if (this.room === 0) return false
    this.room--
    this.sentBytes += message.length
    return true
  }

  endBytes(): void {
    this.isEnded = true
  }

  reset(): void {
    this.closed = true
  }

  pause(): void {}
  resume(): void {}
}

function writeTo(stream: FakeStream): { duplex: StreamDuplex; told: (string | undefined)[] } {
  const duplex = new StreamDuplex(stream, false)
  const told: (string | undefined)[] = []
  duplex.on('error', (error: NodeJS.ErrnoException) => told.push(`error ${error.code}`))
  duplex.write(Buffer.alloc(200_000), (error) => told.push((error as NodeJS.ErrnoException | undefined)?.code))
  return { duplex, told }
}

test('a write is several messages, and goes on when there is room', async () => {
  const stream = new FakeStream(3)
  const { told } = writeTo(stream)
  await turn()
  expect([stream.sentBytes, told]).toEqual([3 * 65_536, []])
  stream.room = 1
  stream.emit('drain')
  await turn()
  expect([stream.sentBytes, told]).toEqual([200_000, [undefined]])
})

test('no message is longer than the stream takes', async () => {
  const stream = new FakeStream(25)
  stream.maxMessageBytes = 10_000
  const longest: number[] = []
  const send = stream.sendBytes.bind(stream)
  stream.sendBytes = (message) => (longest.push(message.length), send(message))
  const { told } = writeTo(stream)
  await turn()
  expect([Math.max(...longest), stream.sentBytes, told]).toEqual([10_000, 200_000, [undefined]])
})

test('a stream that is ended by whoever has it fails the write that waits, and does not throw', async () => {
  const stream = new FakeStream(1)
  const { told } = writeTo(stream)
  stream.endBytes()
  stream.emit('drain')
  await turn()
  expect(told).toEqual(['ERR_CLOSED', 'error ERR_CLOSED'])
})

test('a stream that closes without an error fails the write that waits, and those that come later', async () => {
  const stream = new FakeStream(1)
  const { duplex, told } = writeTo(stream)
  stream.closed = true
  stream.emit('close', undefined)
  await turn()
  expect(told).toEqual(['ERR_STREAM_DESTROYED', 'error ERR_STREAM_DESTROYED'])
  duplex.write('later', (error) => told.push((error as NodeJS.ErrnoException).code))
  await turn()
  expect(told).toHaveLength(3)
})
