import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WrappingCounter } from '../../../src/socket/statistics.js'
import { checkProperty } from '../support/check-property.js'

describe("a kernel's counter that wraps", () => {
  test('starts at nothing and follows its readings', () => {
    const counter = new WrappingCounter()
    expect(counter.total).toBe(0)
    counter.update(5)
    counter.update(5)
    counter.update(9)
    expect(counter.total).toBe(9)
  })

  test('goes on past 2^32', () => {
    const counter = new WrappingCounter()
    counter.update(0x7fff_ffff)
    counter.update(0xffff_fff0)
    counter.update(0x10)
    expect(counter.total).toBe(2 ** 32 + 0x10)
  })

  test('counts every step, whatever the sequence', () =>
    checkProperty(
      fc.property(fc.array(fc.nat(0x7fff_ffff)), (steps) => {
        const counter = new WrappingCounter()
        let total = 0
        for (const step of steps) {
          total += step
          counter.update(total % 2 ** 32)
          expect(counter.total).toBe(total)
        }
      }),
    ))

  test('does not jump when an older reading comes after a newer one', () => {
    // SO_MEMINFO tells the counter of now, SO_RXQ_OVFL what it was when the datagram was queued, perhaps long before.
    const counter = new WrappingCounter()
    counter.update(100)
    counter.update(40)
    expect(counter.total).toBe(100)
    counter.update(101)
    expect(counter.total).toBe(101)
  })
})
