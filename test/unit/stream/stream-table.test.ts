import { expect, test } from 'vitest'
import { StreamTable, type Numbered } from '../../../src/stream/stream-table.js'

test('ids that were overtaken may still come, once, however far behind the highest they are', () => {
  const table = new StreamTable<Numbered>()
  expect(table.takeRemoteId(1000)).toBe(true)
  expect(table.takeRemoteId(2000)).toBe(true)
  expect([1001, 1500, 1999, 1002].map((id) => table.takeRemoteId(id))).toEqual([true, true, true, true])
  expect([1000, 2000, 1001, 1500, 1999, 1002].map((id) => table.takeRemoteId(id))).toEqual(Array(6).fill(false))
  expect([1501, 1003].map((id) => table.takeRemoteId(id))).toEqual([true, true])
})

test('the first that comes may have overtaken others', () => {
  const table = new StreamTable<Numbered>()
  expect(table.takeRemoteId(5)).toBe(true)
  expect([4, 0xffff_ffff, 5, 4].map((id) => table.takeRemoteId(id))).toEqual([true, true, false, false])
})

test('ids begin again after the highest of all, without 0', () => {
  const table = new StreamTable<Numbered>()
  expect([0xffff_fffe, 3, 0, 0xffff_ffff, 2, 3].map((id) => table.takeRemoteId(id))).toEqual([
    true,
    true,
    false,
    true,
    true,
    false,
  ])
})

test('remembers the latest 256 gaps', () => {
  const table = new StreamTable<Numbered>()
  for (let id = 10; id <= 10 + 2 * 257; id += 2) table.takeRemoteId(id)
  expect(table.takeRemoteId(11)).toBe(false)
  expect(table.takeRemoteId(13)).toBe(true)
})
