import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Endpoint } from '../../../src/core/index.js'
import { PeerTable } from '../../../src/link/peer-table.js'
import { checkProperty } from '../support/check-property.js'

const at = (n: number): Endpoint =>
  n % 3 === 0 ? Endpoint.of(`2001:db8::${n.toString(16)}`, 1 + (n % 7)) : Endpoint.of(`10.0.${n >> 8}.${n & 255}`, 1 + (n % 7))

/** The same by a list, the newest first. */
class SlowTable {
  peers: { endpoint: Endpoint; heardMs: number }[] = []
  constructor(readonly max: number) {}

  heard(endpoint: Endpoint, heardMs: number): { isNew: boolean; forgotten: string[] } {
    const known = this.peers.find((peer) => peer.endpoint.equals(endpoint))
    this.peers = this.peers.filter((peer) => peer !== known)
    this.peers.unshift({ endpoint: known?.endpoint ?? endpoint, heardMs })
    const forgotten = this.peers.splice(this.max)
    return { isNew: known === undefined, forgotten: forgotten.map(String) }
  }
}

test('the table of peers does what a list does', async () => {
  const steps = fc.array(
    fc.tuple(fc.constantFrom('heard', 'heard', 'heard', 'forget', 'expire'), fc.nat(300), fc.integer({ min: 0, max: 5 })),
    { maxLength: 400 },
  )
  await checkProperty(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.nat(), steps, (max, seed, all) => {
      const table = new PeerTable(max, seed)
      const slow = new SlowTable(max)
      let nowMs = 0
      for (const [what, n, pass] of all) {
        nowMs += pass
        if (what === 'heard') {
          const forgotten: string[] = []
          const isNew = table.heard(at(n), nowMs, (endpoint) => forgotten.push(String(endpoint)))
          const expected = slow.heard(at(n), nowMs)
          expect(isNew).toBe(expected.isNew)
          expect(forgotten.length).toBe(expected.forgotten.length)
        } else if (what === 'forget') {
          const before = slow.peers.length
          slow.peers = slow.peers.filter(({ endpoint }) => !endpoint.equals(at(n)))
          expect(table.forget(at(n))).toBe(slow.peers.length < before)
        } else {
          const gone: string[] = []
          table.expire(nowMs - n / 10, (endpoint) => gone.push(String(endpoint)))
          const kept = slow.peers.filter(({ heardMs }) => heardMs >= nowMs - n / 10)
          expect(gone.length).toBe(slow.peers.length - kept.length)
          slow.peers = kept
        }
        expect(table.has(at(n))).toBe(slow.peers.some(({ endpoint }) => endpoint.equals(at(n))))
      }
      expect(table.endpoints().map(String)).toEqual(slow.peers.map(({ endpoint }) => String(endpoint)))
      expect(table.count).toBe(slow.peers.length)
      expect(table.newest?.toString()).toBe(slow.peers[0]?.endpoint.toString())
      expect(table.oldestHeardMs).toBe(slow.peers.at(-1)?.heardMs)
    }),
    100,
  )
})

test('an equal endpoint finds the object that is known', () => {
  const table = new PeerTable(2, 5)
  const first = at(1)
  table.heard(first, 1)
  expect(table.intern(at(1))).toBe(first)
  expect(table.intern(at(2))).toBeUndefined()
})
