import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Endpoint } from '../../../src/core/index.js'
import { checkProperty } from '../support/check-property.js'
import { failure } from '../support/errors.js'

describe('an endpoint', () => {
  test('has the address and the port that it was made of', () => {
    const endpoint = Endpoint.of('192.0.2.1', 53)
    expect(endpoint).toMatchObject({ family: 'IPv4', address: '192.0.2.1', port: 53, scopeId: 0 })
    expect(endpoint.words).toEqual([0, 0, 0, 0xc000_0201])
  })

  test('is printed with brackets round an IPv6 address', () => {
    expect(String(Endpoint.of('127.0.0.1', 53))).toBe('127.0.0.1:53')
    expect(String(Endpoint.of('::1', 53))).toBe('[::1]:53')
    expect(String(Endpoint.of('fe80::1%2', 53))).toBe('[fe80::1%2]:53')
  })

  test('is what node:dgram calls an address, as JSON', () => {
    expect(JSON.parse(JSON.stringify(Endpoint.of('::1', 9)))).toEqual({ address: '::1', family: 'IPv6', port: 9 })
  })

  test('writes its address canonically, whatever it was made of', () => {
    expect(Endpoint.of('2001:DB8:0:0:0:0:0:1', 1).address).toBe('2001:db8::1')
  })

  test('keeps the interface index of a link-local address', () => {
    const endpoint = Endpoint.of('fe80::1%3', 1)
    expect(endpoint.scopeId).toBe(3)
    expect(endpoint.address).toBe('fe80::1%3')
    expect(endpoint.withPort(2)).toMatchObject({ scopeId: 3, port: 2 })
  })

  test('equals another of the same address, port and zone, and no other', () => {
    const endpoint = Endpoint.of('fe80::1%3', 1)
    expect(endpoint.equals(endpoint)).toBe(true)
    expect(endpoint.equals(Endpoint.of('FE80:0::1%3', 1))).toBe(true)
    for (const other of [
      Endpoint.of('fe80::1%3', 2),
      Endpoint.of('fe80::1%4', 1),
      Endpoint.of('fe80::1', 1),
      Endpoint.of('fe80::2%3', 1),
    ]) {
      expect(endpoint.equals(other)).toBe(false)
      expect(other.equals(endpoint)).toBe(false)
    }
    // The same words, another family.
    expect(Endpoint.of('0.0.0.1', 1).equals(Endpoint.of('::1', 1))).toBe(false)
  })

  test('is from an object with address and port, and an endpoint is itself', () => {
    const endpoint = Endpoint.of('127.0.0.1', 53)
    expect(Endpoint.from(endpoint)).toBe(endpoint)
    expect(Endpoint.from({ address: '127.0.0.1', port: 53 }).equals(endpoint)).toBe(true)
  })

  test('reads back from its own text and port', () =>
    checkProperty(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65_535), (address, port) => {
        const endpoint = Endpoint.of(address, port)
        expect(Endpoint.of(endpoint.address, endpoint.port).equals(endpoint)).toBe(true)
      }),
    ))

  test.each([
    ['224.0.0.1', true],
    ['239.255.255.255', true],
    ['223.255.255.255', false],
    ['240.0.0.1', false],
    ['255.255.255.255', false],
    ['ff02::1', true],
    ['fe80::1', false],
    ['::ffff:224.0.0.1', true],
    ['::ffff:192.0.2.1', false],
  ])('of %s is multicast: %j', (address, expected) => {
    expect(Endpoint.of(address, 0).isMulticast).toBe(expected)
  })

  test.each([
    ['192.0.2.1', true],
    ['::ffff:192.0.2.1', true],
    ['::192.0.2.1', false],
    ['::1', false],
  ])('of %s is IPv4, perhaps mapped: %j', (address, expected) => {
    expect(Endpoint.of(address, 0).isIpv4).toBe(expected)
  })

  test.each([
    ['0.0.0.0', true],
    ['::', true],
    ['0.0.0.1', false],
    ['1::', false],
  ])('of %s is any address: %j', (address, expected) => {
    expect(Endpoint.of(address, 0).isAny).toBe(expected)
  })
})

describe('an endpoint refuses', () => {
  test('an address that is not text', () => {
    failure(() => Endpoint.of(5 as never, 1), 'ERR_INVALID_ARG_TYPE', /"address" argument must be of type string/)
    failure(() => Endpoint.of(undefined as never, 1), 'ERR_INVALID_ARG_TYPE', /address/)
  })

  test('an address that is a name', () => {
    failure(() => Endpoint.of('localhost', 1), 'ERR_INVALID_ARG_VALUE', /'address' must be an IPv4 or IPv6 literal.*'localhost'/)
  })

  test('a zone that is a name, or out of range', () => {
    failure(() => Endpoint.of('fe80::1%eth0', 1), 'ERR_INVALID_ARG_VALUE', /zone by interface index/)
    failure(() => Endpoint.of('fe80::1%4294967296', 1), 'ERR_OUT_OF_RANGE', /address/)
  })

  test.each([-1, 65_536, 1.5, NaN, Infinity])('the port %d', (port) => {
    failure(() => Endpoint.of('127.0.0.1', port), 'ERR_OUT_OF_RANGE', /"port"/)
  })

  test('a port that is not a number', () => {
    for (const port of ['53', undefined, null, 53n, {}]) {
      failure(() => Endpoint.of('127.0.0.1', port as never), 'ERR_INVALID_ARG_TYPE', /"port" argument must be of type number/)
    }
  })

  test('to be made from what is no object', () => {
    for (const value of [undefined, null, 5, '127.0.0.1:53']) {
      failure(() => Endpoint.from(value as never), 'ERR_INVALID_ARG_TYPE', /"endpoint" argument must be an Endpoint or an object/)
    }
    failure(() => Endpoint.from({} as never), 'ERR_INVALID_ARG_TYPE', /address/)
    failure(() => Endpoint.from({ address: '127.0.0.1' } as never), 'ERR_INVALID_ARG_TYPE', /port/)
  })
})
