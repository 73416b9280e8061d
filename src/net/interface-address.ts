import type { InterfaceAddress } from './network-interface.js'

/** What tells an address from others of its interface: IPv4 may be there with several prefixes and peers (inet_insert_ifa), IPv6 once. */
export function addressKey({ family, address, prefixLength, peer }: InterfaceAddress): string {
  return family === 'IPv6' ? address : `${address}/${prefixLength}/${peer ?? ''}`
}

/** Lifetimes are no part of an address here: a router renews them all the time. */
export function isSameAddress(a: InterfaceAddress, b: InterfaceAddress): boolean {
  const names = Object.keys(a) as (keyof InterfaceAddress)[]
  return names.every((name) => a[name] === b[name])
}
