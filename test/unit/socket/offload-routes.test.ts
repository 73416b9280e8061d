import { describe, expect, test } from 'vitest'
import { Endpoint } from '../../../src/core/index.js'
import { OffloadRoutes } from '../../../src/socket/offload-routes.js'
import { FakeAddon } from '../../support/fake-addon.js'

const A = Endpoint.of('192.0.2.1', 1)
const B = Endpoint.of('192.0.2.2', 1)

describe('the memory of refused offload', () => {
  test('knows of nothing at first', () => {
    const routes = new OffloadRoutes()
    expect(routes.maxSegmentBytes(A)).toBe(Infinity)
    expect(routes.maxSegmentBytes(undefined)).toBe(Infinity)
    expect(routes.list()).toEqual([])
  })

  test('stops offload to one address, whatever the port, and to no other, where the device refused', () => {
    const routes = new OffloadRoutes()
    routes.refuse(A, 1200, true)
    expect(routes.maxSegmentBytes(A)).toBe(0)
    expect(routes.maxSegmentBytes(A.withPort(9))).toBe(0)
    expect(routes.maxSegmentBytes(B)).toBe(Infinity)
    expect(routes.list()).toEqual([{ address: '192.0.2.1', maxSegmentBytes: 0 }])
  })

  test('still tries smaller segments where one was too large', () => {
    const routes = new OffloadRoutes()
    routes.refuse(A, 1400, false)
    expect(routes.maxSegmentBytes(A)).toBe(1399)
    routes.refuse(A, 1200, false)
    expect(routes.maxSegmentBytes(A)).toBe(1199)
  })

  test('gives a route up that refuses ever smaller segments', () => {
    const routes = new OffloadRoutes()
    for (let refusals = 1; refusals < 32; refusals++) {
      routes.refuse(A, 1400 - refusals, false)
      expect(routes.maxSegmentBytes(A)).toBe(1399 - refusals)
    }
    routes.refuse(A, 1000, false)
    expect(routes.maxSegmentBytes(A)).toBe(0)
  })

  test('never takes a refusal back', () => {
    const routes = new OffloadRoutes()
    routes.refuse(A, 1200, true)
    routes.refuse(A, 1400, false)
    expect(routes.maxSegmentBytes(A)).toBe(0)
    routes.refuse(B, 500, false)
    routes.refuse(B, 900, false)
    expect(routes.maxSegmentBytes(B)).toBe(499)
  })

  test('forgets the oldest of very many addresses', () => {
    const routes = new OffloadRoutes()
    routes.refuse(A, 1200, true)
    for (let i = 0; i < 2000; i++) routes.refuse(new Endpoint('IPv4', [0, 0, 0, 0x0a00_0000 + i], 1), 1200, true)
    expect(routes.list().length).toBeLessThanOrEqual(1024)
    expect(routes.maxSegmentBytes(A)).toBe(Infinity)
    expect(routes.maxSegmentBytes(new Endpoint('IPv4', [0, 0, 0, 0x0a00_0000 + 1999], 1))).toBe(0)
  })

  test('knows an IPv4 address in both its forms: an IPv6 socket sends to the mapped one', () => {
    const routes = new OffloadRoutes()
    routes.refuse(Endpoint.of('::ffff:192.0.2.1', 1), 1200, true)
    expect(routes.maxSegmentBytes(A)).toBe(0)
  })

  test('is one for all sockets of a thread', () => {
    const addon = new FakeAddon()
    expect(OffloadRoutes.of(addon)).toBe(OffloadRoutes.of(addon))
    expect(OffloadRoutes.of(new FakeAddon())).not.toBe(OffloadRoutes.of(addon))
  })
})
