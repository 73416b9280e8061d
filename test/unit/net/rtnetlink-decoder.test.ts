import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InterfaceTable } from '../../../src/net/interface-table.js'
import * as n from '../../../src/net/netlink-constants.js'
import { decodeRouteMessages, type MessageOrigin, type RouteMessage } from '../../../src/net/rtnetlink-decoder.js'
import { encodeDumpRequest, encodeNetlinkAddress } from '../../../src/net/rtnetlink-encoder.js'
import { checkProperty } from '../support/check-property.js'
import { addressMessage, answering, attribute, linkMessage, message, routeMessage, uint32 } from './support/netlink-messages.js'

interface Fixture {
  note: string
  recordings: { name: string; datagrams: string[] }[]
}
const FIXTURE = JSON.parse(readFileSync(new URL('fixtures/rtnetlink.json', import.meta.url), 'utf8')) as Fixture

function recorded(name: string): Buffer[] {
  const found = FIXTURE.recordings.find((recording) => recording.name === name)
  if (found === undefined) throw new Error(`nothing recorded as ${name}`)
  return found.datagrams.map((text) => Buffer.from(text, 'base64'))
}

function decode(...datagrams: Uint8Array[]): { messages: RouteMessage[]; origins: MessageOrigin[]; malformed: number } {
  const messages: RouteMessage[] = []
  const origins: MessageOrigin[] = []
  let malformed = 0
  for (const bytes of datagrams) {
    malformed += decodeRouteMessages(bytes, (decoded, origin) => {
      messages.push(decoded)
      origins.push(origin)
    })
  }
  return { messages, origins, malformed }
}

describe('what a real kernel said', () => {
  test('a dump has every link with what belongs to it', () => {
    const { messages, malformed } = decode(...recorded('dump of links'))
    expect(malformed).toBe(0)
    const links = messages.flatMap((one) => (one.type === 'link' ? [one.link] : []))
    expect(links.map(({ index, name }) => `${index} ${name}`)).toEqual(['1 lo', '2 v1', '3 v0', '4 br0', '5 mv0'])
    expect(links[0]!.details).toMatchObject({
      mtuBytes: 65_536,
      hardwareAddress: undefined,
      kind: undefined,
      operationalState: 'unknown',
    })
    expect(links[1]!.details).toMatchObject({ kind: 'veth', master: 4, operationalState: 'up' })
    expect(links[2]!.details).toMatchObject({ mtuBytes: 1400, kind: 'veth', master: undefined })
    expect(links[3]!.details).toMatchObject({ kind: 'bridge', hardwareAddress: '02:00:00:00:00:07' })
    expect(links[4]!.details).toMatchObject({ kind: 'macvlan', operationalState: 'down' })
    expect(messages.at(-1)).toEqual({ type: 'done', result: 0 })
  })

  test('a dump has every address with its prefix, scope, peer and state', () => {
    const { messages, malformed } = decode(...recorded('dump of addresses'))
    expect(malformed).toBe(0)
    const addresses = messages.flatMap((one) => (one.type === 'address' ? [{ index: one.index, ...one.address.value }] : []))
    const find = (address: string): unknown => addresses.find((one) => one.address === address)
    expect(find('127.0.0.1')).toMatchObject({ index: 1, prefixLength: 8, scope: 'host', broadcast: undefined, peer: undefined })
    expect(find('10.1.0.1')).toMatchObject({
      index: 3,
      prefixLength: 24,
      scope: 'global',
      broadcast: '10.1.0.255',
      temporary: false,
    })
    expect(find('10.1.0.2')).toMatchObject({ temporary: true, permanent: true })
    expect(find('10.2.0.1')).toMatchObject({ prefixLength: 32, peer: '10.2.0.2' })
    expect(find('fd01::2')).toMatchObject({ prefixLength: 128, peer: 'fd01::3' })
    expect(find('::1')).toMatchObject({ prefixLength: 128, scope: 'host' })
    expect(addresses.find(({ scope }) => scope === 'link')).toMatchObject({ prefixLength: 64, tentative: true })
    expect(addresses).toHaveLength(10)
  })

  test('of all routes the default ones of the main table are told, each next hop by itself', () => {
    const routes = (name: string): unknown[] =>
      decode(...recorded(name)).messages.flatMap((one) => (one.type === 'defaultRoute' ? one.routes : []))
    expect(routes('dump of IPv4 routes')).toEqual([
      { family: 'IPv4', interfaceIndex: 3, gateway: '10.1.0.9', metric: 5 },
      { family: 'IPv4', interfaceIndex: 3, gateway: '10.1.0.8', metric: 9 },
      { family: 'IPv4', interfaceIndex: 3, gateway: '10.1.0.7', metric: 9 },
    ])
    expect(routes('dump of IPv6 routes')).toContainEqual({ family: 'IPv6', interfaceIndex: 3, gateway: 'fd01::9', metric: 1024 })
  })

  test('events lead a table to what the dumps say, and to nothing when all is taken apart', () => {
    const followed = new InterfaceTable()
    decode(...recorded('events while a network is set up')).messages.forEach((one) => followed.applyEvent(one))
    const dumped = new InterfaceTable()
    for (const [kind, name] of [
      ['links', 'dump of links'],
      ['addresses', 'dump of addresses'],
    ] as const) {
      // prettier-ignore
      dumped.beginDump(kind)
      decode(...recorded(name)).messages.forEach((one) => dumped.applyDumped(one))
      dumped.endDump()
    }
    const names = ({ interfaces }: InterfaceTable): string[] => interfaces.map(({ name, mtuBytes }) => `${name} ${mtuBytes}`)
    // The loopback interface was there before.
    expect(names(followed)).toEqual(names(dumped).slice(1))
    decode(...recorded('events while it is taken apart')).messages.forEach((one) => dumped.applyEvent(one))
    expect(names(dumped)).toEqual(['lo 65536', 'br0 1500'])
  })

  test('an error is the end of a request', () => {
    expect(decode(...recorded('an error')).messages).toEqual([{ type: 'done', result: -95 }])
  })
})

describe('messages that mean something else', () => {
  test('a port that leaves its bridge is no interface that goes', () => {
    const leaving = linkMessage({ index: 3, name: 'v0' }, n.RTM_DELLINK, 7)
    expect(decode(leaving).messages).toEqual([{ type: 'other' }])
  })

  test('a wireless event tells of a link without its details', () => {
    const header = Buffer.alloc(16)
    header.writeInt32LE(3, 4)
    const [told] = decode(
      message(n.RTM_NEWLINK, Buffer.concat([header, attribute(n.IFLA_IFNAME, Buffer.from('wlan0\0'))])),
    ).messages
    expect(told).toMatchObject({ type: 'link', link: { name: 'wlan0', details: undefined } })
    const table = new InterfaceTable()
    decode(linkMessage({ index: 3, name: 'wlan0', mtuBytes: 1280 })).messages.forEach((one) => table.applyEvent(one))
    table.applyEvent(told!)
    expect(table.interfaces[0]).toMatchObject({ mtuBytes: 1280, hardwareAddress: '02:00:00:00:00:03', up: false })
  })

  test('an interrupted dump says so in any of its messages', () => {
    const other = answering(7, message(9999, Buffer.alloc(4)), n.NLM_F_DUMP_INTR)
    expect(decode(other).origins).toEqual([{ sequence: 7, interrupted: true }])
  })

  test('an overrun and an empty DONE are understood', () => {
    const { messages } = decode(message(n.NLMSG_OVERRUN, Buffer.alloc(0)), message(n.NLMSG_DONE, Buffer.alloc(0)))
    expect(messages).toEqual([{ type: 'overrun' }, { type: 'done', result: 0 }])
  })

  test.each([
    ['a length of nothing', Buffer.alloc(16)],
    ['a length beyond the end', Buffer.concat([uint32(999), Buffer.alloc(12)])],
    ['half a header', Buffer.alloc(7)],
    ['a link without a name', message(n.RTM_NEWLINK, Buffer.concat([Buffer.alloc(4), uint32(3), Buffer.alloc(8)]))],
    ['a link of index 0', linkMessage({ index: 0, name: 'x' })],
    ['an IPv4 prefix of 33 bits', addressMessage({ index: 1, address: '10.0.0.1', prefixLength: 33 })],
    [
      'an attribute beyond its message',
      message(n.RTM_NEWADDR, Buffer.concat([Buffer.of(2, 8, 0, 0, 1, 0, 0, 0), Buffer.of(0xff, 0, 1, 0)])),
    ],
  ])('%s is malformed, and what stands before it is not', (_, bytes) => {
    const { messages, malformed } = decode(Buffer.concat([linkMessage({ index: 9, name: 'before' }), bytes]))
    expect(messages.map(({ type }) => type)).toEqual(['link'])
    expect(malformed).toBe(1)
  })
})

describe('whatever comes', () => {
  const datagrams = [
    ...FIXTURE.recordings.flatMap(({ name }) => recorded(name)),
    routeMessage({ index: 3, family: 4, gateway: '10.0.0.1' }),
  ]

  /** Decodes, and feeds tables with it. What it returns is bounded by what it was given. */
  function survive(bytes: Uint8Array): void {
    const table = new InterfaceTable()
    table.beginDump('addresses')
    const { messages, malformed } = decode(bytes)
    expect(messages.length + malformed).toBeLessThanOrEqual(bytes.length / 4 + 1)
    for (const one of messages) {
      table.applyEvent(one)
      table.applyDumped(one)
    }
    table.endDump()
    for (const { addresses } of table.interfaces) expect(addresses.every(({ address }) => address.length > 0)).toBe(true)
  }

  test('a recorded message cut anywhere is decoded as far as it goes', () => {
    for (const bytes of datagrams) for (let end = 0; end < bytes.length; end += 3) survive(bytes.subarray(0, end))
  })

  test('a recorded message with some bytes changed neither throws nor loops', () =>
    checkProperty(
      fc.property(
        fc.nat(datagrams.length - 1),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 12 }),
        fc.nat(),
        (which, changes, cut) => {
          const bytes = Buffer.from(datagrams[which]!)
          // Headers are where it hurts: half of the changes hit the front.
          for (const [at, value] of changes) bytes[at % 2 === 0 ? (at % 64) % bytes.length : at % bytes.length] = value
          survive(bytes.subarray(0, cut % 3 === 0 ? cut % bytes.length : bytes.length))
        },
      ),
      2000,
    ))

  test('bytes of no meaning are survived', () =>
    checkProperty(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => survive(bytes)),
      1000,
    ))
})

test('requests are what rtnetlink(7) says', () => {
  expect(Buffer.from(encodeDumpRequest('links', 5)).toString('hex')).toBe(
    '2800000012000103050000000000000000000000000000000000000000000000' + '08001d0008000000',
  )
  expect(Buffer.from(encodeDumpRequest('addresses', 6)).toString('hex')).toBe('180000001600010306000000000000000000000000000000')
  expect(Buffer.from(encodeDumpRequest('ipv6Routes', 7)).toString('hex')).toBe(
    '1c0000001a0001030700000000000000' + '0a000000fe00000000000000',
  )
  expect(Buffer.from(encodeNetlinkAddress(0x551)).toString('hex')).toBe('100000000000000051050000')
})
