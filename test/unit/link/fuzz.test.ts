import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openLink, type AnyLink, type LinkOptions } from '../../../src/link/index.js'
import { encodeStatus } from '../../../src/link/discovery/status-message.js'
import { HEADER_BYTES, writeHeader } from '../../../src/link/header.js'
import { SimulatedNetwork } from '../../../src/testing/index.js'
import { simulatedPlatform } from '../../support/simulated-platform.js'
import { checkProperty } from '../support/check-property.js'

const GROUP = { address: '239.1.1.1', port: 7000 }
const DISCOVERY = { kind: 'discovery', multicastAddress: GROUP.address, multicastPort: GROUP.port } as const
const MULTICAST = { kind: 'multicast', serverMulticastAddress: GROUP.address, serverMulticastPort: GROUP.port } as const

/** Links that hear the attacker at the same ports, raw or not. */
const TARGETS: readonly LinkOptions[] = [
  { kind: 'responder', role: 'server', localPort: 5000, maxClients: 3 },
  { kind: 'point-to-point', role: 'server', clientHost: '10.0.0.1', clientPort: 4000, localPort: 5001 },
  { ...DISCOVERY, role: 'server', localPort: 5002 },
  { ...DISCOVERY, role: 'client', localPort: 5003, maxServers: 3 },
  { ...MULTICAST, role: 'client', localPort: 5004 },
]

/** Something like what a link sends: each field right or wrong. */
const datagram = fc
  .record({
    type: fc.integer({ min: 0, max: 5 }),
    sender: fc.integer({ min: 0, max: 3 }),
    addressee: fc.integer({ min: 0, max: 3 }),
    correlation: fc.integer({ min: 0, max: 3 }),
    isStatus: fc.boolean(),
    sequence: fc.integer({ min: 0, max: 5 }),
    periodMs: fc.constantFrom(0, 1, 1000, 3_600_000),
    payload: fc.uint8Array({ maxLength: 30 }),
    cut: fc.option(fc.nat(60)),
    flip: fc.option(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 255 }))),
  })
  .map(({ type, sender, addressee, correlation, isStatus, sequence, periodMs, payload, cut, flip }) => {
    const header = Buffer.alloc(HEADER_BYTES)
    writeHeader(header, type, sender, addressee, correlation)
    const status = encodeStatus({ startedMicroseconds: sender, sequence, periodMs, name: 'x', clientGroup: undefined })
    const whole = Buffer.concat([header, isStatus ? status : payload])
    if (flip !== null) whole[flip[0] % whole.length]! ^= flip[1]
    return whole.subarray(0, cut ?? whole.length)
  })

test.each([false, true])(
  'whatever comes, nothing is thrown, nothing grows, and everything is counted (header %s)',
  async (header) => {
    await checkProperty(
      fc.asyncProperty(fc.array(datagram, { maxLength: 60 }), fc.nat(), async (datagrams, seed) => {
        const network = new SimulatedNetwork(seed)
        const [attacker, victim] = [network.addHost(), network.addHost()]
        const links: AnyLink[] = []
        let heard = 0
        for (const options of TARGETS) {
          const link = await openLink({ ...options, header }, { platform: simulatedPlatform(victim) })
          link.on('batch', (batch) => (heard += batch.count))
          link.on('request', (request) => request.respond('.'))
          link.on('announce', (payload) => (heard += payload.length))
          link.on('error', (error) => expect(error).toBeUndefined())
          if (header && link.role === 'client') link.request('?', { timeoutMs: 1 }).catch(() => undefined)
          links.push(link)
        }
        const socket = attacker.openLink({ port: 4000 })
        for (const [i, bytes] of datagrams.entries()) {
          socket.send(bytes, i % 3 === 0 ? GROUP : { address: victim.addressOf(), port: 5000 + (i % 5) })
          if (i % 7 === 6) await network.clock.advanceAsync(100)
        }
        await network.clock.advanceAsync(100)
        for (const link of links) {
          const stats = link.stats() as ReturnType<typeof link.stats> & { clients?: number; servers?: number }
          expect(stats.clients ?? 0).toBeLessThanOrEqual(3)
          expect(stats.servers ?? 0).toBeLessThanOrEqual(3)
          expect(stats.datagramsQueued).toBe(
            stats.datagramsSent + stats.datagramsFailed + stats.datagramsDiscarded + stats.queuedDatagrams,
          )
          link.close()
        }
        expect(heard).toBeGreaterThanOrEqual(0)
      }),
      60,
    )
  },
)

test('a flood of clients and of servers keeps no more of them than it may', async () => {
  const network = new SimulatedNetwork(1)
  const victim = network.addHost()
  const [server, client] = [
    await openLink(
      { kind: 'responder', role: 'server', localPort: 5000, maxClients: 10 },
      { platform: simulatedPlatform(victim) },
    ),
    await openLink({ ...DISCOVERY, role: 'client', maxServers: 5 }, { platform: simulatedPlatform(victim) }),
  ]
  for (let i = 0; i < 200; i++) {
    const socket = network.addHost().openLink()
    socket.send('me too', { address: victim.addressOf(), port: 5000 })
    socket.send('I serve', GROUP)
    socket.flush()
    network.clock.advance(5)
  }
  expect(server.clients().length).toBe(10)
  expect(client.servers().length).toBe(5)
  expect(client.stats().statusRefused).toBeGreaterThan(100)
})
