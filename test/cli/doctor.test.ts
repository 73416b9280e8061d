import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { describe, expect, test } from 'vitest'
import { advise } from '../../src/cli/doctor/advice.js'
import { parseSnmp, parseSnmp6, SYSCTLS, type Facts } from '../../src/cli/doctor/facts.js'
import { describeFacts } from '../../src/cli/doctor/report.js'
import { parseIgmp, parseIgmp6 } from '../../src/cli/doctor/multicast.js'
import type { NetworkInterface } from '../../src/index.js'
import { geysir } from './command.js'

describe('geysir doctor', () => {
  test('finds what /proc says', async () => {
    const { code, stdout, stderr } = await geysir(['doctor', '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const facts = JSON.parse(stdout) as Facts
    expect(facts.versions.node).toBe(process.version)
    expect(facts.capabilities).toMatchObject({ kernelDrops: true })
    for (const name of ['net.core.rmem_max', 'net.ipv4.igmp_max_memberships'] as const) {
      expect(facts.sysctls[name]).toBe(Number(readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8')))
    }
    const loopback = facts.interfaces.find(({ name }) => name === 'lo')
    expect(loopback).toMatchObject({ index: 1, loopback: true, up: true })
    expect(loopback!.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`)).toEqual(
      networkInterfaces()['lo']!.map(({ cidr }) => cidr),
    )
    expect(facts.udp['InDatagrams']).toBeGreaterThanOrEqual(0)
  })

  test('tells people the same, and exits with 1 only when asked to and when there is advice', async () => {
    const plain = await geysir(['doctor'])
    expect(plain.code).toBe(0)
    for (const word of [
      'net.core.rmem_max',
      'net.core.wmem_max',
      'igmp_max_memberships',
      'UDP_SEGMENT',
      'UDP_GRO',
      'RcvbufErrors',
      'lo ',
      'MTU',
    ]) {
      expect(plain.stdout).toContain(word)
    }
    const { advice } = JSON.parse((await geysir(['doctor', '--json'])).stdout) as { advice: unknown[] }
    const strict = await geysir(['doctor', '--strict'])
    expect(strict.code).toBe(advice.length === 0 ? 0 : 1)
    expect(plain.stdout).toMatch(advice.length === 0 ? /Nothing to improve/ : /To improve:/)
  })
})

describe('advice', () => {
  test('there is none for a host that has everything', () => {
    expect(advise(facts())).toEqual([])
    expect(describeFacts(facts(), [])).toContain('Nothing to improve.')
  })

  test.each([
    ['net.core.rmem_max', 'receive-buffer'],
    ['net.core.wmem_max', 'send-buffer'],
  ] as const)('a low %s has the line to paste', (sysctl, id) => {
    const low = facts({ sysctls: { [sysctl]: 212_992 } })
    expect(advise(low)).toMatchObject([{ id, command: `sudo sysctl -w ${sysctl}=4194304` }])
    expect(describeFacts(low, advise(low))).toContain(`    sudo sysctl -w ${sysctl}=4194304\n`)
    expect(advise(low)[0]!.problem).toContain('208 KiB')
  })

  test('says when this user may go beyond the limit', () => {
    const forced = facts({ sysctls: { 'net.core.rmem_max': 212_992 } })
    expect(advise(forced)[0]!.problem).toContain('this user may go beyond it')
    const clamped = { ...forced, socketBuffers: { ...forced.socketBuffers!, receiveGrantedBytes: 212_992 } }
    expect(advise(clamped)[0]!.problem).not.toContain('may go beyond')
  })

  test('counters count when they are more than one datagram in ten thousand', () => {
    const with_ = (udp: Record<string, number>, backlogDrops = 0): string[] =>
      advise({ ...facts(), udp: { InDatagrams: 1_000_000, ...udp }, backlogDrops }).map(({ id }) => id)
    expect(with_({ RcvbufErrors: 100 })).toEqual([])
    expect(with_({ RcvbufErrors: 101 })).toEqual(['receive-buffer-errors'])
    expect(with_({ InCsumErrors: 101 })).toEqual(['checksum-errors'])
    expect(with_({}, 101)).toEqual(['backlog'])
  })

  test('a strict reverse-path filter matters where there is a choice of interfaces', () => {
    const one = facts({ reversePathFilter: { eth0: 1 } })
    expect(advise(one)).toEqual([])
    const two = { ...one, interfaces: [...one.interfaces, { ...ETH0, name: 'eth1', index: 3 }] }
    expect(advise(two)).toMatchObject([{ id: 'reverse-path-filter', command: 'sudo sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.eth0.rp_filter=2' }]) // prettier-ignore
    expect(describeFacts(two, [])).toContain('rp_filter 1: strict')
  })

  test('an old kernel, a missing addon and few memberships are told', () => {
    const old = facts()
    expect(advise({ ...old, capabilities: { ...old.capabilities!, receiveOffload: false } })[0]!.problem).toBe(
      'this kernel has no UDP_GRO (Linux 5.0)',
    )
    const broken = { ...old, capabilities: undefined, capabilitiesProblem: 'no such file', socketBuffers: undefined }
    expect(advise(broken)).toMatchObject([{ id: 'addon' }])
    expect(describeFacts(broken, advise(broken))).toContain('the native addon does not load: no such file')
    expect(advise(facts({ sysctls: { 'net.ipv4.igmp_max_memberships': 5 } }))).toMatchObject([{ id: 'memberships' }])
  })

  test('a host that tells nothing is described all the same', () => {
    const silent: Facts = {
      ...facts(),
      sysctls: {} as Facts['sysctls'],
      udp: {},
      udp6: {},
      interfaces: [],
      backlogDrops: undefined,
    }
    expect(describeFacts(silent, advise(silent))).toContain('unknown')
  })
})

test('a bridge that snoops and does not ask is worth a word, unless it is down or forwards everything', () => {
  const bridged = (snooping: boolean, querier: boolean, up = true): Facts => ({
    ...facts(),
    interfaces: [networkInterface({ name: 'br0', index: 3, up }, '192.0.2.9')],
    bridges: [{ name: 'br0', snooping, querier }],
  })
  expect(advise(bridged(true, false))).toMatchObject([
    { id: 'snooping', command: 'sudo ip link set dev br0 type bridge mcast_querier 1' },
  ])
  for (const fine of [bridged(true, true), bridged(false, false), bridged(true, false, false)]) expect(advise(fine)).toEqual([])
  expect(describeFacts(bridged(true, false), [])).toContain(
    'br0: a bridge, forwards groups where they are asked for, asks nobody',
  )
})

test('the counters of /proc/net/snmp and snmp6 are read by name', () => {
  const snmp = 'Tcp: A B\nTcp: 1 2\nUdp: InDatagrams NoPorts RcvbufErrors\nUdp: 10 20 30\nUdpLite: InDatagrams\nUdpLite: 7\n'
  expect(parseSnmp(snmp)).toEqual({ InDatagrams: 10, NoPorts: 20, RcvbufErrors: 30 })
  expect(parseSnmp('')).toEqual({})
  expect(parseSnmp6('Ip6InReceives  5\nUdp6InDatagrams   \t9\nUdpLite6InDatagrams 3\n')).toEqual({ InDatagrams: 9 })
})

test('the groups of /proc/net/igmp and igmp6 are read with their interfaces', () => {
  const igmp =
    'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n' +
    '2\teth0      :     2      V3\n\t\t\t\t0A0000EF     3 0:00000000\t\t0\n'
  expect(parseIgmp(igmp)).toEqual([
    { interface: 'lo', interfaceIndex: 1, group: '224.0.0.1', users: 1 },
    { interface: 'eth0', interfaceIndex: 2, group: '239.0.0.10', users: 3 },
  ])
  const igmp6 =
    '1    lo              ff020000000000000000000000000001     1 0000000C 0\n2    eth0            ff150000000000000000000012340000     2 00000004 0\n'
  expect(parseIgmp6(igmp6)).toEqual([
    { interface: 'lo', interfaceIndex: 1, group: 'ff02::1', users: 1 },
    { interface: 'eth0', interfaceIndex: 2, group: 'ff15::1234:0', users: 2 },
  ])
})

function networkInterface(
  of: Partial<NetworkInterface> & Pick<NetworkInterface, 'name' | 'index'>,
  address: string,
): NetworkInterface {
  return {
    up: true, running: true, loopback: false, multicast: true, broadcast: true, pointToPoint: false, flags: 0x1043, mtuBytes: 1500,
    hardwareAddress: undefined, kind: undefined, operationalState: 'up', master: undefined,
    addresses: [
      {
        family: 'IPv4', address, prefixLength: 24, scope: 'global', broadcast: undefined, peer: undefined, tentative: false, deprecated: false,
        temporary: false, duplicate: false, permanent: true,
      },
    ],
    ...of,
  } // prettier-ignore
}

const LO = networkInterface({ name: 'lo', index: 1, mtuBytes: 65_536, loopback: true, multicast: false }, '127.0.0.1')
const ETH0 = networkInterface({ name: 'eth0', index: 2 }, '192.0.2.1')

/** A host that has everything, but for what is said. */
function facts(but: { sysctls?: Partial<Facts['sysctls']>; reversePathFilter?: Facts['reversePathFilter'] } = {}): Facts {
  const buffer = 4 << 20
  return {
    versions: { geysir: '1.2.3', node: 'v20.0.0', kernel: '6.1.0', architecture: 'x64' },
    capabilities: {
      kernel: '6.1.0', ipv6: true, sendOffload: true, receiveOffload: true, sendOffloadRefused: [], reusePort: true, forceBufferSizes: true,
      bindToDevice: true, mark: true, busyPoll: true, maxPacing: true, kernelDrops: true, kernelDropsOnDemand: true, receiveTimestamp: true,
      receivePacketInfo: true, receiveErrors: true, multicastAll: true, multicastAllIpv6: true, maxReceiveBufferBytes: buffer,
      maxSendBufferBytes: buffer, maxMemberships: 20, interfaceEvents: true,
    }, // prettier-ignore
    capabilitiesProblem: undefined,
    sysctls: { ...(Object.fromEntries(SYSCTLS.map((name) => [name, buffer])) as Facts['sysctls']), ...but.sysctls },
    socketBuffers: {
      receiveDefaultBytes: 212_992,
      receiveGrantedBytes: buffer,
      sendDefaultBytes: 212_992,
      sendGrantedBytes: buffer,
    },
    interfaces: [LO, ETH0],
    groups: [],
    bridges: [],
    reversePathFilter: but.reversePathFilter ?? {},
    udp: { InDatagrams: 1000, RcvbufErrors: 0, InCsumErrors: 0 },
    udp6: { InDatagrams: 1000 },
    backlogDrops: 0,
  }
}
