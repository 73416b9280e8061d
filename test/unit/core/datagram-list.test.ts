import { describe, expect, test } from 'vitest'
import { DatagramList, Endpoint } from '../../../src/core/index.js'

const peers = [Endpoint.of('192.0.2.1', 1), Endpoint.of('192.0.2.2', 2)]
const list = () => new DatagramList([Buffer.from('one'), Buffer.from('three')], peers)

describe('a list of datagrams', () => {
  test('tells what came from whom', () => {
    const batch = list()
    expect([batch.count, batch.bytes]).toEqual([2, 8])
    expect(batch.payload(1).toString()).toBe('three')
    expect(batch.endpoint(1)).toBe(peers[1])
    expect(batch.truncated(0)).toBe(false)
    expect(batch.copy(0)).toEqual(Buffer.from('one'))
    batch.copy(0).fill(0)
    expect(batch.payload(0).toString()).toBe('one')
  })

  test.each([-1, 2, 0.5, Number.NaN])('refuses the place %s', (i) => {
    expect(() => list().payload(i)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }))
    expect(() => list().endpoint(i)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }))
  })

  test('is empty when its handlers have returned', () => {
    const batch = list()
    batch.finish()
    expect([batch.count, batch.bytes]).toEqual([0, 0])
    expect(() => batch.payload(0)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }))
    expect(() => batch.retain()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }))
  })

  test('stays while it is retained', () => {
    const batch = list().retain()
    expect(() => batch.retain()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }))
    batch.finish()
    expect(batch.count).toBe(2)
    batch.release()
    batch.release()
    expect(batch.count).toBe(0)
  })

  test('stays for a step of an iteration', () => {
    const batch = list()
    batch.beginStep()
    batch.finish()
    expect(batch.count).toBe(2)
    batch.endStep()
    expect(batch.count).toBe(0)
  })

  test('overwrites its payloads when it is over, if it is told to', () => {
    const payload = Buffer.from('one')
    const batch = new DatagramList([payload], [peers[0]!], 0xdb).retain()
    batch.finish()
    expect(payload.toString()).toBe('one')
    batch.release()
    expect([...payload]).toEqual([0xdb, 0xdb, 0xdb])
  })
})
