import { describe, expect, test } from 'vitest'
import { geysir, objectsOf, startListening } from '../cli/command.js'
import { lacking } from '../support/capabilities.js'
import { startTool, toolProblem, udpPortOf } from './tool.js'

/** With bytes that lines, C strings and UTF-8 would trip over. */
const BINARY = Buffer.from([0x00, 0x01, 0x0a, 0x0d, 0x0a, 0xff, 0xfe, 0x00, 0x80])

const FAMILIES = [
  { family: 'IPv4', host: '127.0.0.1', socat: '4', place: '127.0.0.1:0' },
  { family: 'IPv6', host: '::1', socat: '6', place: '[::1]:0' },
]

describe.skipIf(lacking('socat', toolProblem('socat'))).each(FAMILIES)('socat over $family', ({ host, socat, place }) => {
  const literal = host.includes(':') ? `[${host}]` : host

  test('sends to geysir listen', async () => {
    const listener = await startListening([place, '--count', '1', '--json'])
    startTool('socat', ['-u', 'STDIN', `UDP${socat}-SENDTO:${literal}:${listener.port}`]).endInput(BINARY)
    const { code, stdout } = await listener.ended
    expect(code).toBe(0)
    expect(objectsOf(stdout)).toMatchObject([{ bytes: 9, from: { address: host }, payload: BINARY.toString('base64') }])
  })

  test('receives from geysir send', async () => {
    const tool = startTool('socat', ['-u', `UDP${socat}-RECV:0,bind=${literal}`, 'STDOUT'])
    const sent = await geysir(['send', host, String(await udpPortOf(tool)), '--hex', Buffer.from('one\n').toString('hex')])
    expect(sent.code).toBe(0)
    await tool.waitFor('stdout', /^one\n$/)
  })

  test('gets the replies of geysir listen --echo', async () => {
    const listener = await startListening([place, '--echo', '--count', '2'])
    const tool = startTool('socat', ['-', `UDP${socat}:${literal}:${listener.port}`])
    tool.write('ping\n')
    await tool.waitFor('stdout', /^ping\n$/)
    tool.write('pong\n')
    await tool.waitFor('stdout', /^ping\npong\n$/)
    expect(await listener.ended).toMatchObject({ code: 0, stdout: 'ping\npong\n' })
  })

  test('replies to geysir send --wait', async () => {
    const tool = startTool('socat', [`UDP${socat}-RECVFROM:0,bind=${literal},fork`, 'EXEC:tr a-z A-Z'])
    const args = ['send', host, String(await udpPortOf(tool)), 'shout', '--wait', '10000', '--replies', '1']
    expect(await geysir(args)).toMatchObject({ code: 0, stdout: 'SHOUT\n' })
  })

  test('receives a file that geysir send cut', async () => {
    const tool = startTool('socat', ['-u', `UDP${socat}-RECV:0,bind=${literal},rcvbuf=1000000`, 'STDOUT'])
    const text = Array.from({ length: 500 }, (_, i) => `line ${i}\n`).join('')
    const sent = await geysir(['send', host, String(await udpPortOf(tool)), '--bytes', '100', '--rate', '5000'], text)
    expect(sent.code).toBe(0)
    await tool.waitFor('stdout', /line 499\n/)
    expect(tool.stdout).toBe(text)
  })
})

describe.skipIf(lacking('socat', toolProblem('socat')))('socat and multicast', () => {
  test('a member hears geysir send', async () => {
    const group = '239.255.71.9'
    const tool = startTool('socat', ['-u', `UDP4-RECV:0,bind=${group},ip-add-membership=${group}:127.0.0.1`, 'STDOUT'])
    const sent = await geysir(['send', group, String(await udpPortOf(tool)), 'all', '--interface', 'lo'])
    expect(sent.code).toBe(0)
    await tool.waitFor('stdout', /^all$/)
  })

  test('geysir listen hears what it sends', async () => {
    const group = '239.255.71.10'
    const listener = await startListening([`${group}:0`, '--interface', 'lo', '--count', '1'])
    const to = `UDP4-DATAGRAM:${group}:${listener.port},ip-multicast-if=127.0.0.1`
    startTool('socat', ['-u', 'STDIN', to]).endInput('all')
    expect(await listener.ended).toMatchObject({ code: 0, stdout: 'all\n' })
  })
})

describe.skipIf(lacking('ncat', toolProblem('ncat'))).each(FAMILIES)('ncat over $family', ({ host, place }) => {
  test('sends to geysir listen', async () => {
    const listener = await startListening([place, '--count', '1', '--json'])
    startTool('ncat', ['-u', '--send-only', host, String(listener.port)]).endInput(BINARY)
    const { code, stdout } = await listener.ended
    expect(code).toBe(0)
    expect(objectsOf(stdout)).toMatchObject([{ bytes: 9, from: { address: host }, payload: BINARY.toString('base64') }])
  })

  test('receives from geysir send', async () => {
    const tool = startTool('ncat', ['-u', '-l', host, '0'])
    const sent = await geysir(['send', host, String(await udpPortOf(tool))], 'one\ntwo\n')
    expect(sent.code).toBe(0)
    await tool.waitFor('stdout', /^onetwo$/)
  })

  test('talks with geysir listen --echo', async () => {
    const listener = await startListening([place, '--echo'])
    const tool = startTool('ncat', ['-u', host, String(listener.port)])
    tool.write('ping\n')
    await tool.waitFor('stdout', /^ping\n$/)
    await listener.waitFor('stdout', /^ping\n$/)
  })

  test('replies to geysir send --wait', async () => {
    const tool = startTool('ncat', ['-u', '-l', host, '0', '--exec', '/bin/cat'])
    const args = ['send', host, String(await udpPortOf(tool)), 'back', '--wait', '10000', '--replies', '1']
    expect(await geysir(args)).toMatchObject({ code: 0, stdout: 'back\n' })
  })
})
