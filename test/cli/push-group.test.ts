import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { UdpSocket, createNode, type Stream } from '../../src/index.js'
import {
  COMPLETE,
  DATA,
  HAVE,
  OFFER,
  REFUSED,
  START,
  START_GROUP,
  STORED,
  decodeGroupStart,
  encodeGroupStart,
  encodeHave,
  encodeRefusal,
} from '../../src/cli/push/wire.js'
import { joinAnnounced, openGroupSocket } from '../../src/cli/receive/group.js'
import { Status } from '../../src/cli/status.js'
import { groupPlace } from '../../src/cli/push/place.js'
import { eventOf, geysir, objectsOf, startGeysir, type Program, type Result } from './command.js'

const root = mkdtempSync(join(tmpdir(), 'geysir-push-group-'))
afterAll(() => rmSync(root, { recursive: true }))
let made = 0

/** A group of one's own: the port is one that is free now. */
async function newGroup(): Promise<string> {
  const socket = new UdpSocket()
  const { port } = await socket.bind({ address: '127.0.0.1' })
  socket.close()
  return `239.77.44.${++made}:${port}`
}

function file(name: string, bytes: number): { path: string; content: Buffer } {
  const directory = join(root, `from-${++made}`)
  mkdirSync(directory)
  const content = randomBytes(bytes)
  writeFileSync(join(directory, name), content)
  return { path: join(directory, name), content }
}

async function receive(group: string, directory: string, ...args: string[]): Promise<Program> {
  const program = startGeysir(['receive', directory, '127.0.0.1:0', '--group', group, '--interface', '127.0.0.1', ...args])
  await program.waitFor('stderr', /listening|"listening"/)
  return program
}

function push(group: string, receivers: number, ...args: string[]): Promise<Result> {
  return geysir(['push', '--group', group, '--interface', '127.0.0.1', '--receivers', String(receivers), '--json', ...args])
}

const folders = (count: number): string[] => Array.from({ length: count }, () => join(root, `to-${++made}`))
const partOf = (directory: string, name: string): string => join(directory, `.${name}.geysir-part`)
const lengthOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0)

describe('geysir push --group', () => {
  test('brings files to all receivers, each checked', async () => {
    const group = await newGroup()
    const directories = folders(3)
    await Promise.all(directories.map((directory) => receive(group, directory)))
    const files = [file('one', 3_000_000), file('two', 1), file('empty', 0)]
    const sent = await push(group, 3, '--rate', '30M', ...files.map(({ path }) => path))
    expect(sent.code).toBe(0)
    expect(objectsOf(sent.stdout).length).toBe(9)
    for (const directory of directories) {
      expect(readdirSync(directory).sort()).toEqual(['empty', 'one', 'two'])
      for (const { path, content } of files) {
        const name = path.slice(path.lastIndexOf('/') + 1)
        expect(readFileSync(join(directory, name)).equals(content)).toBe(true)
        const sha256 = createHash('sha256').update(content).digest('hex')
        expect(objectsOf(sent.stdout).filter((about) => about['name'] === name && about['sha256'] === sha256).length).toBe(3)
      }
    }
    expect(eventOf(sent, 'sent')).toMatchObject({ receivers: 3, have: 3 })
  })

  test('each receiver goes on with what it has, or begins anew', async () => {
    const group = await newGroup()
    const { path, content } = file('x', 2_000_000)
    const directories = folders(4)
    for (const directory of directories) mkdirSync(directory)
    const [more, less, other, whole] = directories as [string, string, string, string]
    writeFileSync(partOf(more, 'x'), content.subarray(0, 1_500_000))
    writeFileSync(partOf(less, 'x'), content.subarray(0, 1_000_001))
    writeFileSync(partOf(other, 'x'), randomBytes(1_200_000))
    writeFileSync(join(whole, 'x'), content)
    await Promise.all(directories.map((directory) => receive(group, directory)))
    const sent = await push(group, 4, path)
    expect(sent.code).toBe(0)
    const resumed = objectsOf(sent.stdout).map((about) => about['resumedFrom'] as number)
    expect(resumed.sort((a, b) => a - b)).toEqual([0, 1_000_001, 1_500_000, 2_000_000])
    for (const directory of directories) {
      expect(readdirSync(directory)).toEqual(['x'])
      expect(readFileSync(join(directory, 'x')).equals(content)).toBe(true)
    }
  })

  test('one that is killed, and one that refuses, do not keep the others', async () => {
    const group = await newGroup()
    const { path, content } = file('x', 6_000_000)
    const [good, killed, refusing] = folders(3) as [string, string, string]
    await receive(group, good)
    const victim = await receive(group, killed)
    await receive(group, refusing, '--max-bytes', '1000')
    const pushing = push(group, 3, path, '--rate', '3M')
    await expect.poll(() => lengthOf(partOf(killed, 'x')), { interval: 10, timeout: 20_000 }).toBeGreaterThan(500_000)
    victim.kill('SIGKILL')
    const sent = await pushing
    expect(sent.code).toBe(1)
    expect(eventOf(sent, 'sent')).toMatchObject({ receivers: 3, have: 1 })
    expect(sent.stderr).toMatch(/does not have .*: longer than the 1 000 bytes/)
    expect(readFileSync(join(good, 'x')).equals(content)).toBe(true)
    expect(readdirSync(refusing)).toEqual([])
  }, 60_000)

  test('without --receivers begins when no other comes, and nobody at all is 3', async () => {
    const group = await newGroup()
    const { path, content } = file('x', 100_000)
    const common = ['--group', group, '--interface', '127.0.0.1', '--settle', '300', path]
    expect(await geysir(['push', ...common, '--retry', '400'])).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/given up: no receiver came/) as string,
    })
    const [directory] = folders(1) as [string]
    const receiver = await receive(group, directory, '--count', '1')
    expect((await geysir(['push', ...common])).code).toBe(0)
    expect((await receiver.ended).code).toBe(0)
    expect(readFileSync(join(directory, 'x')).equals(content)).toBe(true)
    expect(await push(group, 2, path, '--retry', '300')).toMatchObject({ code: 3 })
  })

  test('with a secret, only who has it takes part', async () => {
    const group = await newGroup()
    const secret = file('secret', 32).path
    const [inside, outside] = folders(2) as [string, string]
    await receive(group, inside, '--secret-file', secret)
    await receive(group, outside)
    const sent = await push(group, 1, file('x', 1000).path, '--secret-file', secret)
    expect(sent.code).toBe(0)
    expect([readdirSync(inside), readdirSync(outside)]).toEqual([['x'], []])
  })

  test('who loses the group gets the file alone', async () => {
    const group = await newGroup()
    const { path, content } = file('x', 300_000)
    const received: Buffer[] = []
    await loseGroup(group, received)
    const sent = await push(group, 1, path)
    expect(sent.code).toBe(0)
    expect(eventOf(sent, 'alone')).toMatchObject({ name: 'x' })
    expect(Buffer.concat(received).equals(content)).toBe(true)
  })

  test('says in a line what is wrong', async () => {
    const { path } = file('x', 10)
    const wrong = (...args: string[]): Promise<Result> => geysir(['push', ...args])
    expect(await wrong('--group', '10.0.0.1:9', path)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/a multicast address and a port/) as string,
    })
    expect(await wrong('--receivers', '2', path, 'localhost')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--receivers is for a --group/) as string,
    })
    const start = { offset: 5, groupOffset: 3, number: 7 }
    expect(decodeGroupStart(encodeGroupStart(start))).toEqual(start)
    // As docs/wire/push.md has it.
    expect(encodeGroupStart(start).toString('hex')).toBe('0500000000000000' + '0300000000000000' + '07000000')
    expect(decodeGroupStart(encodeGroupStart({ ...start, groupOffset: 6 }))).toBeUndefined()
  })
})

/** Takes part, says that it lost the group's stream, and takes the file when it comes alone. */
async function loseGroup(group: string, received: Buffer[]): Promise<void> {
  const groupSocket = await openGroupSocket(groupPlace(group), { interface: '127.0.0.1' })
  const socket = new UdpSocket()
  await socket.bind({ address: '127.0.0.1' })
  const node = createNode({ link: socket, groupLink: groupSocket })
  onTestFinished(() => {
    node.destroy()
    socket.close()
    groupSocket.close()
  })
  joinAnnounced(groupSocket, node, new Status({ quiet: true }))
  const answer = (stream: Stream, type: number): void => {
    if (type === OFFER) stream.send(encodeHave({ offset: 0, digest: createHash('sha256').digest() }), HAVE)
    if (type === START_GROUP) stream.send(encodeRefusal('lost', 'it went by'), REFUSED)
    if (type === COMPLETE) stream.send(Buffer.alloc(0), STORED)
  }
  node.on('stream', (stream) => {
    if (stream.isGroup) return stream.reset()
    stream.on('message', (message, type) => {
      if (type === DATA) received.push(Buffer.from(message))
      else if (type !== START) answer(stream, type)
    })
  })
}
