import { execFile, execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UdpSocket } from '../../../src/socket/index.js'
import { Messenger, type DroppedMessage, type MessengerOptions, type ReceivedMessage } from '../../../src/strokkur/index.js'

let folder: string
let program: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geysir-strokkur-'))
  program = join(folder, 'peer')
  const source = new URL('peer.c', import.meta.url).pathname
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-Werror', source, '-o', program])
})
afterAll(() => rm(folder, { recursive: true }))

const SIZES = [1, 100, 8191, 8192, 8193, 50_000, 1_000_000, 4 << 20]

async function withMessenger<T>(options: MessengerOptions, use: (messenger: Messenger, port: number) => Promise<T>): Promise<T> {
  await using socket = new UdpSocket({ type: 'udp4', receiveBufferBytes: 4 << 20 })
  const { port } = await socket.bind({ address: '127.0.0.1' })
  await using messenger = new Messenger(socket, { format: 'classic', ...options })
  return await use(messenger, port)
}

async function sendByPeer(port: number, message: Buffer, ...options: string[]): Promise<void> {
  const path = join(folder, 'out')
  await writeFile(path, message)
  const hash = createHash('sha256').update(message).digest('hex')
  const [rows = '0', ...rest] = options
  await promisify(execFile)(program, ['send', '127.0.0.1', String(port), path, rows, hash, ...rest])
}

/** What comes of one message of the peer's. */
function outcome(messenger: Messenger): Promise<ReceivedMessage | DroppedMessage> {
  return new Promise((resolve) => {
    messenger.once('message', resolve)
    messenger.once('dropped', resolve)
  })
}

describe('messages of a classic peer in C', () => {
  test.each(SIZES)('of %i bytes arrive', async (bytes) => {
    await withMessenger({}, async (messenger, port) => {
      const message = randomBytes(bytes)
      const came = outcome(messenger)
      await sendByPeer(port, message, '2')
      expect(((await came) as ReceivedMessage).bytes.equals(message)).toBe(true)
    })
  })

  test.each(['0', '0,7', '3,4,5,9,12', '1,13'])('of which the datagrams %s are lost arrive', async (lost) => {
    await withMessenger({}, async (messenger, port) => {
      const message = randomBytes(100_001)
      const came = outcome(messenger)
      await sendByPeer(port, message, '16', `lose=${lost}`)
      const received = (await came) as ReceivedMessage
      expect(received.bytes.equals(message)).toBe(true)
      expect(received.chunksRepaired).toBe(lost.split(',').filter((i) => Number(i) < 13).length)
    })
  })

  test('of another digest than their bytes are never delivered', async () => {
    await withMessenger({ hash: 'sha3-256', expiryMs: 50 }, async (messenger, port) => {
      const came = outcome(messenger)
      await sendByPeer(port, randomBytes(20_000), '2')
      expect(await came).toMatchObject({ reason: 'damaged' })
    })
  })
})

describe('a peer with the defects of the published program', () => {
  test('is not listened to by default', async () => {
    await withMessenger({ expiryMs: 50 }, async (messenger, port) => {
      messenger.on('message', () => undefined)
      await sendByPeer(port, randomBytes(20_000), '2', 'original')
      await expect.poll(() => messenger.stats().chunksRejected.unhashed).toBe(5)
      expect(messenger.stats().messagesReceived).toBe(0)
    })
  })

  test.each(SIZES)('is understood with acceptUnhashed: %i bytes', async (bytes) => {
    await withMessenger({ acceptUnhashed: true }, async (messenger, port) => {
      const message = randomBytes(bytes)
      const came = outcome(messenger)
      await sendByPeer(port, message, '4', 'original')
      const received = (await came) as ReceivedMessage
      expect(received.bytes.equals(message)).toBe(true)
      expect(received.hash).toBe('none')
    })
  })

  test('whose redundant chunks are whole, because the last chunk is, has its losses repaired', async () => {
    await withMessenger({ acceptUnhashed: true }, async (messenger, port) => {
      const message = randomBytes(40 * 8192)
      const came = outcome(messenger)
      await sendByPeer(port, message, '20', 'original', 'lose=0,31,39')
      const received = (await came) as ReceivedMessage
      expect(received.bytes.equals(message)).toBe(true)
      expect(received.chunksRepaired).toBe(3)
    })
  })

  test('whose redundant chunks are cut loses no last chunk', async () => {
    await withMessenger({ acceptUnhashed: true }, async (messenger, port) => {
      const message = randomBytes(12 * 8192 + 777)
      const came = outcome(messenger)
      await sendByPeer(port, message, '20', 'original', 'lose=12,13')
      const received = (await came) as ReceivedMessage
      expect(received.bytes.equals(message)).toBe(true)
      expect(received.chunksRepaired).toBe(1)
    })
  })

  test('whose redundant chunks are cut never makes a wrong message of them', async () => {
    await withMessenger({ acceptUnhashed: true, expiryMs: 100 }, async (messenger, port) => {
      const came = outcome(messenger)
      await sendByPeer(port, randomBytes(12 * 8192 + 777), '20', 'original', 'lose=3')
      expect(await came).toMatchObject({ reason: 'expired' })
      expect(messenger.stats().chunksRejected.truncated).toBeGreaterThan(0)
    })
  })
})

describe('a classic peer in C understands', () => {
  async function receiveByPeer(message: Buffer, drop: (datagram: number) => boolean, redundancy: number): Promise<string> {
    const path = join(folder, 'in')
    const peer = spawn(program, ['receive', path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface(peer.stdout)[Symbol.asyncIterator]()
    const port = Number(((await lines.next()) as IteratorYieldResult<string>).value)
    await using socket = new UdpSocket({ type: 'udp4' })
    const lossy = new Proxy(socket, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown
        if (name === 'commit') return () => (drop(sent++) ? target.commit(0) : target.commit())
        return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value
      },
    })
    let sent = 0
    await using messenger = new Messenger(lossy, { format: 'classic' })
    await messenger.send(message, { address: '127.0.0.1', port }, { redundancy })
    const [hash] = ((await lines.next()) as IteratorYieldResult<string>).value.split(' ')
    expect((await readFile(path)).equals(message)).toBe(true)
    return hash!
  }

  test.each(SIZES)('messages of %i bytes, and their digest', async (bytes) => {
    const message = randomBytes(bytes)
    expect(await receiveByPeer(message, () => false, 0)).toBe(createHash('sha256').update(message).digest('hex'))
  })

  test('redundant chunks', async () => {
    const message = randomBytes(300_001)
    await receiveByPeer(message, (datagram) => datagram % 5 === 0, 30)
  })
})
