import { expect, test } from 'vitest'
import { fixedRate } from '../../src/stream/index.js'
import { SimulatedNetwork, type PathOptions } from '../../src/testing/index.js'
import { GROUP, expectBalanced, makeGroup, pourAll, publish, type Group } from './support/stream-groups.js'

/** Sends `packets` packets to a group whose paths lose from then on; what was said for it. */
async function run(seed: number, receivers: number, packets: number, loss: PathOptions): Promise<ReturnType<typeof counted>> {
  const network = new SimulatedNetwork(seed, { path: { latencyMs: 5 } })
  const group = await makeGroup(network, receivers)
  const publication = publish(group, { group: GROUP, congestionControl: fixedRate(5e6), windowBytes: 4 << 20 })
  await network.clock.advanceAsync(1000)
  for (const { host } of group.receivers) network.setPath(group.senderHost, host, loss)
  pourAll(publication, packets, () => 1300)
  await network.clock.runUntilTrueAsync(() => publication.closed, 120_000)
  expect(publication.error).toBe(undefined)
  for (const { received } of group.receivers) expect(received).toHaveLength(packets)
  const result = counted(group, publication.stats())
  network.setDefaultPath({})
  await network.clock.advanceAsync(1000)
  expectBalanced(group)
  group.close()
  return result
}

function counted(
  { receivers }: Group,
  stats: { naksReceived: number; nakEchoesSent: number; repairsSent: number; packetsRetransmitted: number },
): { naks: number; echoes: number; again: number; repairs: number; lost: number } {
  const lost = receivers.reduce((sum, { stream }) => sum + stream!.stats().packetsRepaired, 0)
  const { naksReceived, nakEchoesSent, repairsSent, packetsRetransmitted } = stats
  return {
    naks: naksReceived,
    echoes: nakEchoesSent,
    again: repairsSent + packetsRetransmitted,
    repairs: repairsSent,
    lost,
  }
}

test('200 receivers that each lose 1 % are served by fewer repairs than packets', async () => {
  const { naks, again, repairs, lost } = await run(1, 200, 300, { lossProbability: 0.01 })
  console.log(`200 receivers, 300 packets, 600 losses: ${naks} NAKs, ${again} sent again, ${repairs} of them XOR`)
  expect(again).toBeLessThan(260)
  expect(repairs).toBeGreaterThan(0)
  expect(lost).toBeGreaterThan(50)
  expect(naks).toBeLessThan(300)
}, 60_000)

test('60 receivers get everything at 10 % loss in bursts', async () => {
  const { again } = await run(2, 60, 200, {
    lossProbability: 0.05,
    burstLoss: { enterProbability: 0.01, leaveProbability: 0.2 },
    duplicateProbability: 0.02,
    reorderProbability: 0.05,
  })
  expect(again).toBeLessThan(600)
}, 60_000)

test('1000 receivers: a packet that all of them lose costs a few NAKs and one repair', async () => {
  const network = new SimulatedNetwork(3, { path: { latencyMs: 5 } })
  const group = await makeGroup(network, 1000)
  const publication = publish(group, { group: GROUP, congestionControl: fixedRate(5e6), windowBytes: 4 << 20 })
  await network.clock.advanceAsync(1000)
  let sent = 0
  for (let round = 0; round < 5; round++) {
    const parted = network.partition(
      [group.senderHost],
      group.receivers.map(({ host }) => host),
    )
    publication.send(Buffer.alloc(1300).fill(++sent, 4).fill(sent, 0, 1))
    await network.clock.advanceAsync(1)
    parted.heal()
    publication.send(Buffer.alloc(1300).fill(++sent, 4).fill(sent, 0, 1))
    await network.clock.advanceAsync(400)
  }
  const { naksReceived, nakEchoesSent, packetsRetransmitted, repairsSent } = publication.stats()
  console.log(
    `1000 receivers, 5 packets lost by all: ${naksReceived} NAKs, ${nakEchoesSent} echoes, ${packetsRetransmitted} sent again`,
  )
  expect([packetsRetransmitted, repairsSent, nakEchoesSent]).toEqual([5, 0, 5])
  expect(naksReceived).toBeLessThan(5 * 8)
  publication.reset()
  group.close()
}, 60_000)
