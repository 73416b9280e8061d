import { describe, expect, test } from 'vitest'
import { findInterface } from '../../../src/socket/interface-lookup.js'
import { FakeAddon, interfaceEntry } from '../../support/fake-addon.js'
import { failure } from '../support/errors.js'

function addonWith(...entries: [name: string, index: number, address?: string][]): FakeAddon {
  const addon = new FakeAddon()
  addon.interfaceEntries = entries.map(([name, index, address]) => interfaceEntry(name, index, address))
  return addon
}

const addon = addonWith(
  ['lo', 1],
  ['lo', 1, '127.0.0.1'],
  ['eth0', 2, 'fe80::1'],
  ['eth0', 2, '192.0.2.2'],
  ['eth0', 2, '198.51.100.2'],
  ['eth1', 3, 'fe80::1'],
  ['tun0', 4, '2001:db8::4'],
  ['eth2', 5, '198.51.100.2'],
)

describe('an interface is found', () => {
  test.each<[string | number, number, string | undefined]>([
    ['lo', 1, '127.0.0.1'],
    [1, 1, '127.0.0.1'],
    ['eth0', 2, '192.0.2.2'],
    [2, 2, '192.0.2.2'],
    ['198.51.100.2', 2, '198.51.100.2'],
    ['2001:db8:0::4', 4, undefined],
    ['tun0', 4, undefined],
    ['fe80::1%eth1', 3, undefined],
    ['fe80::1%3', 3, undefined],
    ['fe80::1%eth0', 2, '192.0.2.2'],
    ['198.51.100.2%eth2', 5, '198.51.100.2'],
    ['198.51.100.2%2', 2, '198.51.100.2'],
  ])('by %j, with the IPv4 address that goes with it', (value, index, ipv4) => {
    const found = findInterface(addon, 'options.interface', value)
    expect([found.index, found.ipv4?.address]).toEqual([index, ipv4])
  })

  test.each<[string | number, string]>([
    ['eth', 'ENODEV'],
    ['ETH0', 'ENODEV'],
    ['', 'ENODEV'],
    ['2', 'ENODEV'],
    [9, 'ENODEV'],
    ['192.0.2.3', 'EADDRNOTAVAIL'],
    ['fe80::2', 'EADDRNOTAVAIL'],
    ['fe80::1%tun0', 'EADDRNOTAVAIL'],
    ['fe80::1%lo', 'EADDRNOTAVAIL'],
    ['198.51.100.2%lo', 'EADDRNOTAVAIL'],
    ['fe80::1%eth0%x', 'EADDRNOTAVAIL'],
    ['0.0.0.1', 'EADDRNOTAVAIL'],
    ['::7f00:1', 'EADDRNOTAVAIL'],
  ])('not by %j', (value, code) => {
    expect(failure(() => findInterface(addon, 'options.interface', value), code)).toMatchObject({ address: String(value) })
  })
})
