import * as nodeDgram from 'node:dgram'
import { isIP } from 'node:net'
import { describe, expect, test } from 'vitest'
import { TOPICS } from './cases/index.js'
import { loadDropIn, observe, observeBoth } from './differential.js'

/**
 * The same program on `node:dgram` and on `geysir/dgram`: no observable may differ. `GEYSIR_DIFF_SELF=1` compares Node with itself, which
 * shows what in these programs is left to chance.
 */

const dropIn = await loadDropIn()

for (const [topic, cases] of Object.entries(TOPICS)) {
  describe(topic, () => {
    test.each(cases)('$name', async ({ name, program }) => {
      const { node, dropIn: ours } = await observeBoth(dropIn, name, program)
      expect(ours.lines).toEqual(node.lines)
    })
  })
}

test('the table has at least 200 cases, each with a name of its own', () => {
  const names = Object.entries(TOPICS).flatMap(([topic, cases]) => cases.map(({ name }) => `${topic}: ${name}`))
  expect(names.length).toBeGreaterThanOrEqual(200)
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
})

test.skipIf(process.env['GEYSIR_DIFF_SELF'] === '1')('what is compared with Node is not Node itself', async () => {
  expect(dropIn.Socket).not.toBe(nodeDgram.Socket)
  const { lines } = await observe(dropIn, (b) => {
    const socket = b.socket()
    const state = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol')!
    const { handle } = (socket as unknown as Record<symbol, { handle: object }>)[state]!
    b.log('handle', handle.constructor.name === 'UDP')
  })
  expect(lines).toEqual(['handle false'])
})

// Node itself, up to version 22, looks up literals with a lookup of one's own: nothing to compare with.
test.skipIf(process.env['GEYSIR_DIFF_SELF'] === '1')('a literal address is never looked up', async () => {
  const asked: string[] = []
  const lookup = (name: string, _family: unknown, answer: (error: null, address: string, family: number) => void) => {
    asked.push(name)
    process.nextTick(answer, null, name.startsWith('name6') ? '::1' : '127.0.0.1', name.startsWith('name6') ? 6 : 4)
  }
  const { lines } = await observe(dropIn, async (b) => {
    for (const [type, own, other, name] of [
      ['udp4', '127.0.0.1', '::1', 'name4'],
      ['udp6', '::1', '127.0.0.1', 'name6'],
    ] as const) {
      const socket = b.socket({ type, lookup: lookup })
      socket.bind(0, own)
      await b.settle()
      for (const address of [own, other, name, undefined, '']) {
        await new Promise<void>((resolve) => socket.send('x', b.port(socket), address as string, () => resolve()))
      }
      socket.connect(b.port(socket), own)
      await b.settle()
      const unbound = b.socket({ type, lookup: lookup })
      unbound.send('x', b.port(socket))
      await b.settle()
    }
  })
  expect(asked.filter((name) => isIP(name) !== 0)).toEqual([])
  expect(asked).toEqual(['name4', 'name6'])
  expect(lines.filter((line) => line.includes(' message '))).toHaveLength(8)
})
