import { expect, describe, test } from 'vitest'
import { SeededRandom, randomBelow } from '../../src/core/index.js'
import { fixedRate } from '../../src/stream/index.js'
import { SimulatedNetwork, forSeeds } from '../../src/testing/index.js'
import { badPath, repeat, seedsOf } from './support/stream-nodes.js'
import { GROUP, expectBalanced, makeGroup, pourAll, publish } from './support/stream-groups.js'

describe.each([
  ['a list', undefined],
  ['a multicast group', GROUP],
])('reliable, to %s', (_name, group) => {
  test('exactly once, in order, equal bytes, whatever the paths do', async () => {
    await forSeeds(
      seedsOf(40),
      async (seed) => {
        const random = new SeededRandom(seed)
        const network = new SimulatedNetwork(seed, { path: badPath(random) })
        const count = 1 + randomBelow(random, 5)
        const integrity = seed % 2 === 0 ? { integrity: 'crc32c' as const } : { secret: Buffer.from('known to all of them') }
        const made = await makeGroup(network, count, { ...integrity, peerTimeoutMs: 120_000 })
        const publication = publish(made, {
          kind: 'reliable',
          windowBytes: 20_000 + randomBelow(random, 400_000),
          congestionControl: fixedRate(1e6),
          ...(group && { group }),
          initialPacket: 0xffff_ffc0,
        })
        let closed: Error | null | undefined = null
        publication.on('close', (error) => (closed = error))
        const messages = 200
        pourAll(publication, messages, () => randomBelow(random, random.uint32() % 8 === 0 ? 20_000 : 700))
        await network.clock.runUntilTrueAsync(() => closed !== null, 600_000)
        expect(closed).toBe(undefined)
        for (const { received, isEnded, error } of made.receivers) {
          expect(received).toHaveLength(messages)
          expect([isEnded, error]).toEqual([true, undefined])
        }
        await network.clock.advanceAsync(2000)
        expectBalanced(made)
        made.close()
      },
      repeat,
    )
  }, 120_000)
})
