import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runExample } from './run.js'

const EXAMPLES: Record<string, () => Promise<void>> = {
  echo: async () => expect(await runExample('echo').end()).toEqual(['100 echoes from 127.0.0.1']),

  multicast: async () => {
    const news = ['one', 'two', 'three'].map((word) => `${word} to 239.77.1.1`).join(', ')
    expect((await runExample('multicast').end()).sort()).toEqual([`first: ${news}`, `second: ${news}`])
  },

  'request-reply': async () => {
    const [line] = await runExample('request-reply').end()
    expect(line).toMatch(/^127\.0\.0\.2 answered at attempt \d+: HELLO, asked at 127\.0\.0\.2$/)
  },

  iterate: async () => expect(await runExample('iterate').end()).toEqual(['200 datagrams, their sum 20100']),

  'back-pressure': async () => {
    const [queued, sent] = await runExample('back-pressure').end()
    expect(queued).toBe('queued 20000 = sent 20000 + failed 0 + discarded 0')
    const [, received, dropped] = /^sent 20000 = received (\d+) \+ dropped by the kernel (\d+)$/.exec(sent!)!
    expect(Number(received) + Number(dropped)).toBe(20_000)
  },

  // What it does where there is a server: test/interop/database.test.ts.
  redis: async () => expect((await runExample('redis').end())[0]).toMatch(/^(geysir: up to 60 metres|no redis-server: ENOENT)$/),

  'bulk-receiver': bulk,
  'bulk-sender': bulk,
}

/** The two of them, until the receiver has told the sender what came. */
async function bulk(): Promise<void> {
  const receiver = runExample('bulk-receiver')
  const port = (await receiver.line()).replace('port ', '')
  const [rate, arrived] = await runExample('bulk-sender', port, '10000').end()
  expect(rate).toMatch(/^sent 10000 datagrams at \d+ a second$/)
  const [, datagrams, lost, bytes] = /^(\d+) arrived, (\d+) were lost; (\d+) bytes$/.exec(arrived!)!
  expect(Number(datagrams)).toBeGreaterThan(0)
  expect(Number(datagrams) + Number(lost)).toBe(10_000)
  expect(Number(bytes)).toBe(Number(datagrams) * 1200)
  expect((await receiver.end())[1]).toContain(`${datagrams} datagrams, ${bytes} bytes; `)
}

test.each(Object.keys(EXAMPLES))('the example %s does what it says and ends', async (name) => {
  await EXAMPLES[name]!()
})

test('every example has a test', () => {
  const programs = readdirSync(new URL('../../examples', import.meta.url)).filter((name) => name.endsWith('.mjs'))
  expect(programs.map((name) => name.replace('.mjs', '')).sort()).toEqual(Object.keys(EXAMPLES).sort())
})
