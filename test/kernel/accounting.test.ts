import { expect, test } from 'vitest'
import { capabilities, endpoint, type SocketStatistics, type UdpSocket, type UdpSocketOptions } from '../../src/index.js'
import { lacking } from '../support/capabilities.js'
import { random } from '../support/random.js'
import { ROOMY, accountedFor, bound, deadEndpoint } from '../support/sockets.js'

const DATAGRAMS = 6000
const LONGEST_BURST = 40

const RUNS: [string, UdpSocketOptions, UdpSocketOptions][] = [
  ['offload at both ends', {}, {}],
  ['offload at the sender', {}, { receiveOffload: false }],
  ['offload at the receiver', { sendOffload: false }, {}],
  ['no offload', { sendOffload: false }, { receiveOffload: false }],
  ['no offload, short slots', { sendOffload: false }, { maxDatagramBytes: 500 }],
  ['no offload, a message a call', { sendOffload: false }, { receiveBatchMessages: 1 }],
  ['errors received', { receiveErrors: true }, {}],
]

test.each(RUNS)('the counters add up, with room enough: %s', async (_, sending, receiving) => {
  const { sender, receivers, sent } = await run(sending, { ...receiving, ...ROOMY }, false)
  for (const [i, receiver] of receivers.entries()) {
    const { datagramsReceived, bytesReceived, kernelDrops, overflowed, truncated } = receiver.stats()
    expect({ datagramsReceived, kernelDrops, overflowed }).toEqual({
      datagramsReceived: sent[i]!.datagrams,
      kernelDrops: 0,
      overflowed: 0,
    })
    if (truncated === 0) expect(bytesReceived).toBe(sent[i]!.bytes)
  }
  expectBalanced(sender, sent)
})

const NO_DROPS = capabilities().kernelDrops ? undefined : 'the kernel does not count them for us'

test.skipIf(lacking('drop counting', NO_DROPS)).each(RUNS.filter(([, sending]) => sending.sendOffload === false))(
  'the counters add up, with drops: %s',
  async (_, sending, receiving) => {
    const { sender, receivers, sent } = await run(sending, { ...receiving, receiveBufferBytes: 20_000 }, true)
    let dropped = 0
    for (const [i, receiver] of receivers.entries()) {
      const { datagramsReceived, kernelDrops } = receiver.stats()
      expect(datagramsReceived + kernelDrops).toBe(sent[i]!.datagrams)
      dropped += kernelDrops
    }
    expect(dropped).toBeGreaterThan(0)
    expectBalanced(sender, sent)
  },
)

interface Sent {
  datagrams: number
  bytes: number
}

/** Sends datagrams of many sizes to three receivers, to nobody, and to where no route leads. */
async function run(
  sending: UdpSocketOptions,
  receiving: UdpSocketOptions,
  flood: boolean,
): Promise<{ sender: UdpSocket; receivers: UdpSocket[]; sent: Sent[] }> {
  const next = random()
  const sender = await bound(sending)
  const receivers = [await bound(receiving), await bound(receiving), await bound(receiving)]
  const dead = await deadEndpoint()
  const broadcast = endpoint('127.255.255.255', 9)
  const endpoints = [...receivers.map((receiver) => receiver.address()), dead, broadcast]
  const sent: Sent[] = endpoints.map(() => ({ datagrams: 0, bytes: 0 }))
  for (const receiver of receivers) receiver.on('batch', () => undefined)
  const drained = async (): Promise<void> => {
    sender.flush()
    for (const [i, receiver] of receivers.entries()) {
      while (arrived(receiver.stats()) < sent[i]!.datagrams) await new Promise((resolve) => receiver.once('batch', resolve))
    }
  }
  let left = DATAGRAMS
  let bursts = 0
  while (left > 0) {
    const to = next(endpoints.length)
    const bytes = next(1500)
    // A run of neighbours, and now and then one that is shorter.
    for (let burst = Math.min(left, 1 + next(LONGEST_BURST)); burst > 0; burst--, left--) {
      const payload = Buffer.alloc(next(20) === 0 ? next(bytes + 1) : bytes)
      expect(sender.send(payload, endpoints[to])).toBe(true)
      sent[to]!.datagrams++
      sent[to]!.bytes += payload.length
    }
    // Two bursts have room in everybody's receive buffer.
    if (!flood && ++bursts % 2 === 0) await drained()
  }
  expect(sender.flush()).toBe(true)
  await drained()
  // On node:dgram, failures are told a tick later.
  await new Promise((resolve) => setImmediate(resolve))
  return { sender, receivers, sent }
}

function arrived({ datagramsReceived, kernelDrops }: SocketStatistics): number {
  return datagramsReceived + kernelDrops
}

function expectBalanced(sender: UdpSocket, sent: Sent[]): void {
  const { datagramsQueued, datagramsSent, datagramsFailed, sendErrors, queuedDatagrams, queuedBytes, bytesSent } = sender.stats()
  const refused = sent.at(-1)!
  expect(datagramsQueued).toBe(DATAGRAMS)
  expect(datagramsSent).toBe(DATAGRAMS - refused.datagrams)
  expect(bytesSent).toBe(sent.slice(0, -1).reduce((sum, { bytes }) => sum + bytes, 0))
  expect({ datagramsFailed, sendErrors }).toEqual({
    datagramsFailed: refused.datagrams,
    sendErrors: { EACCES: refused.datagrams },
  })
  expect({ queuedDatagrams, queuedBytes }).toEqual({ queuedDatagrams: 0, queuedBytes: 0 })
  expect(accountedFor(sender)).toBe(DATAGRAMS)
}
