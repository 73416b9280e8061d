import { expect, test } from 'vitest'
import { multicastCases } from './cases/multicast.js'
import { loadDropIn, observeBoth } from './differential.js'

// On the loopback interface, in one process.

const dropIn = await loadDropIn()

test.each(multicastCases)('$name', async ({ name, program, hears, misses = [] }) => {
  const { node, dropIn: ours } = await observeBoth(dropIn, name, program)
  const text = node.lines.filter((line) => line.includes(' message ')).join('\n')
  for (const heard of hears) expect(text.includes(heard) || text.includes(hex(heard)), `Node's own hears ${heard}`).toBe(true)
  for (const missed of misses) expect(text.includes(hex(missed)), `Node's own hears ${missed}`).toBe(false)
  expect(ours.lines).toEqual(node.lines)
})

function hex(text: string): string {
  return Buffer.from(text).toString('hex')
}
