import { expect, test } from 'vitest'
import { SeededRandom, randomBelow, type DatagramBatch, type Endpoint, type EndpointLike } from '../../src/core/index.js'
import { fixedRate, type Stream, type StreamStatistics } from '../../src/stream/index.js'
import { SimulatedNetwork, forSeeds } from '../../src/testing/index.js'
import { nodeOn, repeat, seedsOf } from './support/stream-nodes.js'
import { messageOf } from './support/stream-survival.js'

const WINDOW_PACKETS = 1000
const MESSAGES = 12_000

/** A host in the middle that gathers so many datagrams of one way, and lets them go in any order. */
class Shuffler {
  readonly endpoint: EndpointLike
  /** How much later than one sent after it a datagram left, at most, in datagrams. */
  mostOvertaken = 0
  readonly #back
  readonly #held: Buffer[] = []
  readonly #random: SeededRandom
  readonly #network: SimulatedNetwork
  readonly #target: EndpointLike
  #timer: { cancel(): void } | undefined

  constructor(network: SimulatedNetwork, target: EndpointLike, seed: number) {
    const host = network.addHost({ name: 'shuffler' })
    const options = { receiveBufferBytes: 16 << 20, sendQueueBytes: 16 << 20 }
    const front = host.openLink(options)
    this.#network = network
    this.#target = target
    this.#random = new SeededRandom(seed)
    this.#back = host.openLink(options)
    this.endpoint = { address: host.addressOf(), port: front.address().port }
    let client: Endpoint | undefined
    front.on('batch', (batch: DatagramBatch) => {
      for (let i = 0; i < batch.count; i++) {
        client ??= batch.endpoint(i)
        this.#hold(Buffer.from(batch.payload(i)))
      }
    })
    this.#back.on('batch', (batch: DatagramBatch) => {
      for (let i = 0; i < batch.count; i++) expect(front.send(Buffer.from(batch.payload(i)), client)).toBe(true)
    })
  }

  #hold(datagram: Buffer): void {
    this.#held.push(datagram)
    if (this.#held.length >= WINDOW_PACKETS) return this.#letGo()
    // The last ones, and those of who waits for an answer.
    this.#timer ??= this.#network.clock.setTimer(() => this.#letGo(), PATIENCE_MS)
  }

  #letGo(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const order = Array.from(this.#held, (_, i) => i)
    for (let i = order.length - 1; i > 0; i--) {
      const other = randomBelow(this.#random, i + 1)
      ;[order[i], order[other]] = [order[other]!, order[i]!]
    }
    for (const [at, number] of order.entries()) {
      this.mostOvertaken = Math.max(this.mostOvertaken, at - number)
      expect(this.#back.send(this.#held[number]!, this.#target)).toBe(true)
    }
    this.#held.length = 0
  }
}

interface Outcome {
  readonly sent: StreamStatistics
  /** Retransmissions by then, when so many tenths of the messages had been sent. */
  readonly byTenth: readonly number[]
}

async function pourThrough(seed: number, kind: 'reliable' | 'bestEffort', ordered: boolean): Promise<Outcome> {
  const network = new SimulatedNetwork(seed, { path: { latencyMs: 1 } })
  const options = { congestionControl: fixedRate(30e6) }
  const [client, server] = [nodeOn(network.addHost(), options), nodeOn(network.addHost(), options)]
  const shuffler = new Shuffler(network, server.endpoint, seed)
  const received = new Uint8Array(MESSAGES)
  let [count, last, closed] = [0, -1, 0]
  let failure: string | undefined
  server.node.on('stream', (stream) => {
    stream.on('message', (message) => {
      const number = message.readUInt32LE(0)
      if (!message.equals(messageOf(number, bytesOf(number)))) failure ??= `${number} has other bytes`
      if (received[number]!++ > 0) failure ??= `${number} came twice`
      if (ordered && number !== last + 1) failure ??= `${number} came after ${last}`
      last = number
      count++
    })
    stream.on('close', () => closed++)
  })
  let stream: Stream | undefined
  const byTenth: number[] = []
  void client.node.connect(shuffler.endpoint, { timeoutMs: 60_000 }).then((peer) => {
    const opened = (stream = peer.openStream({ kind, ordered, windowBytes: 8 << 20, initialPacket: 0xffff_f000 }))
    let next = 0
    const send = (): boolean => {
      if (next >= (byTenth.length * MESSAGES) / 10) byTenth.push(opened.stats().packetsRetransmitted)
      const isTaken = opened.send(messageOf(next, bytesOf(next)))
      if (isTaken) next++
      return isTaken
    }
    const more = (): void => {
      while (next < MESSAGES) if (!send()) return
      opened.end()
    }
    opened.on('drain', more)
    opened.on('close', () => closed++)
    // A best-effort stream takes everything: it would forget what has not left.
    if (kind === 'reliable') return more()
    const paced = (): void => {
      for (let i = 0; i < 20 && next < MESSAGES; i++) send()
      if (next < MESSAGES) network.clock.setTimer(paced, 1)
      else opened.end()
    }
    paced()
  })
  await network.clock.runUntilTrueAsync(() => closed === 2, 300_000)
  expect([count, failure, closed]).toEqual([MESSAGES, undefined, 2])
  expect(shuffler.mostOvertaken).toBeGreaterThan(0.9 * WINDOW_PACKETS)
  for (const { node } of [client, server]) {
    expect(node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
    node.destroy()
  }
  return { sent: stream!.stats(), byTenth }
}

/** One packet each, about. */
function bytesOf(number: number): number {
  return 1300 + (number % 100)
}

test.each([
  ['reliable', true],
  ['reliable', false],
  ['bestEffort', true],
] as const)('%s, ordered %s: packets come in any order within a thousand', { timeout: 120_000 }, async (kind, ordered) => {
  await forSeeds(
    seedsOf(1),
    async (seed) => {
      const { sent, byTenth } = await pourThrough(seed, kind, ordered)
      const { packetsSent, packetsRetransmitted } = sent
      const late = packetsRetransmitted - byTenth[7]!
      console.log(
        `${kind}${ordered ? '' : ', unordered'}: ${packetsSent} packets in any order within ${WINDOW_PACKETS}, none lost; ` +
          `${packetsRetransmitted} sent again needlessly, ${late} of them in the last 30 % (${byTenth.join(' ')})`,
      )
      // It learns how late packets are on this path, and then waits so long.
      expect(packetsRetransmitted).toBeLessThan(0.15 * packetsSent)
      expect(late).toBeLessThan(0.01 * packetsSent)
    },
    repeat,
  )
})

/** Longer than a thousand packets take at the pace. */
const PATIENCE_MS = 60
