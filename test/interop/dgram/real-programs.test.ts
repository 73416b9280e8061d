import { describe, expect, test } from 'vitest'
import { DROP_IN, NODE, Running, type RunOptions } from './run.js'

/**
 * Packages from npm as they are, asking or answering on the drop-in; the other side is the same package on `node:dgram`. Both run to
 * their ends by themselves, so nothing keeps a process alive that Node would let go.
 */
const PROGRAMS = [
  { name: 'multicast-dns', answer: /^192\.0\.2\.7 200 from \d+\.\d+\.\d+\.\d+ true IPv4$/ },
  { name: 'dns2', answer: /^192\.0\.2\.6 192\.0\.2\.7 192\.0\.2\.8$/ },
  { name: 'hot-shots', answer: /^200 reported, 400 metrics, true$/ },
  { name: 'coap', answer: /^GET \/short ; PUT \/short hot; true$/ },
]

describe.each(PROGRAMS)('$name', ({ name, answer }) => {
  test('asks on the drop-in and is answered by node:dgram', async () => {
    await converse(name, answer, { asking: DROPPED_IN, answering: {} }, { asking: DROP_IN, answering: NODE })
  })

  test('answers on the drop-in what node:dgram asks', async () => {
    await converse(name, answer, { asking: {}, answering: DROPPED_IN }, { asking: NODE, answering: DROP_IN })
  })

  test('does both on the drop-in', async () => {
    await converse(name, answer, { asking: DROPPED_IN, answering: DROPPED_IN }, { asking: DROP_IN, answering: DROP_IN })
  })

  test('is left on node:dgram by GEYSIR_DISABLE=1', async () => {
    const disabled = { ...DROPPED_IN, env: { GEYSIR_DISABLE: '1' } }
    await converse(name, answer, { asking: disabled, answering: disabled }, { asking: NODE, answering: NODE })
  })
})

interface Sides<T> {
  readonly asking: T
  readonly answering: T
}

async function converse(name: string, answer: RegExp, how: Sides<RunOptions>, handles: Sides<string>): Promise<void> {
  const server = new Running(`${name}.cjs`, { ...how.answering, args: ['serve'] })
  const listening = await server.read<{ port: number; handles: string[] }>()
  const client = new Running(`${name}.cjs`, { ...how.asking, args: ['ask', listening.port] })
  const told = await client.read<{ answer: string; handles: string[] }>()
  expect(told.answer).toMatch(answer)
  expect({ asking: told.handles, answering: listening.handles }).toEqual({
    asking: [handles.asking],
    answering: [handles.answering],
  })
  expect(await client.end()).toEqual({ code: 0, stderr: '' })
  expect(await server.end()).toEqual({ code: 0, stderr: '' })
}

const DROPPED_IN = { register: true }
