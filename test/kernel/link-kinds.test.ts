import { once } from 'node:events'
import { Duplex, duplexPair as nodePair } from 'node:stream'
import { describe, test } from 'vitest'
import { openLink, type ProxiedOptions } from '../../src/link/index.js'
import { linkSuite, type LinkPair } from '../../src/testing/index.js'
import { settled } from '../unit/support/turns.js'
import { freePort } from '../support/link-ports.js'

async function pointToPoint(header: boolean, host = '127.0.0.1'): Promise<LinkPair> {
  const [one, other] = [await freePort(host), await freePort(host)]
  const a = await openLink({
    kind: 'point-to-point',
    role: 'client',
    serverHost: host,
    serverPort: other,
    localPort: one,
    header,
    localInterface: host,
  })
  const b = await openLink({
    kind: 'point-to-point',
    role: 'server',
    clientHost: host,
    clientPort: one,
    localPort: other,
    header,
    localInterface: host,
  })
  return { a, b, turn: settled }
}

async function responder(header: boolean): Promise<LinkPair> {
  const b = await openLink({ kind: 'responder', role: 'server', localPort: 0, localAddress: '127.0.0.1', header })
  const { port } = b.address()
  const a = await openLink({
    kind: 'responder',
    role: 'client',
    serverHost: '127.0.0.1',
    serverPort: port,
    header,
    localInterface: '127.0.0.1',
  })
  return { a, b, toA: a.address(), toB: b.address(), turn: settled }
}

async function multicast(): Promise<LinkPair> {
  const port = await freePort('127.0.0.1')
  const options = {
    kind: 'multicast',
    serverMulticastAddress: '239.77.1.1',
    serverMulticastPort: port,
    clientMulticastAddress: '239.77.1.2',
    clientMulticastPort: port === 65_535 ? port - 1 : port + 1,
    localInterface: 'lo',
    multicastTtl: 1,
  } as const
  const b = await openLink({ ...options, role: 'server' })
  const a = await openLink({ ...options, role: 'client' })
  return { a, b, turn: settled }
}

async function discovery(header: boolean): Promise<LinkPair> {
  const port = await freePort('127.0.0.1')
  const options = {
    kind: 'discovery',
    multicastAddress: '239.77.1.3',
    multicastPort: port,
    localInterface: 'lo',
    header,
  } as const
  const a = await openLink({ ...options, role: 'client' })
  const found = new Promise((resolve) => a.once('server', resolve))
  const b = await openLink({ ...options, role: 'server' })
  await found
  return { a, b, toA: a.address(), toB: b.address(), turn: settled }
}

const SINGLE = { singlePeer: true } as const
for (const header of [false, true]) {
  const name = header ? 'with header' : 'raw'
  linkSuite({ name: `point-to-point, ${name}`, make: () => pointToPoint(header), traits: SINGLE }, { describe, test })
  linkSuite({ name: `responder, ${name}`, make: () => responder(header), traits: SINGLE }, { describe, test })
  linkSuite({ name: `discovery, ${name}`, make: () => discovery(header), traits: SINGLE }, { describe, test })
}
linkSuite({ name: 'point-to-point over IPv6', make: () => pointToPoint(false, '::1'), traits: SINGLE }, { describe, test })
linkSuite({ name: 'multicast', make: multicast, traits: SINGLE }, { describe, test })

async function overTcp(framing: 'length' | 'separator' | 'addressed', header = false): Promise<LinkPair> {
  const b = await openLink({ kind: 'proxied', role: 'server', host: '127.0.0.1', port: 0, framing, header })
  const a = await openLink({ kind: 'proxied', role: 'client', host: '127.0.0.1', port: b.address()!.port, framing, header })
  for (const link of [a, b]) if (link.peer === undefined) await once(link, 'peer')
  if (framing !== 'addressed') return { a, b, turn: settled }
  const anybody = { address: '192.0.2.1', port: 9 }
  return { a, b, toA: anybody as never, toB: anybody as never, turn: settled }
}

async function overDuplex(): Promise<LinkPair> {
  const [one, other] = duplexes()
  const options: ProxiedOptions = { kind: 'proxied', role: 'client', framing: 'separator', stream: one }
  return { a: await openLink(options), b: await openLink({ ...options, stream: other }), turn: settled }
}

function duplexes(): [Duplex, Duplex] {
  const [one, other] = nodePair()
  return [one, other]
}

for (const framing of ['length', 'separator'] as const) {
  linkSuite({ name: `proxied over TCP, ${framing}`, make: () => overTcp(framing), traits: SINGLE }, { describe, test })
}
linkSuite(
  { name: 'proxied over TCP, length, with header', make: () => overTcp('length', true), traits: SINGLE },
  { describe, test },
)
linkSuite({ name: 'proxied over a Duplex', make: overDuplex, traits: SINGLE }, { describe, test })
