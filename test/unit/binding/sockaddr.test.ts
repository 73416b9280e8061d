import { endianness } from 'node:os'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  AF_INET,
  AF_INET6,
  SOCKADDR_IN6_BYTES,
  SOCKADDR_IN_BYTES,
  addonProblem,
  decodeSockaddr,
  encodeSockaddr,
  loadAddon,
  networkOrder,
  readAddress,
  readSockaddr,
  writeAddress,
  writeSockaddr,
} from '../../../src/binding/index.js'
import { Endpoint } from '../../../src/core/index.js'
import { checkProperty } from '../support/check-property.js'

const port = fc.nat(65_535)
const ipv4 = fc.tuple(fc.ipV4(), port).map(([address, p]) => Endpoint.of(address, p))
const ipv6 = fc.tuple(fc.ipV6(), port, fc.nat(0xffff_ffff)).map(([address, p, scope]) => {
  return new Endpoint('IPv6', Endpoint.of(address, p).words, p, scope)
})

describe('a sockaddr', () => {
  test('of IPv4 reads back as the endpoint it was written for', () =>
    checkProperty(
      fc.property(ipv4, (endpoint) => {
        const bytes = encodeSockaddr(endpoint, AF_INET)!
        expect(bytes).toHaveLength(SOCKADDR_IN_BYTES)
        expect(decodeSockaddr(bytes)!.equals(endpoint)).toBe(true)
      }),
    ))

  test('of IPv6 reads back as the endpoint it was written for, with its zone', () =>
    checkProperty(
      fc.property(ipv6, (endpoint) => {
        const bytes = encodeSockaddr(endpoint, AF_INET6)!
        expect(bytes).toHaveLength(SOCKADDR_IN6_BYTES)
        expect(decodeSockaddr(bytes)!.equals(endpoint)).toBe(true)
      }),
    ))

  test('of IPv4 for an IPv6 socket is the mapped address, and back', () =>
    checkProperty(
      fc.property(ipv4, (endpoint) => {
        const mapped = decodeSockaddr(encodeSockaddr(endpoint, AF_INET6)!)!
        expect(mapped.family).toBe('IPv6')
        expect(mapped.address).toBe(`::ffff:${endpoint.address}`)
        expect(decodeSockaddr(encodeSockaddr(mapped, AF_INET)!)!.equals(endpoint)).toBe(true)
      }),
    ))

  test('of IPv6 for an IPv4 socket does not exist', () => {
    expect(encodeSockaddr(Endpoint.of('::1', 1), AF_INET)).toBeUndefined()
    expect(writeSockaddr(new Uint32Array(7), 0, Endpoint.of('2001:db8::1', 1), AF_INET)).toBe(0)
  })

  test('lies in memory as struct sockaddr_in has it', () => {
    const bytes = encodeSockaddr(Endpoint.of('192.0.2.1', 0x1234), AF_INET)!
    const family = endianness() === 'LE' ? [2, 0] : [0, 2]
    expect([...bytes]).toEqual([...family, 0x12, 0x34, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0])
  })

  test('lies in memory as struct sockaddr_in6 has it', () => {
    const bytes = Buffer.from(encodeSockaddr(Endpoint.of('2001:db8::12:34%5', 0xfffe), AF_INET6)!)
    expect(endianness() === 'LE' ? bytes.readUInt16LE(0) : bytes.readUInt16BE(0)).toBe(10)
    expect(bytes.readUInt16BE(2)).toBe(0xfffe)
    expect(bytes.readUInt32BE(4)).toBe(0)
    expect(bytes.subarray(8, 24).toString('hex')).toBe('20010db8000000000000000000120034')
    expect(endianness() === 'LE' ? bytes.readUInt32LE(24) : bytes.readUInt32BE(24)).toBe(5)
  })

  test('is written over what a table had before', () => {
    const words = new Uint32Array(9).fill(0xdead_beef)
    writeSockaddr(words, 1, Endpoint.of('::1', 1), AF_INET6)
    expect(readSockaddr(words, 1)!.toString()).toBe('[::1]:1')
    expect([words[0], words[8]]).toEqual([0xdead_beef, 0xdead_beef])
    expect(words[2], 'the flow label').toBe(0)
    writeSockaddr(words, 1, Endpoint.of('192.0.2.1', 1), AF_INET)
    expect(readSockaddr(words, 1)!.toString()).toBe('192.0.2.1:1')
    expect([words[3], words[4]], 'the padding').toEqual([0, 0])
  })

  test('of another family is undefined', () => {
    expect(decodeSockaddr(new Uint8Array(28))).toBeUndefined()
    expect(decodeSockaddr(new Uint8Array(0))).toBeUndefined()
    expect(decodeSockaddr(Uint8Array.from([16, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0]))).toBeUndefined()
  })

  test('longer than a sockaddr_in6 is read as far as that', () => {
    const bytes = new Uint8Array(128)
    bytes.set(encodeSockaddr(Endpoint.of('::1', 9), AF_INET6)!)
    expect(decodeSockaddr(bytes)!.toString()).toBe('[::1]:9')
  })
})

describe('an address without a port', () => {
  test('reads back as it was written, in either family', () =>
    checkProperty(
      fc.property(ipv4, ipv6, (four, six) => {
        const words = new Uint32Array(6)
        writeAddress(words, 1, four, AF_INET)
        expect(readAddress(words, 1, AF_INET).words).toEqual(four.words)
        writeAddress(words, 1, six, AF_INET6)
        expect(readAddress(words, 1, AF_INET6).words).toEqual(six.words)
        expect([words[0], words[5]]).toEqual([0, 0])
      }),
    ))

  test('keeps a word the same through network order twice', () =>
    checkProperty(
      fc.property(fc.nat(0xffff_ffff), (word) => {
        expect(networkOrder(networkOrder(word))).toBe(word)
      }),
    ))
})

describe.skipIf(addonProblem() !== undefined)(
  `a sockaddr of this kernel's (needs the addon: ${addonProblem() ?? 'it is here'})`,
  () => {
    const SOCK_DGRAM = 2

    test.each([
      ['IPv4', AF_INET, '127.0.0.1'],
      ['IPv6', AF_INET6, '::1'],
    ])('%s, from getsockname and getpeername, is byte for byte what we write', (_name, family, address) => {
      const socket = new (loadAddon().Socket)(family, SOCK_DGRAM, 0, () => undefined)
      try {
        expect(socket.bind(encodeSockaddr(Endpoint.of(address, 0), family)!)).toBe(0)
        const out = new Uint8Array(28)
        const length = socket.getName(false, out)
        const local = decodeSockaddr(out)!
        expect(local.address).toBe(address)
        expect(local.port).toBeGreaterThan(0)
        expect([...encodeSockaddr(local, family)!]).toEqual([...out.subarray(0, length)])

        expect(socket.connect(encodeSockaddr(local, family)!)).toBe(0)
        const peer = new Uint8Array(28)
        expect(socket.getName(true, peer)).toBe(length)
        expect([...peer]).toEqual([...out])
      } finally {
        socket.close()
      }
    })
  },
)
