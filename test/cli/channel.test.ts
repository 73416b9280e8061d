import { describe, expect, test } from 'vitest'
import { deadEndpoint } from '../support/sockets.js'
import { eventOf, geysir, linesOf, objectsOf, startGeysir, type Program } from './command.js'

/** A port of its own for each test, and loopback, so that nothing leaves this host. */
async function place(): Promise<string[]> {
  return ['-p', String((await deadEndpoint()).port), '-i', 'lo']
}

async function subscribed(args: readonly string[]): Promise<Program> {
  const program = startGeysir(['channel', 'sub', ...args])
  await program.waitFor('stderr', /subscribed/)
  return program
}

describe('geysir channel', () => {
  test('sub prints what pub publishes, and pub says what it did', async () => {
    const where = await place()
    const listener = await subscribed(['weather', ...where, '--count', '2'])
    const published = await geysir(['channel', 'pub', 'weather', 'rain', ...where, '--count', '2'])
    expect(published).toMatchObject({ code: 0, stdout: '' })
    expect(published.stderr).toBe(`published 2 messages, 8 bytes, in channel weather (239.57.55.116:${where[1]})\n`)
    expect(await listener.ended).toMatchObject({ code: 0, stdout: 'rain\nrain\n' })
  })

  test('sub tells source, number and lead; names are resolved', async () => {
    const where = await place()
    const plain = await subscribed(['pose', '/battery', '--namespace', '/robot', ...where, '-v', '--count', '3'])
    const json = await subscribed(['robot/pose', ...where, '--json', '--count', '2'])
    await geysir(['channel', 'pub', '../robot/pose', ...where, '--namespace', 'robot'], 'here\nthere\n')
    await geysir(['channel', 'pub', '/battery', 'ff00', '--hex', ...where, '-q'])
    expect(linesOf((await plain.ended).stdout)).toEqual([
      expect.stringMatching(/^robot\/pose {2}127\.0\.0\.1:\d+ {2}0 {2}1 {2}here$/),
      expect.stringMatching(/^robot\/pose {2}127\.0\.0\.1:\d+ {2}1 {2}1 {2}there$/),
      expect.stringMatching(/^battery {2}127\.0\.0\.1:\d+ {2}0 {2}1 {2}\\xff\\x00$/),
    ])
    const result = await json.ended
    expect(objectsOf(result.stdout)).toMatchObject([
      { channel: 'robot/pose', sequence: 0, lead: 1, bytes: 4, encoding: 'utf8', payload: 'here' },
      { sequence: 1, payload: 'there' },
    ])
    expect(eventOf(result, 'subscribed')).toMatchObject({ channels: [{ channel: 'robot/pose', group: '239.72.2.118' }] })
  })

  test('list shows live traffic: names, rates, gaps, sources', async () => {
    const where = await place()
    const listener = await subscribed(['weather', ...where])
    const all = startGeysir(['channel', 'list', ...where.slice(0, 2), '--json', '--interval', '0.2'])
    const named = startGeysir(['channel', 'list', 'weather', ...where, '--interval', '0.2'])
    await Promise.all([all, named].map((program) => program.waitFor('stderr', /observing/)))
    await geysir(['channel', 'pub', 'weather', 'rain', ...where, '--count', '5'])
    await all.waitFor('stdout', /"datagramsReceived":5/)
    await named.waitFor('stdout', /weather +239\.57\.55\.116 .* 5 +0 +0 +0 +0 +127\.0\.0\.1:\d+\n/)
    for (const program of [all, named, listener]) program.kill('SIGINT')
    for (const program of [all, named, listener]) expect((await program.ended).code).toBe(0)
    expect(objectsOf(all.stdout).at(-1)).toMatchObject({
      ...{ name: 'weather', missing: 0, gaps: 0, bytesReceived: 20 },
      sources: [{ datagrams: 5, endpoint: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string }],
    })
  })

  test('a timeout is 3', async () => {
    const where = await place()
    expect(await geysir(['channel', 'sub', 'silence', ...where, '--timeout', '20', '-q'])).toMatchObject({ code: 3, stdout: '' })
  })

  test.each([
    [['pub', 'weather', 'rain'], /required option '-p, --port <port>'/],
    [['pub', 'grün', 'x', '-p', '9'], /must be ASCII/],
    [['pub', '..', 'x', '-p', '9'], /leads above the root/],
    [['pub', 'a', '-p', '9', '--count', '2'], /--count repeats a payload/],
    [['sub', '-p', '9'], /missing required argument/],
    [['list', '-p', '0'], /from 1 to 65535/],
  ])('wrong: %j', async (args, message) => {
    const result = await geysir(['channel', ...args])
    expect([result.code, result.stdout]).toEqual([2, ''])
    expect(result.stderr).toMatch(message)
  })

  test('what cannot be sent is 1', async () => {
    const where = ['-p', (await place())[1]!, '-i', 'none0']
    const result = await geysir(['channel', 'pub', 'a', 'x', ...where])
    expect(result).toMatchObject({ code: 1 })
    expect(result.stderr).toMatch(/ENODEV[\s\S]*1 datagram could not be sent/)
  })
})
