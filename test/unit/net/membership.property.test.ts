import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { Membership, type JoinOptions } from '../../../src/net/index.js'
import { checkProperty } from '../support/check-property.js'
import { FakeClock, FakeInterfaces, FakeKernel, ethernet } from './membership-fakes.js'

const NAMES = ['lo', 'eth0', 'eth1', 'eth2']
const GROUPS = ['239.1.1.1', '239.1.1.2', '239.1.1.3', 'ff15::1', 'ff15::2']

/** Wishes, and the slow twin of who matches them. */
const WISHES: { options: JoinOptions; matches: (name: string, isIpv4: boolean) => boolean }[] = [
  { options: {}, matches: (name, isIpv4) => name !== 'lo' || isIpv4 },
  { options: { loopback: false }, matches: (name) => name !== 'lo' },
  { options: { interfaces: ['eth0', 'eth1'], loopback: false }, matches: (name) => name === 'eth0' || name === 'eth1' },
  { options: { except: ['eth1'] }, matches: (name, isIpv4) => name !== 'eth1' && (name !== 'lo' || isIpv4) },
  { options: { interfaces: [({ index }) => index % 2 === 0], loopback: false }, matches: () => true },
]

type Step =
  | { do: 'join' | 'leave'; group: number; wish: number }
  | { do: 'add' | 'remove' | 'remake' | 'rename'; which: number }
  | { do: 'deny' | 'allow'; which: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('join', 'leave'), group: fc.nat(GROUPS.length - 1), wish: fc.nat(WISHES.length - 1) }),
  fc.record({ do: fc.constantFrom('add', 'remove', 'remake', 'rename'), which: fc.nat(NAMES.length - 1) }),
  fc.record({ do: fc.constantFrom('deny', 'allow'), which: fc.nat(9) }),
)

/** Numbers the interfaces as they are made, as the kernel does. */
class World {
  readonly source = new FakeInterfaces()
  readonly kernel = new FakeKernel(this.source)
  readonly clock = new FakeClock()
  readonly membership = new Membership({ monitor: this.source, clock: this.clock }, this.kernel.addon)
  readonly wished = new Map<string, number>()
  #made = 0

  constructor(limit: number) {
    this.kernel.maxMemberships = limit
    // Told apart from the process's own warnings.
    this.membership.on('audit', () => undefined)
  }

  take(next: Step): void {
    if ('group' in next) return this.#wish(next.do, GROUPS[next.group]!, next.wish)
    if (next.do === 'deny') return void this.kernel.denied.set(next.which, ERRNO.EPERM)
    if (next.do === 'allow') return void this.kernel.denied.delete(next.which)
    const name = NAMES[next.which]!
    const there = this.source.interfaces().find((each) => each.name === name)
    if (next.do === 'add' && there === undefined) this.source.add(this.#make(name, ++this.#made))
    if (there === undefined) return
    if (next.do === 'remove') this.source.remove(there.index)
    if (next.do === 'remake') this.source.remake(there.index, this.#make(name, there.index))
    const free = NAMES.find((other) => other !== 'lo' && this.source.interfaces().every((each) => each.name !== other))
    if (next.do === 'rename' && name !== 'lo' && free !== undefined)
      this.source.become({ ...there, name: free }, 'interfaceRenamed')
  }

  /** What must be joined, once nothing is denied and every wait is over. */
  expected(): string[] {
    return [...this.wished]
      .flatMap(([group, wish]) =>
        this.source
          .interfaces()
          .filter(({ name, index }) => WISHES[wish]!.matches(name, !group.includes(':')) && (wish !== 4 || index % 2 === 0))
          .map(({ index }) => `${group} on ${index}`),
      )
      .sort()
  }

  #wish(action: 'join' | 'leave', group: string, wish: number): void {
    if (action === 'join' && !this.wished.has(group)) {
      this.wished.set(group, wish)
      this.membership.join(group, WISHES[wish]!.options)
    } else if (action === 'leave' && this.wished.delete(group)) this.membership.leave(group)
  }

  #make(name: string, index: number): ReturnType<typeof ethernet> {
    return ethernet(index, name, `192.0.2.${index % 250}`, `fe80::${(index % 9000).toString(16)}`)
  }
}

test('whatever happens, what is joined is what is wished: once and on interfaces that are there', async () => {
  await checkProperty(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60, size: 'max' }), (limit, steps) => {
      const world = new World(limit)
      for (const next of steps) world.take(next)
      world.kernel.denied.clear()
      // Longer than the longest wait between two tries.
      world.clock.advance(60_000)
      const held = world.kernel.held()
      expect(held.flat().sort()).toEqual(world.expected())
      expect(Math.max(0, ...held.map((entries) => entries.length))).toBeLessThanOrEqual(limit)
      const told = [...world.membership.current()].flatMap(([group, where]) => where.map(({ index }) => `${group} on ${index}`))
      expect(told.sort()).toEqual(world.expected())
      expect(world.membership.stats()).toMatchObject({
        memberships: told.length,
        membershipsFailing: 0,
        groups: world.wished.size,
      })
      expect(world.clock.timers).toEqual([])
      world.membership.close()
      expect(world.kernel.addon.open).toBe(0)
    }),
    200,
  )
})
