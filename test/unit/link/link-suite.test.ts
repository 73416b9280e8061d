import { Duplex } from 'node:stream'
import { describe, test } from 'vitest'
import { openLink, type LinkOptions } from '../../../src/link/index.js'
import { SimulatedNetwork, linkSuite, type LinkPair } from '../../../src/testing/index.js'
import { simulatedPlatform } from '../../support/simulated-platform.js'
import { settled } from '../support/turns.js'

async function simulated(kind: 'point-to-point' | 'responder' | 'multicast' | 'discovery', header: boolean): Promise<LinkPair> {
  const network = new SimulatedNetwork(1)
  const [client, server] = [network.addHost(), network.addHost()]
  const groups = { multicastAddress: '239.1.1.1', multicastPort: 7000, header }
  const multicast = { serverMulticastAddress: '239.1.1.1', serverMulticastPort: 7000, header }
  const options: Record<typeof kind, [LinkOptions, LinkOptions]> = {
    'point-to-point': [
      { kind: 'point-to-point', role: 'client', serverHost: '10.0.0.2', serverPort: 5, localPort: 6, header },
      { kind: 'point-to-point', role: 'server', clientHost: '10.0.0.1', clientPort: 6, localPort: 5, header },
    ],
    responder: [
      { kind: 'responder', role: 'client', serverHost: '10.0.0.2', serverPort: 5, localPort: 6, header },
      { kind: 'responder', role: 'server', localPort: 5, header },
    ],
    multicast: [
      { kind: 'multicast', role: 'client', ...multicast },
      { kind: 'multicast', role: 'server', ...multicast },
    ],
    discovery: [
      { kind: 'discovery', role: 'client', ...groups, localPort: 6 },
      { kind: 'discovery', role: 'server', ...groups, localPort: 5 },
    ],
  }
  const a = await openLink(options[kind][0], { platform: simulatedPlatform(client) })
  const b = await openLink(options[kind][1], { platform: simulatedPlatform(server) })
  if (kind === 'discovery') await network.clock.advanceAsync(1500)
  const isNamed = kind === 'responder' || kind === 'discovery'
  const ends = isNamed ? { toA: { address: '10.0.0.1', port: 6 } as never } : {}
  return { a, b, ...ends, turn: () => network.clock.advanceAsync(1) }
}

for (const kind of ['point-to-point', 'responder', 'discovery', 'multicast'] as const) {
  for (const header of [false, true]) {
    const name = `simulated ${kind}${header ? ' with header' : ''}`
    linkSuite({ name, make: () => simulated(kind, header), traits: { singlePeer: true } }, { describe, test })
  }
}

/** One end of a stream whose other end can be slow to take what is written. */
class SlowEnd extends Duplex {
  other!: SlowEnd
  #isHeld = false
  #waiting: (() => void)[] = []

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const pass = (): void => {
      this.other.push(chunk)
      done()
    }
    if (this.#isHeld) this.#waiting.push(pass)
    else pass()
  }

  override _final(done: () => void): void {
    this.other.push(null)
    done()
  }

  hold(): () => void {
    this.#isHeld = true
    return () => {
      this.#isHeld = false
      for (const pass of this.#waiting.splice(0)) pass()
    }
  }
}

interface StreamPair extends LinkPair {
  readonly end: SlowEnd
}

async function streams(framing: 'length' | 'separator'): Promise<StreamPair> {
  const [end, other] = [new SlowEnd({ writableHighWaterMark: 1 }), new SlowEnd()]
  end.other = other
  other.other = end
  const options = { kind: 'proxied', role: 'client', framing, sendQueueDatagrams: 100 } as const
  const a = await openLink({ ...options, stream: end })
  return { a, b: await openLink({ ...options, stream: other }), end, turn: settled }
}

linkSuite(
  { name: 'proxied over a stream, length', make: () => streams('length'), traits: { singlePeer: true } },
  { describe, test },
)
linkSuite(
  {
    name: 'proxied over a slow stream, separator',
    make: () => streams('separator'),
    traits: { singlePeer: true },
    hold: ({ end }: StreamPair) => {
      const release = end.hold()
      // Bytes outside of frames, with which the stream is full.
      end.write(Buffer.from('full'))
      return release
    },
  },
  { describe, test },
)
