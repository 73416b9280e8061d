import { createHash, randomBytes } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { UdpSocket } from '../../src/index.js'
import { lacking, mountProblem } from '../support/capabilities.js'
import { MAIN, Program, eventOf, geysir, objectsOf, startGeysir, type Result } from './command.js'

const root = mkdtempSync(join(tmpdir(), 'geysir-push-'))
afterAll(() => rmSync(root, { recursive: true }))
let made = 0

function file(name: string, bytes: number | Buffer): { path: string; content: Buffer } {
  const directory = join(root, `from-${++made}`)
  mkdirSync(directory)
  const content = typeof bytes === 'number' ? randomBytes(bytes) : bytes
  writeFileSync(join(directory, name), content)
  return { path: join(directory, name), content }
}

function folder(): string {
  return join(root, `to-${++made}`)
}

async function receive(directory: string, ...args: string[]): Promise<Program & { readonly port: number }> {
  return listening(startGeysir(['receive', directory, ...(/^\d+\.|^\[/.test(args[0] ?? '') ? [] : ['127.0.0.1:0']), ...args]))
}

async function listening(program: Program): Promise<Program & { readonly port: number }> {
  const [, port] = await program.waitFor('stderr', /(?:listening on \S+:|"port":)(\d+)/)
  return Object.assign(program, { port: Number(port) })
}

function push(port: number, ...args: string[]): Promise<Result> {
  return geysir(['push', ...args, `127.0.0.1:${port}`])
}

const partOf = (directory: string, name: string): string => join(directory, `.${name}.geysir-part`)
const lengthOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0)
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

describe('geysir push', () => {
  test('brings files, an empty one among them, and both ends know their SHA-256', async () => {
    const files = [file('one', 3_000_000), file('two', 70_000), file('nothing', 0), file('ünïcode name', 1)]
    const directory = folder()
    const receiver = await receive(directory, '--json', '--count', '4')
    const sent = await push(receiver.port, ...files.map(({ path }) => path), '--json')
    expect(sent.code).toBe(0)
    const received = await receiver.ended
    expect(received.code).toBe(0)
    expect(readdirSync(directory).sort()).toEqual(['nothing', 'one', 'two', 'ünïcode name'])
    for (const { path, content } of files) {
      const name = path.slice(path.lastIndexOf('/') + 1)
      expect(readFileSync(join(directory, name)).equals(content)).toBe(true)
      const about = { name, bytes: content.length, sha256: sha256(content), resumedFrom: 0 }
      expect(objectsOf(sent.stdout)).toContainEqual(expect.objectContaining({ ...about, path }))
      expect(objectsOf(received.stdout)).toContainEqual(expect.objectContaining(about))
    }
  })

  test('over IPv6, with a secret and short frames', async () => {
    const { path, content } = file('x', 500_000)
    const secret = file('secret', 32).path
    const directory = folder()
    const receiver = await receive(directory, '[::1]:0', '--secret-file', secret, '--count', '1')
    const args = ['push', path, `[::1]:${receiver.port}`, '--secret-file', secret, '--frame-bytes', '1200']
    expect((await geysir(args)).code).toBe(0)
    expect(readFileSync(join(directory, 'x')).equals(content)).toBe(true)
  })

  test('who does not have the secret gets nowhere', async () => {
    const receiver = await receive(folder(), '--secret-file', file('secret', 32).path)
    const result = await push(receiver.port, file('x', 10).path, '--retry', '300', '--secret-file', file('other', 32).path)
    expect(result).toMatchObject({ code: 3, stdout: '' })
    expect(result.stderr).toMatch(/given up/)
  })

  test('goes on with a beginning that is there', async () => {
    const { path, content } = file('x', 1_000_000)
    const directory = folder()
    const receiver = await receive(directory)
    writeFileSync(partOf(directory, 'x'), content.subarray(0, 600_001))
    const sent = await push(receiver.port, path, '--json')
    expect(objectsOf(sent.stdout)).toMatchObject([{ resumedFrom: 600_001, sha256: sha256(content) }])
    expect(readFileSync(join(directory, 'x')).equals(content)).toBe(true)
  })

  test.each([
    ['other bytes', (content: Buffer) => Buffer.concat([content.subarray(0, 400_000), Buffer.of(content[400_000]! ^ 1)])],
    ['more bytes', (content: Buffer) => Buffer.concat([content, content])],
    ['zeros, as a crash leaves them', (content: Buffer) => Buffer.concat([content.subarray(0, 400_000), Buffer.alloc(100_000)])],
  ])('a beginning with %s is none', async (_, spoil) => {
    const { path, content } = file('x', 1_000_000)
    const directory = folder()
    const receiver = await receive(directory)
    writeFileSync(partOf(directory, 'x'), spoil(content))
    const sent = await push(receiver.port, path, '--json')
    expect(objectsOf(sent.stdout)).toMatchObject([{ resumedFrom: 0, sha256: sha256(content) }])
    expect(readFileSync(join(directory, 'x')).equals(content)).toBe(true)
    expect(readdirSync(directory)).toEqual(['x'])
  })

  test('a receiver that is killed in mid-file and started again gets the rest', async () => {
    const { path, content } = file('x', 12_000_000)
    const directory = folder()
    const receiver = await receive(directory)
    const { port } = receiver
    const pushing = push(port, path, '--json', '--rate', '8M')
    await until(() => lengthOf(partOf(directory, 'x')) > 2_000_000)
    receiver.kill('SIGKILL')
    await receiver.ended
    expect(existsSync(join(directory, 'x'))).toBe(false)
    await receive(directory, `127.0.0.1:${port}`)
    const sent = await pushing
    expect(sent.code).toBe(0)
    expect(eventOf(sent, 'retry')).toBeDefined()
    const [about] = objectsOf(sent.stdout)
    expect(about).toMatchObject({ sha256: sha256(content) })
    expect(about!['resumedFrom']).toBeGreaterThan(2_000_000)
    expect(readFileSync(join(directory, 'x')).equals(content)).toBe(true)
  }, 60_000)

  test.each(['SIGINT', 'SIGKILL'] as const)(
    'that is ended by %s can be gone on with',
    async (signal) => {
      const { path, content } = file('x', 6_000_000)
      const directory = folder()
      const receiver = await receive(directory)
      const first = startGeysir(['push', path, `127.0.0.1:${receiver.port}`, '--rate', '4M'])
      await until(() => lengthOf(partOf(directory, 'x')) > 1_000_000)
      first.kill(signal)
      expect(await first.ended).toMatchObject(signal === 'SIGINT' ? { code: 130 } : { signal })
      // Until the silence of the killed one is noticed, its file is busy.
      const sent = await push(receiver.port, path, '--json')
      expect(sent.code).toBe(0)
      expect(objectsOf(sent.stdout)[0]!['resumedFrom']).toBeGreaterThan(1_000_000)
      expect(readFileSync(join(directory, 'x')).equals(content)).toBe(true)
    },
    60_000,
  )

  test('a receiver that is interrupted keeps what has come', async () => {
    const { path } = file('x', 6_000_000)
    const directory = folder()
    const receiver = await receive(directory)
    const pushing = push(receiver.port, path, '--rate', '4M', '--retry', '0')
    await until(() => lengthOf(partOf(directory, 'x')) > 1_000_000)
    receiver.kill('SIGINT')
    expect((await receiver.ended).code).toBe(0)
    expect(lengthOf(partOf(directory, 'x'))).toBeGreaterThan(1_000_000)
    expect((await pushing).code).toBe(3)
  })

  test('replaces nothing unless told, and knows what is there already', async () => {
    const directory = folder()
    const { path, content } = file('x', 100_000)
    const careful = await receive(directory)
    writeFileSync(join(directory, 'x'), 'precious')
    const refused = await push(careful.port, path)
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/was not sent: it exists/) as string })
    writeFileSync(join(directory, 'x'), randomBytes(content.length))
    expect((await push(careful.port, path)).stderr).toMatch(/was not sent: it exists/)
    writeFileSync(join(directory, 'x'), content)
    const there = await push(careful.port, path)
    expect(there).toMatchObject({ code: 0, stderr: expect.stringMatching(/100 000 bytes, was there/) as string })
    careful.kill('SIGTERM')
    await careful.ended
    writeFileSync(join(directory, 'x'), randomBytes(content.length))
    const bold = await receive(directory, '--overwrite')
    expect((await push(bold.port, path)).code).toBe(0)
    expect(readFileSync(join(directory, 'x')).equals(content)).toBe(true)
    expect(readdirSync(directory)).toEqual(['x'])
  })

  test('one file that is refused does not keep the others', async () => {
    const directory = folder()
    const receiver = await receive(directory, '--max-bytes', '1000')
    const [long, short] = [file('long', 1001), file('short', 1000)]
    const sent = await push(receiver.port, long.path, short.path)
    expect(sent.code).toBe(1)
    expect(sent.stderr).toMatch(/long was not sent: longer than the 1 000 bytes that are taken here/)
    expect(readdirSync(directory)).toEqual(['short'])
  })

  test('a file that is changed meanwhile is not sent as a mix', async () => {
    const { path } = file('x', 12_000_000)
    const directory = folder()
    const receiver = await receive(directory)
    const pushing = push(receiver.port, path, '--rate', '4M')
    await until(() => lengthOf(partOf(directory, 'x')) > 500_000)
    appendFileSync(path, 'more')
    const sent = await pushing
    expect(sent).toMatchObject({ code: 1, stderr: expect.stringMatching(/was changed while it was sent/) as string })
    expect(existsSync(join(directory, 'x'))).toBe(false)
  })

  test('one process at a time receives into a directory', async () => {
    const directory = folder()
    await receive(directory)
    const second = await geysir(['receive', directory, '127.0.0.1:0'])
    expect(second).toMatchObject({ code: 1, stderr: `error: another process receives into ${directory}\n` })
  })

  test('says in a line what is wrong', async () => {
    const { path } = file('x', 10)
    const wrong = (...args: string[]): Promise<Result> => geysir(['push', ...args])
    expect(await wrong(path)).toMatchObject({ code: 2, stderr: expect.stringMatching(/where to\?/) as string })
    expect(await wrong('/nowhere/at/all', 'localhost')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/ENOENT/) as string,
    })
    expect(await wrong(root, 'localhost')).toMatchObject({ code: 2, stderr: expect.stringMatching(/is a directory/) as string })
    expect(await wrong('/dev/zero', 'localhost')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no regular file/) as string,
    })
    expect(await wrong(path, file('x', 1).path, 'localhost')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/would be one file over there/) as string,
    })
    expect(await wrong(path, 'a:b:c')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no host, nor host:port/) as string,
    })
    expect(await wrong(path, 'localhost:70000')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/from 1 to 65535/) as string,
    })
    expect(await wrong(path, 'localhost', '--secret-file', path)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/10 bytes; a secret has at least 16/) as string,
    })
  })

  test.each<[string[], number, RegExp]>([
    [['push', 'FILE', '239.1.1.1'], 2, /239\.1\.1\.1 is a multicast group: files go there with --group 239\.1\.1\.1:7497/],
    [['push', 'FILE', 'nothing.invalid'], 1, /ENOTFOUND|EAI_AGAIN/],
    [['push', 'FILE', 'localhost', '--secret-file', '/'], 2, /\/ is a directory/],
    [['push', 'FILE', 'localhost', '--secret-file', '/nowhere/secret'], 1, /ENOENT.*'\/nowhere\/secret'/],
    [['receive', 'FILE'], 1, /EEXIST/],
    [['receive', 'FILE/below'], 1, /ENOTDIR/],
    [['receive', '/proc/nothing/can/be/made/here'], 1, /ENOENT.*\/proc\/nothing/],
    [['receive', 'NEW', '70000'], 2, /from 0 to 65535/],
    [['receive', 'NEW', 'nothing.invalid:0'], 1, /ENOTFOUND|EAI_AGAIN/],
    [['receive', 'NEW', '0', '--secret-file', 'FILE'], 2, /10 bytes; a secret has at least 16/],
    [['push', 'FILE', '--group', '239.1.1.1:9', '-6'], 2, /239\.1\.1\.1 is an IPv4 group, and -6 was given/],
    [['push', 'FILE', '--group', '[ff15::1]:9', '-4'], 2, /ff15::1 is an IPv6 group, and -4 was given/],
    [['receive', 'NEW', '--group', '239.1.1.1:9', '-6'], 2, /239\.1\.1\.1 is an IPv4 group, and -6 was given/],
    [['receive', 'NEW', '--interface', 'nonsense'], 2, /--interface is where to hear a --group/],
    [['receive', 'NEW', '0', '--interface', 'lo'], 2, /--interface is where to hear a --group/],
    [['receive', 'NEW', '0', '--group', '239.77.44.1:9', '--interface', 'nope0'], 1, /ENODEV nope0/],
  ])('geysir %j', async (args, code, message) => {
    const [{ path }, directory] = [file('x', 10), folder()]
    const result = await geysir(args.map((word) => word.replace('FILE', path).replace('NEW', directory)))
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) as string })
    expect(result.stderr).toMatch(/^error: .*\n(\(add --help.*\n)?$/)
    expect(existsSync(directory)).toBe(false)
  })

  test('a directory is made, and what is above it', async () => {
    const directory = join(folder(), 'a', 'b')
    expect(await geysir(['receive', `${directory}/`, '127.0.0.1:0', '--timeout', '50'])).toMatchObject({ code: 3 })
    expect(readdirSync(directory)).toEqual([])
  })

  test('nobody there is 3', async () => {
    const nobody = new UdpSocket()
    onTestFinished(() => nobody.close())
    const { port } = await nobody.bind({ address: '127.0.0.1' })
    expect(await push(port, file('x', 10).path, '--retry', '200')).toMatchObject({ code: 3 })
  })
})

describe.skipIf(lacking('file systems to fill', mountProblem()))('a disk that is full', () => {
  /** A receiver with a disk of two megabytes, which nobody else sees. */
  async function receiveOnSmallDisk(directory: string): Promise<Program & { readonly port: number }> {
    mkdirSync(directory)
    const script = 'mount -t tmpfs -o size=2m none "$1" && exec "$2" "$3" receive "$1" 127.0.0.1:0'
    return listening(new Program('unshare', ['-m', 'sh', '-c', script, 'sh', directory, process.execPath, MAIN]))
  }

  test('that cannot be written to is told before anything comes', async () => {
    const directory = folder()
    mkdirSync(directory)
    const script = 'mount -t tmpfs -o ro none "$1" && exec "$2" "$3" receive "$1" 127.0.0.1:0'
    const receiver = new Program('unshare', ['-m', 'sh', '-c', script, 'sh', directory, process.execPath, MAIN])
    expect(await receiver.ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: EROFS.*\n$/) as string })
  })

  test('refuses what there is no room for', async () => {
    const receiver = await receiveOnSmallDisk(folder())
    const sent = await push(receiver.port, file('x', 3_000_000).path)
    expect(sent).toMatchObject({ code: 1, stderr: expect.stringMatching(/3 000 000 bytes are wanted, and .* free/) as string })
  })

  test('that others fill meanwhile ends the file with ENOSPC, and its beginning is kept', async () => {
    const directory = folder()
    const receiver = await receiveOnSmallDisk(directory)
    const inside = `/proc/${receiver.pid}/root${directory}`
    const { path, content } = file('x', 1_900_000)
    const pushing = push(receiver.port, path, '--rate', '2M')
    await until(() => lengthOf(partOf(inside, 'x')) > 500_000)
    writeFileSync(join(inside, 'filler'), Buffer.alloc(600_000))
    const sent = await pushing
    expect(sent).toMatchObject({ code: 1, stderr: expect.stringMatching(/was not sent: ENOSPC/) as string })
    rmSync(join(inside, 'filler'))
    const again = await push(receiver.port, path, '--json')
    expect(objectsOf(again.stdout)[0]!['resumedFrom']).toBeGreaterThan(500_000)
    expect(readFileSync(join(inside, 'x')).equals(content)).toBe(true)
  })
})

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { interval: 10, timeout: 20_000 }).toBe(true)
}
