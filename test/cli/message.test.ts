import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Endpoint, UdpSocket } from '../../src/index.js'
import { eventOf, geysir, objectsOf, startGeysir, type Program } from './command.js'

const directory = mkdtempSync(join(tmpdir(), 'geysir-message-'))
afterAll(() => rmSync(directory, { recursive: true }))

async function listen(...args: string[]): Promise<Program & { readonly port: number }> {
  const program = startGeysir(['message', 'listen', '127.0.0.1:0', ...args])
  const [, port] = await program.waitFor('stderr', /(?:listening on \S+:|"port":)(\d+)/)
  return Object.assign(program, { port: Number(port) })
}

function file(name: string, bytes: number): { path: string; content: Buffer } {
  const path = join(directory, name)
  const content = randomBytes(bytes)
  writeFileSync(path, content)
  return { path, content }
}

/** A path to `port` that loses every so many-th datagram. */
async function lossyPath(port: number, every: number): Promise<UdpSocket> {
  const proxy = new UdpSocket({ type: 'udp4', receiveBufferBytes: 4 << 20 })
  await proxy.bind({ address: '127.0.0.1' })
  const target = Endpoint.of('127.0.0.1', port)
  let count = 0
  proxy.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) if (++count % every !== 0) proxy.send(batch.payload(i), target)
  })
  return proxy
}

describe('geysir message', () => {
  test.each(['compact', 'classic'])('sends standard input and prints it, in the %s format', async (format) => {
    const listener = await listen('--format', format, '--count', '1')
    const sent = await geysir(['message', 'send', '127.0.0.1', String(listener.port), '--format', format], 'hello')
    expect(sent).toMatchObject({
      code: 0,
      stdout: '',
      stderr: `sent 1 message, 5 bytes, in 1 datagram, to 127.0.0.1:${listener.port}\n`,
    })
    const result = await listener.ended
    expect(result).toMatchObject({ code: 0, stdout: 'hello' })
    expect(result.stderr).toMatch(/from 127\.0\.0\.1:\d+: 5 bytes in 1 chunk\n$/)
  })

  test('brings a file of 4 MiB over a path that loses a twentieth', async () => {
    const { path, content } = file('long', 4 << 20)
    const output = join(directory, 'out')
    const listener = await listen('--count', '1', '--output', output, '--json')
    await using proxy = await lossyPath(listener.port, 20)
    const { port } = proxy.address()
    const sent = await geysir([
      'message',
      'send',
      '127.0.0.1',
      String(port),
      path,
      '-r',
      '10%',
      '--datagram-bytes',
      '1472',
      // A busy machine is to lose nothing besides.
      '--bytes-per-second',
      '6M',
      '--json',
    ])
    expect(eventOf(sent, 'sent')).toMatchObject({ messages: 1, bytes: 4 << 20, datagrams: 3277 })
    const result = await listener.ended
    expect(result.code).toBe(0)
    expect(readFileSync(output).equals(content)).toBe(true)
    const [message] = objectsOf(result.stdout)
    expect(message).toMatchObject({ bytes: 4 << 20, hash: 'sha256', chunkCount: 2979, chunksDamaged: 0 })
    expect(message!['chunksRepaired']).toBeGreaterThan(140)
  })

  test('writes each message to a file of its own', async () => {
    const [a, b] = [file('a', 10_000), file('b', 20_000)]
    const folder = join(directory, 'inbox')
    const listener = await listen('--count', '4', '--directory', folder)
    await geysir(['message', 'send', '127.0.0.1', String(listener.port), a.path, b.path, '--count', '2', '-q'])
    expect((await listener.ended).code).toBe(0)
    const contents = readdirSync(folder).map((name) => readFileSync(join(folder, name)))
    expect(contents.length).toBe(4)
    for (const content of contents) expect(content.equals(a.content) || content.equals(b.content)).toBe(true)
  })

  test('with a key takes only what was made with it', async () => {
    const key = file('key', 32).path
    const other = file('other', 32).path
    const listener = await listen('--key-file', key, '--expiry', '50', '--timeout', '2000', '--count', '1')
    const { path, content } = file('secret', 3000)
    await geysir(['message', 'send', '127.0.0.1', String(listener.port), path])
    await geysir(['message', 'send', '127.0.0.1', String(listener.port), path, '--key-file', other])
    await geysir(['message', 'send', '127.0.0.1', String(listener.port), path, '--key-file', key])
    const result = await listener.ended
    expect(result.stderr).toMatch(/damaged, /)
    expect(result.stderr).toMatch(/wanted here: \d+ hash/)
    expect(result.stdout.length).toBeGreaterThan(0)
    expect(content.length).toBe(3000)
  })

  test('says what did not arrive whole', async () => {
    const listener = await listen('--expiry', '50', '--timeout', '1000')
    await using proxy = await lossyPath(listener.port, 2)
    const { path } = file('lost', 50_000)
    await geysir(['message', 'send', '127.0.0.1', String(proxy.address().port), path, '-r', '0'])
    const result = await listener.ended
    expect(result.stderr).toMatch(/48\.\d+|50 000 bytes: expired, \d+ of \d+ chunks? arrived/)
    expect(result.code).toBe(3)
  })

  test('says in a line what is wrong', async () => {
    const send = (...args: string[]): Promise<{ code: number | null; stderr: string }> =>
      geysir(['message', 'send', '127.0.0.1', '9', ...args])
    expect(await send()).toMatchObject({ code: 2, stderr: expect.stringMatching(/the input is empty/) as string })
    expect(await send('/nowhere/at/all')).toMatchObject({ code: 1, stderr: expect.stringMatching(/ENOENT/) as string })
    expect(await send(directory)).toMatchObject({ code: 2, stderr: expect.stringMatching(/is a directory/) as string })
    expect(await send(file('x', 5000).path, '--max-bytes', '4000')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/longer/) as string,
    })
    expect(await send('-r', 'much')).toMatchObject({ code: 2, stderr: expect.stringMatching(/adaptive/) as string })
    expect(await send('--count', '2')).toMatchObject({ code: 2, stderr: expect.stringMatching(/--count/) as string })
    expect(await send('--key-file', file('short', 3).path)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/16 to 128/) as string,
    })
    const contradiction = await geysir(['message', 'listen', '0', '--accept-unhashed'])
    expect(contradiction).toMatchObject({ code: 2, stderr: expect.stringMatching(/acceptUnhashed/) as string })
  })
})
