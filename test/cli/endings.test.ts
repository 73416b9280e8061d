import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { eventOf, geysir, linesOf, startGeysir, startListening } from './command.js'

describe('whoever reads standard output may have enough', () => {
  test.each([[['bench', '--seconds', '30']], [['channel', 'list', '-p', '8765', '--interval', '0.01']]])(
    'geysir %j ends, and says nothing of it',
    async (args) => {
      const program = startGeysir(args)
      await program.waitFor(args[0] === 'bench' ? 'stdout' : 'stderr', /./)
      program.closeOutput()
      const result = await program.ended
      expect(result.code).toBe(0)
      expect(result.stderr).not.toMatch(/error|EPIPE/i)
    },
  )
})

describe('listen ends', () => {
  test('with 3 when nothing comes', async () => {
    const result = await geysir(['listen', '127.0.0.1:0', '--timeout', '30'])
    expect(result).toMatchObject({ code: 3, stdout: '' })
    expect(result.stderr).toContain('timeout after 0 datagrams')
  })

  test('with 3 when less than --count comes, with 0 when something was all that was asked for', async () => {
    const wanting = await startListening(['127.0.0.1:0', '--timeout', '1000', '--count', '2'])
    sendHere('x', wanting.port)
    const content = await startListening(['127.0.0.1:0', '--timeout', '1000'])
    sendHere('x', content.port)
    expect(await wanting.ended).toMatchObject({ code: 3, stdout: 'x\n' })
    expect((await wanting.ended).stderr).toContain('timeout after 1 datagram of 2')
    expect(await content.ended).toMatchObject({ code: 0, stdout: 'x\n' })
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('with 0 and its counters at %s', async (signal) => {
    const listener = await startListening(['127.0.0.1:0', '--stats'])
    await geysir(['send', '127.0.0.1', String(listener.port), 'x'])
    await listener.waitFor('stdout', /x\n/)
    listener.kill(signal)
    const result = await listener.ended
    expect(result.code).toBe(0)
    expect(result.stderr).toMatch(/ 1 {2}datagrams received/)
  })

  test('with 130 when Ctrl-C comes before --count', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '1'])
    listener.kill('SIGINT')
    expect((await listener.ended).code).toBe(130)
  })

  test('quietly when its reader has enough', async () => {
    const listener = await startListening(['127.0.0.1:0'])
    await geysir(['send', '127.0.0.1', String(listener.port), 'one'])
    await listener.waitFor('stdout', /one/)
    listener.closeOutput()
    await geysir(['send', '127.0.0.1', String(listener.port), 'two'])
    const result = await listener.ended
    expect(result.code).toBe(0)
    expect(linesOf(result.stderr)).toHaveLength(1)
  })

  test('says what came in one batch with the last datagram', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '1', '--stats', '--json'])
    listener.kill('SIGSTOP')
    await geysir(['send', '127.0.0.1', String(listener.port), 'x', '--count', '5'])
    listener.kill('SIGCONT')
    const result = await listener.ended
    expect(result.code).toBe(0)
    expect(linesOf(result.stdout)).toHaveLength(1)
    expect(eventOf(result, 'stats')).toMatchObject({ printed: 1, surplus: 4, datagramsReceived: 5 })
    expect(result.stderr).toContain('4 datagrams beyond --count')
  })

  test('with what waited in the kernel, when it was stopped for longer than its timeout', async () => {
    const listener = await startListening(['127.0.0.1:0', '--timeout', '400'])
    listener.kill('SIGSTOP')
    sendHere('x', listener.port)
    // Starting another process takes a while, and its own timeout is the longer one.
    await geysir(['listen', '127.0.0.1:0', '--timeout', '500'])
    listener.kill('SIGCONT')
    expect(await listener.ended).toMatchObject({ code: 0, stdout: 'x\n' })
  })

  test('with 1 when the kernel dropped, and every datagram is accounted for', async () => {
    const listener = await startListening(['127.0.0.1:0', '--receive-buffer', '1', '--stats', '--json'])
    listener.kill('SIGSTOP')
    // Every line longer than the one before: neighbours that differ in size do not coalesce, so a drop is one datagram.
    const lines = Array.from({ length: 200 }, (_, i) => 'x'.repeat(i + 1))
    const sent = await geysir(['send', '127.0.0.1', String(listener.port), '--json'], lines.join('\n'))
    listener.kill('SIGCONT')
    // Datagrams arrive in order: when an end was seen, so was everything before it.
    let ends = 0
    while (!/"payload":"end"/.test(listener.stdout)) {
      sendHere('end', listener.port)
      ends++
      await Promise.race([listener.waitFor('stdout', /"payload":"end"/), new Promise((resolve) => setTimeout(resolve, 20))])
    }
    listener.kill('SIGINT')
    const result = await listener.ended
    expect(result.code).toBe(1)
    const { datagramsReceived, kernelDrops } = eventOf(result, 'stats') as Record<string, number>
    expect(kernelDrops).toBeGreaterThan(0)
    expect(datagramsReceived! + kernelDrops!).toBe(200 + ends)
    expect(linesOf(result.stdout)).toHaveLength(datagramsReceived!)
    expect(eventOf(sent, 'sent')).toMatchObject({ datagrams: 200 })
    expect(eventOf(result, 'warning')['message']).toContain(`dropped ${kernelDrops} messages`)
  })
})

describe('send ends', () => {
  test('with 1 when nobody listens, and says so', async () => {
    const port = await deadPort()
    const result = await geysir(['send', '127.0.0.1', String(port), 'x'])
    expect(result.code).toBe(1)
    expect(result.stderr).toContain(`127.0.0.1:${port} refused: nothing listens on that port (ICMP port unreachable)`)
  })

  test('with 1 for a line that is too long, and sends the others', async () => {
    const listener = await startListening(['127.0.0.1:0', '--count', '2'])
    const input = `one\n${'x'.repeat(65_508)}\ntwo\n`
    const result = await geysir(['send', '127.0.0.1', String(listener.port)], input)
    expect(result.code).toBe(1)
    expect(result.stderr).toContain('the payload has 65508 bytes, and a datagram holds at most 65507: not sent')
    expect(result.stderr).toContain('warning: 1 datagram failed')
    expect((await listener.ended).stdout).toBe('one\ntwo\n')
  })

  test('with 130 at Ctrl-C, and says what it had sent', async () => {
    const listener = await startListening(['127.0.0.1:0'])
    const sender = startGeysir(['send', '127.0.0.1', String(listener.port), 'x', '--rate', '50', '--count', '1000000'])
    await listener.waitFor('stdout', /x\nx\n/)
    sender.kill('SIGINT')
    const result = await sender.ended
    expect(result.code).toBe(130)
    expect(result.stderr).toMatch(/sent \d+ datagrams, /)
  })

  test('with 130 at Ctrl-C, also when it waits for input', async () => {
    const listener = await startListening(['127.0.0.1:0'])
    const sender = startGeysir(['send', '127.0.0.1', String(listener.port)])
    sender.write('x\n')
    await listener.waitFor('stdout', /x\n/)
    sender.kill('SIGINT')
    expect(await sender.ended).toMatchObject({ code: 130 })
  })

  test('with 130 at Ctrl-C while it sends as fast as it can', async () => {
    const listener = await startListening(['127.0.0.1:0'])
    const sender = startGeysir(['send', '127.0.0.1', String(listener.port), 'x', '--count', '1000000000'])
    await listener.waitFor('stdout', /x\n/)
    sender.kill('SIGINT')
    expect(await sender.ended).toMatchObject({ code: 130 })
  })
})

/** Sends at once: no process has to start. */
function sendHere(payload: string, port: number): void {
  const socket = createSocket('udp4')
  socket.send(payload, port, '127.0.0.1', () => socket.close())
}

/** A port of loopback at which nobody listens. */
async function deadPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}
