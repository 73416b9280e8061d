import { expect } from 'vitest'
import { randomBelow, randomFraction, type Random } from '../../../src/core/index.js'
import { createNode, type NodeOptions, type StreamNode } from '../../../src/stream/index.js'
import type { PathOptions, SimulatedHost, SimulatedLink, SimulatedLinkOptions } from '../../../src/testing/index.js'

export interface SimulatedNode {
  readonly node: StreamNode
  readonly link: SimulatedLink
  readonly endpoint: { readonly address: string; readonly port: number }
}

/** A node on a simulated host, whose clock and randomness are the host's. */
export function nodeOn(
  host: SimulatedHost,
  options: Partial<NodeOptions> = {},
  linkOptions: SimulatedLinkOptions = {},
): SimulatedNode {
  const link = host.openLink({ receiveBufferBytes: 4 << 20, ...linkOptions })
  const node = createNode({ link, clock: host.clock, random: host.random, name: host.name, ...options })
  return { node, link, endpoint: { address: host.addressOf(), port: link.address().port } }
}

/** A path as bad as streams must survive. */
export function badPath(random: Random): PathOptions {
  const chance = (probability: number, value: () => number): number => (randomFraction(random) < probability ? value() : 0)
  return {
    latencyMs: randomBelow(random, 40),
    jitterMs: chance(0.5, () => randomBelow(random, 20)),
    lossProbability: chance(0.7, () => randomFraction(random) * 0.3),
    duplicateProbability: chance(0.5, () => randomFraction(random) * 0.2),
    reorderProbability: chance(0.5, () => randomFraction(random) * 0.5),
    reorderMs: 1 + randomBelow(random, 100),
    corruptProbability: chance(0.5, () => randomFraction(random) * 0.05),
    ...(randomFraction(random) < 0.3 ? { burstLoss: { enterProbability: 0.01, leaveProbability: 0.1 } } : {}),
    ...(randomFraction(random) < 0.3 ? { bytesPerSecond: 200_000 + randomBelow(random, 5_000_000) } : {}),
  }
}

/** The seeds of a test: `GEYSIR_SEED` one of them, `GEYSIR_SEEDS` so many, otherwise `usual`. */
export function seedsOf(usual: number): number[] {
  const { GEYSIR_SEED, GEYSIR_SEEDS } = process.env
  if (GEYSIR_SEED !== undefined) return [Number(GEYSIR_SEED)]
  return Array.from({ length: Number(GEYSIR_SEEDS ?? usual) }, (_, i) => i + 1)
}

/** The command that repeats a failure. */
export function repeat(seed: number): string {
  const { testPath = '', currentTestName = '' } = expect.getState()
  return `GEYSIR_SEED=${seed} npx vitest run ${testPath} -t '${currentTestName}'`
}
