/**
 * Joins groups, each on every interface that is wanted, and says how long that took. One program for both contenders, because a
 * comparison of loops would say little.
 *
 *   membership-join groups [--no-loopback | --dgram]
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { InterfaceMonitor, Membership } from 'geysir'
import { printLine } from './contender.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'no-loopback': { type: 'boolean', default: false }, dgram: { type: 'boolean', default: false } },
})
const groups = Array.from({ length: Number(positionals[0]) }, (_, i) => `239.3.${i >> 8}.${i & 255}`)

/** The kernel's default. */
const GROUPS_PER_SOCKET = 20
/** Of the left host of the benchmark. */
const ADDRESS = '10.0.0.1'

const begin = performance.now()
const joined = values.dgram ? await joinWithDgram() : joinWithMembership()
printLine({ ...joined, milliseconds: performance.now() - begin })
process.exit(0)

function joinWithMembership(): { memberships: number; sockets: number } {
  const membership = new Membership({ monitor: new InterfaceMonitor() })
  for (const group of groups) membership.join(group, { loopback: !values['no-loopback'] })
  const { memberships, sockets, membershipsFailing } = membership.stats()
  if (membershipsFailing > 0) throw new Error(`${membershipsFailing} memberships fail`)
  return { memberships, sockets }
}

/** As many sockets as net.ipv4.igmp_max_memberships demands, by hand. */
async function joinWithDgram(): Promise<{ memberships: number; sockets: number }> {
  let sockets = 0
  let port = 0
  for (let first = 0; first < groups.length; first += GROUPS_PER_SOCKET) {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    await once(socket.bind(port), 'listening')
    port = socket.address().port
    sockets++
    for (const group of groups.slice(first, first + GROUPS_PER_SOCKET)) socket.addMembership(group, ADDRESS)
  }
  return { memberships: groups.length, sockets }
}
