import { expect, test } from 'vitest'
import { runProgram } from '../support/program.js'

test.each([
  ['exit', 'process.exit in a handler', [3]],
  ['terminate', 'terminate() under traffic', [1]],
  ['throw', 'an exception in a handler', ['1: thrown in a worker']],
  ['natural', 'the end of its work', [0]],
])('a worker that ends by %s leaves the process whole (%s)', async (kind, _, codes) => {
  const { code, signal, stdout, stderr } = await runProgram('workers', [kind, '6'])
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({ codes, leaked: 0 })
})

test('several workers receive at once', async () => {
  const { code, stdout, stderr } = await runProgram('workers', ['parallel', '4'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toEqual({ codes: [0], leaked: 0, heard: 4 * 250 })
})

test.each([
  ['exit', 5],
  ['throw', 1],
])('the process can end while its workers are in full flood (%s)', async (kind, expected) => {
  const { code, signal } = await runProgram('exit-with-workers', [kind])
  expect({ code, signal }).toEqual({ code: expected, signal: null })
})
