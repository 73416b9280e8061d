import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { UdpSocket, createNode, type Peer, type Stream } from '../../src/index.js'
import {
  COMPLETE,
  DATA,
  HAVE,
  OFFER,
  PUSH_LABEL,
  REFUSED,
  START,
  STORED,
  decodeHave,
  decodeOffer,
  decodeRefusal,
  encodeHave,
  encodeOffer,
  encodeOffset,
  encodeRefusal,
} from '../../src/cli/push/wire.js'
import { PartFile } from '../../src/cli/receive/part-file.js'
import { checkProperty } from '../unit/support/check-property.js'
import { MAIN } from './command.js'

const root = mkdtempSync(join(tmpdir(), 'geysir-push-protocol-'))
const directory = join(root, 'inbox')
let peer: Peer
let close: () => void

beforeAll(async () => {
  mkdirSync(directory)
  // Not of `command.ts`, whose programs end with each test.
  const receiver = spawn(process.execPath, [MAIN, 'receive', directory, '127.0.0.1:0', '--json'])
  const [line] = (await once(receiver.stderr, 'data')) as [Buffer]
  const port = /"port":(\d+)/.exec(line.toString())?.[1]
  const socket = new UdpSocket()
  await socket.bind({ address: '127.0.0.1' })
  const node = createNode({ link: socket })
  peer = await node.connect({ address: '127.0.0.1', port: Number(port) })
  close = () => {
    node.destroy()
    socket.close()
    receiver.kill('SIGKILL')
  }
})
afterAll(() => {
  close()
  rmSync(root, { recursive: true })
})

/** Says things as no `geysir push` would, and reads what is said to that. */
class Sender {
  readonly stream: Stream
  readonly #answers: { type: number; bytes: Buffer }[] = []
  #wake: () => void = () => undefined

  constructor() {
    this.stream = peer.openStream({ label: PUSH_LABEL, allowHalfOpen: true })
    this.stream.on('message', (message, type) => {
      this.#answers.push({ type, bytes: Buffer.from(message) })
      this.#wake()
    })
    this.stream.on('close', () => this.#wake())
    onTestFinished(() => this.stream.reset())
  }

  say(type: number, bytes: Uint8Array = Buffer.alloc(0)): this {
    this.stream.send(bytes, type)
    return this
  }

  async answer(): Promise<{ type: number; bytes: Buffer }> {
    while (this.#answers.length === 0) {
      if (this.stream.closed) throw this.stream.error ?? new Error('no answer')
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    return this.#answers.shift()!
  }

  async refusal(): Promise<string | undefined> {
    const { type, bytes } = await this.answer()
    expect(type).toBe(REFUSED)
    return decodeRefusal(bytes).reason
  }

  async offer(name: string, size: number): Promise<number> {
    const { type, bytes } = await this.say(OFFER, encodeOffer({ name, size })).answer()
    expect(type).toBe(HAVE)
    return decodeHave(bytes)!.offset
  }
}

const sha256 = (content: Buffer): Buffer => createHash('sha256').update(content).digest()

describe('a receiver of files', () => {
  test.each([
    '../escaped',
    '/tmp/escaped',
    'a/b',
    'a\\b',
    '.',
    '..',
    '',
    'a\0b',
    'a\nb',
    '\x1b[2J',
    '\u202egpj.exe',
    '.x.geysir-part',
    'x'.repeat(300),
    `${'x'.repeat(250)}`,
  ])('takes no file called %j', async (name) => {
    expect(await new Sender().say(OFFER, encodeOffer({ name, size: 1 })).refusal()).toBe('name')
    expect(existsSync(join(root, 'escaped'))).toBe(false)
  })

  test('follows no link out of its directory, and writes to none', async () => {
    const outside = join(root, 'outside')
    writeFileSync(outside, 'untouched')
    symlinkSync(outside, join(directory, '.linked.geysir-part'))
    symlinkSync(outside, join(directory, 'target'))
    expect(await new Sender().say(OFFER, encodeOffer({ name: 'linked', size: 3 })).refusal()).toBe('disk')
    expect(await new Sender().say(OFFER, encodeOffer({ name: 'target', size: 3 })).refusal()).toBe('exists')
    expect(readFileSync(outside, 'utf8')).toBe('untouched')
  })

  test.each<[string, (sender: Sender) => unknown]>([
    ['data without an offer', (sender) => sender.say(DATA, Buffer.of(1))],
    ['an offer that is too short', (sender) => sender.say(OFFER, Buffer.of(1, 2, 3))],
    ['a size beyond all numbers', (sender) => sender.say(OFFER, Buffer.alloc(9, 0xff))],
    ['a name that is no UTF-8', (sender) => sender.say(OFFER, Buffer.concat([encodeOffset(1), Buffer.of(0xff, 0xfe)]))],
    ['a message of an unknown type', (sender) => sender.say(99)],
    ['a start elsewhere', async (sender) => (await sender.offer('p', 10), sender.say(START, encodeOffset(5)))],
    ['a start that is too short', async (sender) => (await sender.offer('p', 10), sender.say(START, Buffer.of(0)))],
    ['data without a start', async (sender) => (await sender.offer('p', 10), sender.say(DATA, Buffer.alloc(10)))],
    ['a second offer', async (sender) => (await sender.offer('p', 10), sender.say(OFFER, encodeOffer({ name: 'q', size: 1 })))],
    ['more data than offered', async (sender) => (await begin(sender, 'p', 10)).say(DATA, Buffer.alloc(11))],
    ['empty data', async (sender) => (await begin(sender, 'p', 10)).say(DATA)],
    [
      'an end too early',
      async (sender) => (await begin(sender, 'p', 10)).say(DATA, Buffer.alloc(9)).say(COMPLETE, Buffer.alloc(32)),
    ],
  ])('refuses %s', async (_, doWrong) => {
    const sender = new Sender()
    await doWrong(sender)
    expect(await sender.refusal()).toBe('protocol')
    expect(existsSync(join(directory, 'p'))).toBe(false)
  })

  test('does not keep what arrived damaged', async () => {
    const sender = await begin(new Sender(), 'damaged', 100)
    sender.say(DATA, randomBytes(100)).say(COMPLETE, sha256(randomBytes(100)))
    expect(await sender.refusal()).toBe('digest')
    expect(await new Sender().offer('damaged', 100)).toBe(0)
  })

  test('does not take a file twice at the same time', async () => {
    const first = await begin(new Sender(), 'busy', 10)
    expect(await new Sender().say(OFFER, encodeOffer({ name: 'busy', size: 10 })).refusal()).toBe('busy')
    const content = randomBytes(10)
    first.say(DATA, content).say(COMPLETE, sha256(content))
    expect((await first.answer()).type).toBe(STORED)
    expect(readFileSync(join(directory, 'busy')).equals(content)).toBe(true)
  })

  test('keeps the beginning of a file whose sender has gone, and none that is empty', async () => {
    const content = randomBytes(1000)
    const first = await begin(new Sender(), 'left', 1000)
    first.say(DATA, content.subarray(0, 600)).stream.end()
    await new Promise((resolve) => first.stream.once('close', resolve))
    const second = new Sender()
    expect(await second.offer('left', 1000)).toBe(600)
    second.say(START, encodeOffset(600)).say(DATA, content.subarray(600)).say(COMPLETE, sha256(content))
    expect((await second.answer()).type).toBe(STORED)
    const third = await begin(new Sender(), 'empty', 1000)
    third.stream.end()
    await new Promise((resolve) => third.stream.once('close', resolve))
    expect(readdirSync(directory)).not.toContain('.empty.geysir-part')
  })

  test('refuses streams for something else', async () => {
    const stream = peer.openStream({ label: 'geysir push 2' })
    stream.send('x')
    const error = await new Promise((resolve) => stream.once('close', resolve))
    expect(error).toMatchObject({ code: 'ERR_STREAM_RESET', reason: 'refused' })
  })

  async function begin(sender: Sender, name: string, size: number): Promise<Sender> {
    return sender.say(START, encodeOffset(0 * (await sender.offer(name, size))))
  }
})

describe('messages of a push', () => {
  test('are read as they were written', async () => {
    await checkProperty(
      fc.property(
        fc.nat(Number.MAX_SAFE_INTEGER),
        fc.string({ unit: 'grapheme' }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (size, name, digest) => {
          expect(decodeOffer(encodeOffer({ name, size }))).toEqual({ name, size })
          const have = { offset: size, digest: Buffer.from(digest) }
          expect(decodeHave(encodeHave(have))).toEqual(have)
        },
      ),
    )
    expect(decodeRefusal(encodeRefusal('space', 'none \x1b[2Jleft'))).toEqual({ reason: 'space', text: 'none [2Jleft' })
    expect(decodeRefusal(Buffer.of(77, 65))).toEqual({ reason: undefined, text: 'A' })
  })
})

test('a disk that lags behind is noticed, and what waits for it is bounded', async () => {
  let written = 0
  const part = await PartFile.open(root, 'slow', 1e9, () => written++)
  await part.begin(0)
  const content = randomBytes(65_536)
  let pieces = 0
  for (; !part.isFull; pieces++) part.write(content)
  expect(pieces).toBe(64)
  await expect.poll(() => part.isFull).toBe(false)
  for (pieces = 0; !part.isFull; pieces++) part.write(Buffer.of(1))
  expect(pieces).toBeLessThanOrEqual(513)
  expect(written).toBeGreaterThan(0)
  await part.discard()
  expect(readdirSync(root)).not.toContain('.slow.geysir-part')
})
