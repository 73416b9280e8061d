import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AF_INET, AF_INET6, EndpointTable, writeAddress, writeSockaddr } from '../../../src/binding/index.js'
import { Endpoint, FLAG, RECEIVED_MESSAGE, RECEIVED_MESSAGE_WORDS } from '../../../src/core/index.js'
import { checkProperty } from '../support/check-property.js'
import { SlowEndpointTable } from './slow-endpoint-table.js'

/** The words of a peer's sockaddr, at offset 1 as in a table. */
function wordsOf(endpoint: Endpoint): Uint32Array {
  const words = new Uint32Array(8)
  writeSockaddr(words, 1, endpoint, endpoint.family === 'IPv4' ? AF_INET : AF_INET6)
  return words
}

function peer(i: number): Endpoint {
  return new Endpoint('IPv4', [0, 0, 0, 0x0a00_0000 + Math.floor(i / 1000)], 1 + (i % 1000))
}

function ask(table: EndpointTable | SlowEndpointTable, endpoint: Endpoint): Endpoint {
  return table.endpointAt(wordsOf(endpoint), 1)
}

describe('the table of endpoints', () => {
  test('gives the same object for the same peer', () => {
    const table = new EndpointTable()
    const [a, b] = [ask(table, peer(1)), ask(table, peer(2))]
    expect(ask(table, peer(1))).toBe(a)
    expect(ask(table, peer(2))).toBe(b)
    expect(ask(table, peer(1))).toBe(a)
    expect(a).not.toBe(b)
  })

  test('gives the endpoint of the words', () =>
    checkProperty(
      fc.property(fc.array(fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65_535)), { minLength: 1 }), (peers) => {
        const table = new EndpointTable()
        for (const [address, port] of peers) {
          const endpoint = Endpoint.of(address, port)
          expect(ask(table, endpoint).equals(endpoint)).toBe(true)
        }
      }),
    ))

  test('tells peers apart that differ in port, address, family or zone alone', () => {
    const table = new EndpointTable()
    const peers = [
      Endpoint.of('10.0.0.1', 1),
      Endpoint.of('10.0.0.1', 2),
      Endpoint.of('10.0.0.2', 1),
      Endpoint.of('::a00:1', 1),
      Endpoint.of('fe80::1%1', 1),
      Endpoint.of('fe80::1%2', 1),
    ]
    const found = peers.map((p) => ask(table, p))
    expect(new Set(found).size).toBe(peers.length)
    expect(found.map(String)).toEqual(peers.map(String))
    expect(peers.map((p) => ask(table, p))).toEqual(found)
  })

  test('keeps every object of as many peers as half its limit', () => {
    const table = new EndpointTable(200)
    const found = Array.from({ length: 100 }, (_, i) => ask(table, peer(i)))
    for (const [i, endpoint] of found.entries()) expect(ask(table, peer(i))).toBe(endpoint)
  })

  test('keeps the object of a peer that goes on sending through a flood of forged sources', () => {
    const table = new EndpointTable(64)
    const faithful = ask(table, peer(0))
    for (let i = 1; i < 100_000; i++) {
      ask(table, peer(i))
      if (i % 16 === 0) expect(ask(table, peer(0))).toBe(faithful)
    }
  })

  test('forgets a peer after a flood: its memory is bounded', () => {
    const table = new EndpointTable(64)
    const before = ask(table, peer(0))
    for (let i = 1; i <= 64; i++) ask(table, peer(i))
    const after = ask(table, peer(0))
    expect(after).not.toBe(before)
    expect(after.equals(before)).toBe(true)
  })

  test('gives a datagram without a source an endpoint that says so', () => {
    const endpoint = new EndpointTable().endpointAt(new Uint32Array(7), 0)
    expect(endpoint).toMatchObject({ address: '0.0.0.0', port: 0 })
  })

  test('agrees with its slow twin about which object is which', () =>
    checkProperty(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(60), { maxLength: 400, size: 'max' }), (limit, asked) => {
        const fast = new EndpointTable(limit)
        const slow = new SlowEndpointTable(limit)
        // The objects differ; when each is the one that was given before must not.
        const fastSeen = new Map<Endpoint, number>()
        const slowSeen = new Map<Endpoint, number>()
        for (const [step, i] of asked.entries()) {
          const [a, b] = [ask(fast, peer(i)), ask(slow, peer(i))]
          expect(a.equals(b)).toBe(true)
          expect(fastSeen.get(a)).toBe(slowSeen.get(b))
          if (!fastSeen.has(a)) fastSeen.set(a, step)
          if (!slowSeen.has(b)) slowSeen.set(b, step)
        }
      }),
      100,
    ))
})

describe('the local address of a datagram', () => {
  function record(endpoint: Endpoint | undefined): Uint32Array {
    const words = new Uint32Array(RECEIVED_MESSAGE_WORDS + 3)
    if (endpoint === undefined) return words
    const ipv4 = endpoint.family === 'IPv4'
    words[3 + RECEIVED_MESSAGE.flags] = ipv4 ? FLAG.localIpv4 : FLAG.localIpv6
    writeAddress(words, 3 + RECEIVED_MESSAGE.localAddress, endpoint, ipv4 ? AF_INET : AF_INET6)
    return words
  }

  test.each(['192.0.2.1', '224.0.0.251', '2001:db8::1', 'ff02::fb', '::ffff:192.0.2.1'])('%s is read and interned', (address) => {
    const table = new EndpointTable()
    const words = record(Endpoint.of(address, 0))
    const found = table.localAddressAt(words, 3)!
    expect(found.address).toBe(address)
    expect(table.localAddressAt(words, 3)).toBe(found)
  })

  test('is undefined where it was not asked for', () => {
    expect(new EndpointTable().localAddressAt(record(undefined), 3)).toBeUndefined()
  })

  test('is right for more addresses than are remembered', () => {
    const table = new EndpointTable()
    for (let i = 0; i < 5000; i++) {
      const endpoint = new Endpoint('IPv4', [0, 0, 0, 0x0a00_0000 + i], 0)
      expect(table.localAddressAt(record(endpoint), 3)!.address).toBe(endpoint.address)
    }
  })

  test('does not mix with the peer of the same address and port 0', () => {
    const table = new EndpointTable()
    const local = table.localAddressAt(record(Endpoint.of('2001:db8::1', 0)), 3)!
    const remote = ask(table, Endpoint.of('2001:db8::1', 7))
    expect(local.port).toBe(0)
    expect(remote.port).toBe(7)
  })
})
