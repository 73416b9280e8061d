import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { lacking } from '../support/capabilities.js'
import { MAIN, Program, eventOf, geysir, linesOf, objectsOf, startListening } from './command.js'

const directory = mkdtempSync(join(tmpdir(), 'geysir-cli-'))
afterAll(() => rmSync(directory, { recursive: true }))

describe('one datagram', () => {
  test('is a line, and says what was done', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '1'])
    const sent = await geysir(['send', '127.0.0.1', String(listener.port), 'halló'])
    expect(sent).toMatchObject({ code: 0, stdout: '', stderr: `sent 1 datagram, 6 bytes, to 127.0.0.1:${listener.port}\n` })
    expect(await listener.ended).toMatchObject({ code: 0, stdout: 'halló\n' })
  })

  test('may be empty', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '1', '-v'])
    expect(await geysir(['send', '127.0.0.1', String(listener.port), ''])).toMatchObject({ code: 0 })
    expect((await listener.ended).stdout).toMatch(/^127\.0\.0\.1:\d+ {2}0 B {2}\n$/)
  })

  test('goes in and out as hexadecimal', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '1', '--hex'])
    await geysir(['send', '127.0.0.1', String(listener.port), 'DE:ad be ef', '--hex'])
    expect(await listener.ended).toMatchObject({ code: 0, stdout: 'deadbeef\n' })
  })

  test('cannot write control sequences to a terminal', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '2'])
    await geysir(['send', '127.0.0.1', String(listener.port), 'a\x1b[2Jb\nc\td\n'])
    await geysir(['send', '127.0.0.1', String(listener.port), 'ff 41 0d', '--hex'])
    expect((await listener.ended).stdout).toBe('a\\x1b[2Jb\\nc\td\n\\xffA\\r\n')
  })

  test('reaches 65 507 bytes', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '1', '--json'])
    const sent = await geysir(['send', '127.0.0.1', String(listener.port), '--whole'], 'x'.repeat(65_507))
    expect(sent.code).toBe(0)
    expect(objectsOf((await listener.ended).stdout)).toMatchObject([{ bytes: 65_507 }])
  })
})

describe('--json', () => {
  test('tells everything about a datagram', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '2', '--json'])
    const before = BigInt(Date.now()) * 1_000_000n
    await geysir(['send', '127.0.0.1', String(listener.port), 'text', '--ttl', '7', '--tos', '0x2e', '--source', '127.0.0.2'])
    await geysir(['send', '127.0.0.1', String(listener.port), 'ff00', '--hex'])
    const result = await listener.ended
    const [text, binary] = objectsOf(result.stdout)
    expect(text).toMatchObject({
      from: { address: '127.0.0.2', port: expect.any(Number) as number },
      to: { address: '127.0.0.1', port: listener.port },
      bytes: 4,
      ttl: 7,
      tos: 0x2e,
      encoding: 'utf8',
      payload: 'text',
    })
    expect(BigInt(text!['timeNs'] as string) - before).toBeLessThan(20_000_000_000n)
    expect(BigInt(text!['timeNs'] as string) - before).toBeGreaterThan(-1_000_000_000n)
    expect(binary).toMatchObject({ bytes: 2, encoding: 'base64', payload: '/wA=' })
    expect(eventOf(result, 'listening')).toEqual({ event: 'listening', address: '127.0.0.1', port: listener.port })
  })

  test('shows IPv4 peers of a dual-stack socket as IPv4', async () => {
    const listener = await startListening(['0', '--count', '1', '--json'])
    await geysir(['send', '127.0.0.1', String(listener.port), 'x'])
    expect(objectsOf((await listener.ended).stdout)).toMatchObject([
      { from: { address: '127.0.0.1' }, to: { address: '127.0.0.1', port: listener.port } },
    ])
  })
})

describe('addresses', () => {
  test('without one, both families arrive', async () => {
    const listener = await startListening(['0', '--count', '3', '-v'])
    for (const host of ['127.0.0.1', '::1', 'localhost']) {
      expect(await geysir(['send', host, String(listener.port), host])).toMatchObject({ code: 0 })
    }
    const lines = linesOf((await listener.ended).stdout)
    expect(lines[0]).toMatch(/^127\.0\.0\.1:\d+ {2}9 B {2}127\.0\.0\.1$/)
    expect(lines[1]).toMatch(/^\[::1\]:\d+ {2}3 B {2}::1$/)
    expect(lines[2]).toMatch(/localhost$/)
  })

  test('-6 leaves IPv4 alone, -4 leaves IPv6 alone', async () => {
    const six = await startListening(['0', '-6', '--count', '1'])
    const refused = await geysir(['send', '127.0.0.1', String(six.port), 'four'])
    expect(refused.code).toBe(1)
    await geysir(['send', '::1', String(six.port), 'six'])
    expect((await six.ended).stdout).toBe('six\n')

    const four = await startListening(['0', '-4', '--count', '1'])
    expect((await geysir(['send', '::1', String(four.port), 'six'])).code).toBe(1)
    await geysir(['send', '127.0.0.1', String(four.port), 'four'])
    expect((await four.ended).stdout).toBe('four\n')
  })

  test('may be names on both sides', async () => {
    const listener = await startListening(['localhost:0', '--count', '1', '-4'])
    await geysir(['send', 'localhost', String(listener.port), 'x', '-4'])
    expect(await listener.ended).toMatchObject({ code: 0, stdout: 'x\n' })
  })

  test('of the sender may be chosen, and its port', async () => {
    const free = await startListening(['127.0.0.1:0', '--count', '1', '-v'])
    const listener = await startListening(['127.0.0.1:0', '--count', '1', '-v'])
    const from = ['--source', '127.0.0.3', '--source-port', String(free.port)]
    await geysir(['send', '127.0.0.1', String(listener.port), 'x', ...from])
    expect((await listener.ended).stdout).toBe(`127.0.0.3:${free.port}  1 B  x\n`)
  })
})

describe('standard input', () => {
  test('is a datagram a line', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '4', '--hex'])
    const sent = await geysir(['send', '127.0.0.1', String(listener.port)], 'one\n\r\n\nlast')
    expect(sent).toMatchObject({ code: 0 })
    expect(sent.stderr).toContain('sent 4 datagrams, 7 bytes')
    expect(linesOf((await listener.ended).stdout)).toEqual(['6f6e65', '', '', '6c617374'])
  })

  test('leaves line by line, not at its end', async () => {
    const listener = await startListening(['127.0.0.1:0'])
    const sender = new Program(process.execPath, [MAIN, 'send', '127.0.0.1', String(listener.port)])
    sender.write('first\n')
    await listener.waitFor('stdout', /^first\n/)
    sender.write('second\n')
    await listener.waitFor('stdout', /second\n/)
    sender.endInput()
    expect((await sender.ended).code).toBe(0)
  })

  test('may be one datagram, or cut', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '4', '-v'])
    const port = String(listener.port)
    await geysir(['send', '127.0.0.1', port, '--whole'], 'a\nb\n')
    await geysir(['send', '127.0.0.1', port, '--bytes', '3'], '1234567')
    const payloads = linesOf((await listener.ended).stdout).map((line) => line.replace(/^\S+ {2}/, ''))
    expect(payloads).toEqual(['4 B  a\\nb', '3 B  123', '3 B  456', '1 B  7'])
  })
})

describe('files', () => {
  test('arrive as they were', async () => {
    const [from, to] = [join(directory, 'from'), join(directory, 'to')]
    const content = randomBytes(100_001)
    writeFileSync(from, content)
    const listener = await startListening(['127.0.0.1:0', '--count', '202', '--output', to, '--stats'])
    const sent = await geysir(['send', '127.0.0.1', String(listener.port), '--file', from, '--bytes', '1000', '--count', '2'])
    expect(sent).toMatchObject({ code: 0, stderr: `sent 202 datagrams, 200 002 bytes, to 127.0.0.1:${listener.port}\n` })
    const received = await listener.ended
    expect(received).toMatchObject({ code: 0, stdout: '' })
    expect(received.stderr).toMatch(/ 202 {2}datagrams received/)
    expect(readFileSync(to).equals(Buffer.concat([content, content]))).toBe(true)
  })

  test('may be standard output', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '3', '--raw'])
    await geysir(['send', '127.0.0.1', String(listener.port), '--file', '-', '-b', '4'], 'abcdefghij')
    expect(await listener.ended).toMatchObject({ code: 0, stdout: 'abcdefghij' })
  })
})

describe('replies', () => {
  test('come from --echo', async () => {
    const listener = await startListening(['127.0.0.1:0', '--echo', '--count', '2'])
    const args = ['send', '127.0.0.1', String(listener.port), 'ping', '--count', '2', '--wait', '10000', '--replies', '2']
    const sent = await geysir(args)
    expect(sent).toMatchObject({ code: 0, stdout: 'ping\nping\n' })
    expect(sent.stderr).toContain(', 2 replies')
    expect(await listener.ended).toMatchObject({ code: 0, stdout: 'ping\nping\n' })
  })

  test('come back from the address that was asked, on a socket of all addresses', async () => {
    const listener = await startListening(['0', '--echo', '--count', '1'])
    const sent = await geysir(['send', '127.0.0.9', String(listener.port), 'x', '--wait', '10000', '--replies', '1', '-v'])
    expect(sent).toMatchObject({ code: 0, stdout: `127.0.0.9:${listener.port}  1 B  x\n` })
  })

  test('that do not come are a timeout', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '1'])
    const sent = await geysir(['send', '127.0.0.1', String(listener.port), 'x', '--wait', '30'])
    expect(sent).toMatchObject({ code: 3, stdout: '' })
    expect(sent.stderr).toContain('no reply')
  })
})

describe('multicast', () => {
  test('a group to listen at is joined, by an interface that was named by its address', async () => {
    const listener = await startListening(['239.255.71.1:0', '--interface', '127.0.0.1', '--count', '1'])
    const sent = await geysir(['send', '239.255.71.1', String(listener.port), 'all', '--interface', '127.0.0.1'])
    expect(sent.code).toBe(0)
    expect(await listener.ended).toMatchObject({ code: 0, stdout: 'all\n' })
  })

  test('several groups at once, and no other', async () => {
    const groups = ['--group', '239.255.71.2', '--group', '239.255.71.3', '--interface', 'lo']
    const listener = await startListening(['0', ...groups, '--count', '2'])
    for (const group of ['239.255.71.4', '239.255.71.3', '239.255.71.2']) {
      await geysir(['send', group, String(listener.port), group, '--interface', 'lo'])
    }
    expect(linesOf((await listener.ended).stdout)).toEqual(['239.255.71.3', '239.255.71.2'])
  })

  const link = ipv6Interface()
  test.skipIf(lacking('IPv6 multicast', link === undefined ? 'no interface but loopback has IPv6' : undefined))(
    'groups of both families on one socket, also one that is valid on one link only',
    async () => {
      const groups = ['--group', '239.255.71.5', '--group', 'ff12::4748', '--interface', link!]
      const listener = await startListening(['0', ...groups, '--count', '2'])
      // No hops: nothing leaves this host.
      const local = ['--interface', link!, '--multicast-ttl', '0']
      await geysir(['send', '239.255.71.5', String(listener.port), 'four', ...local])
      await geysir(['send', 'ff12::4748', String(listener.port), 'six', ...local])
      expect((await listener.ended).stdout).toBe('four\nsix\n')
      const place = await startListening(['[ff12::4749]:0', '--interface', link!, '--count', '1'])
      await geysir(['send', 'ff12::4749', String(place.port), 'bound', ...local])
      expect((await place.ended).stdout).toBe('bound\n')
    },
  )
})

describe('pace', () => {
  test.each([
    ['--rate', '100'],
    ['--bits-per-second', '0.8k'],
  ])('%s is kept', async (...pace) => {
    const listener = await startListening(['127.0.0.1:0', '--count', '21'])
    const sent = await geysir(['send', '127.0.0.1', String(listener.port), 'x', '--count', '21', '--json', ...pace])
    expect(eventOf(sent, 'sent')).toMatchObject({ datagrams: 21 })
    // 20 intervals of 10 ms; how much later the last one leaves is the machine's affair.
    expect(eventOf(sent, 'sent')['seconds']).toBeGreaterThanOrEqual(0.2 - 0.02)
    expect((await listener.ended).code).toBe(0)
  })
})

/** Loopback has no route for IPv6 multicast. */
function ipv6Interface(): string | undefined {
  const found = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some(({ family, internal }) => family === 'IPv6' && !internal),
  )
  return found?.[0]
}
