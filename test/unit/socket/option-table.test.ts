import { describe, expect, test } from 'vitest'
import { KERNEL_OPTION_NAMES, OPTION_TABLE } from '../../../src/socket/option-table.js'

describe('the option table', () => {
  test.each(KERNEL_OPTION_NAMES)('%s says where the kernel keeps it, for both families, and who documents it', (name) => {
    const spec = OPTION_TABLE[name]
    const places = [spec.socket, spec.ipv4, spec.ipv6].filter((place) => place !== undefined)
    // Only the multicast interface is set by code of its own, with a structure.
    expect(places.length > 0).toBe(name !== 'multicastInterface')
    expect(spec.socket === undefined || (spec.ipv4 === undefined && spec.ipv6 === undefined)).toBe(true)
    expect(spec.ipv4 === undefined).toBe(spec.ipv6 === undefined)
    expect(spec.source).toMatch(/\(\d\)|RFC/)
    for (const [level, option] of places) {
      expect(Number.isInteger(level)).toBe(true)
      expect(option).toBeGreaterThan(0)
    }
  })

  test('gives no two names the same place, but for the two of path MTU discovery', () => {
    const names = new Map<string, string[]>()
    for (const name of KERNEL_OPTION_NAMES) {
      for (const place of [OPTION_TABLE[name].socket, OPTION_TABLE[name].ipv4, OPTION_TABLE[name].ipv6]) {
        if (place) names.set(place.join(':'), [...(names.get(place.join(':')) ?? []), name])
      }
    }
    const shared = [...names.values()].filter((sharers) => sharers.length > 1)
    expect(shared).toEqual([
      ['pathMtuDiscovery', 'dontFragment'],
      ['pathMtuDiscovery', 'dontFragment'],
    ])
  })

  test('can be read only, but not set, for the path MTU alone', () => {
    expect(KERNEL_OPTION_NAMES.filter((name) => OPTION_TABLE[name].readOnly)).toEqual(['pathMtuBytes'])
  })
})
