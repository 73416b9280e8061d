import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SourceSequence } from '../../../src/channel/source-sequence.js'
import { checkProperty } from '../support/check-property.js'
import { SlowSequence } from './slow-sequence.js'

const RESTART_AFTER_MS = 1000

/** Takes the numbers at one moment, or those with a time at theirs. */
function take(...numbers: (number | [sequence: number, atMs: number])[]): [outcome: string, lead: number][] {
  let sequence: SourceSequence | undefined
  return numbers.map((each) => {
    const [number, atMs] = typeof each === 'number' ? [each, 0] : each
    sequence ??= new SourceSequence(number, atMs, RESTART_AFTER_MS)
    const lead = sequence.take(number, atMs)
    return [sequence.outcome, lead]
  })
}

const leads = (...numbers: Parameters<typeof take>): number[] => take(...numbers).map(([, lead]) => lead)
const outcomes = (...numbers: Parameters<typeof take>): string[] => take(...numbers).map(([outcome]) => outcome)
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

describe('the sequence numbers of a source', () => {
  test('lead by their distance from the highest before, the first by 1', () => {
    expect(leads(17, 18, 20, 19, 20, 25)).toEqual([1, 1, 2, -1, 0, 5])
    expect(outcomes(17, 18, 20, 19, 20, 19, 25)).toEqual(['next', 'next', 'gap', 'late', 'duplicate', 'duplicate', 'gap'])
  })

  test('wrap at 2^32', () => {
    expect(leads(0xffff_fffe, 0xffff_ffff, 0, 1, 0xffff_ffff, 4)).toEqual([1, 1, 1, 1, -2, 3])
    expect(outcomes(0xffff_fffe, 0, 0xffff_ffff, 0xffff_ffff)).toEqual(['next', 'gap', 'late', 'duplicate'])
  })

  test('far behind are a restart at once', () => {
    expect(take(5000, 0, 1)).toEqual([['next', 1], ['restart', 1], ['next', 1]]) // prettier-ignore
    expect(outcomes(5000, 5000 - 1024)).toEqual(['next', 'late'])
    expect(outcomes(5000, 5000 - 1025)).toEqual(['next', 'restart'])
  })

  test('absurdly far ahead are a restart as well: nobody is muted for ever', () => {
    expect(outcomes(0, 2 ** 24)).toEqual(['next', 'gap'])
    expect(outcomes(0, 2 ** 24 + 1)).toEqual(['next', 'restart'])
    expect(take(0x9000_0000, 0, 1)).toEqual([['next', 1], ['restart', 1], ['next', 1]]) // prettier-ignore
  })

  test('behind after a silence are a restart', () => {
    expect(outcomes([3, 0], [0, RESTART_AFTER_MS - 1])).toEqual(['next', 'late'])
    expect(outcomes([3, 0], [0, RESTART_AFTER_MS])).toEqual(['next', 'restart'])
    expect(outcomes([0, 0], [0, RESTART_AFTER_MS], [1, RESTART_AFTER_MS])).toEqual(['next', 'restart', 'next'])
  })

  test('in an unbroken run behind the window are a restart', () => {
    expect(leads(500, ...range(0, 9))).toEqual([1, -500, -499, -498, -497, -496, -495, -494, 1, 1])
    expect(outcomes(500, ...range(0, 7), 501, 7, 8)).not.toContain('restart')
    expect(outcomes(500, ...range(0, 7), 9, 10)).not.toContain('restart')
  })

  test('just behind catch up by themselves: after a restart at most 64 are lost', () => {
    const heard = leads(...range(0, 64), ...range(0, 66))
    expect(heard.slice(64).filter((lead) => lead >= 1)).toEqual([1, 1])
  })

  test('repeated in a burst are duplicates, no restart', () => {
    expect(new Set(outcomes(...range(0, 64), ...range(0, 64)).slice(64))).toEqual(new Set(['duplicate']))
  })

  test('are what the document says of them', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: -70, max: 70 }) },
      { weight: 6, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: fc.integer({ min: -1100, max: 1100 }) },
      { weight: 1, arbitrary: fc.integer({ min: -(2 ** 31), max: 2 ** 31 }) },
      { weight: 1, arbitrary: fc.constantFrom(2 ** 24, 2 ** 24 + 1, -1024, -1025, -64, -63, -32, 32, 31, 0) },
    )
    const steps = fc.array(fc.tuple(step, fc.constantFrom(0, 0, 0, 1, 400, 1000)), { maxLength: 200 })
    return checkProperty(
      fc.property(fc.nat(0xffff_ffff), steps, (first, steps) => {
        const fast = new SourceSequence(first, 0, RESTART_AFTER_MS)
        const slow = new SlowSequence(RESTART_AFTER_MS)
        let [number, nowMs] = [first, 0]
        expect([fast.outcome, fast.take(number, 0)]).toEqual(slow.take(number, 0))
        for (const [by, afterMs] of steps) {
          number = (number + by) >>> 0
          nowMs += afterMs
          const lead = fast.take(number, nowMs)
          expect([fast.outcome, lead]).toEqual(slow.take(number, nowMs))
        }
      }),
      500,
    )
  })
})
