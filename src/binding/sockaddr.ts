import { endianness } from 'node:os'
import { ADDRESS_WORDS, Endpoint } from '../core/index.js'

/**
 * Endpoints to and from `struct sockaddr_in` and `sockaddr_in6` (ip(7), ipv6(7)), kept as 32-bit words because that is how
 * records carry them: word 0 holds family and port, then an IPv4 address in word 1, or flow label, address and scope in words 1 to 6.
 */

export const AF_UNSPEC = 0
export const AF_INET = 2
export const AF_INET6 = 10
export const AF_PACKET = 17
export const SOCKADDR_IN_BYTES = 16
export const SOCKADDR_IN6_BYTES = 28

/**
 * Writes `endpoint` for a socket of `family` and returns the length of the sockaddr; 0 when the family cannot reach it. An
 * IPv4 endpoint becomes an IPv4-mapped address for an IPv6 socket, and the other way round.
 */
export function writeSockaddr(words: Uint32Array, offset: number, endpoint: Endpoint, family: number): number {
  const address = endpoint.words
  if (family === AF_INET) {
    if (!endpoint.isIpv4) return 0
    words[offset] = familyAndPort(AF_INET, endpoint.port)
    words[offset + 1] = networkOrder(address[3])
    words[offset + 2] = 0
    words[offset + 3] = 0
    return SOCKADDR_IN_BYTES
  }
  words[offset] = familyAndPort(AF_INET6, endpoint.port)
  words[offset + 1] = 0
  writeIpv6Words(words, offset + 2, endpoint)
  words[offset + 6] = endpoint.scopeId
  return SOCKADDR_IN6_BYTES
}

/** Writes the address alone: four words for IPv6, the first of four for IPv4. */
export function writeAddress(words: Uint32Array, offset: number, endpoint: Endpoint, family: number): void {
  if (family === AF_INET) words[offset] = networkOrder(endpoint.words[3])
  else writeIpv6Words(words, offset, endpoint)
}

/** The sockaddr of `endpoint` as bytes, for bind(2), connect(2) and group requests; undefined when the family cannot reach it. */
export function encodeSockaddr(endpoint: Endpoint, family: number): Uint8Array | undefined {
  const words = new Uint32Array(ADDRESS_WORDS)
  const length = writeSockaddr(words, 0, endpoint, family)
  return length === 0 ? undefined : new Uint8Array(words.buffer, 0, length)
}

/** Reads the sockaddr at `offset`. Anything but IPv4 and IPv6 is undefined. */
export function readSockaddr(words: Uint32Array, offset: number): Endpoint | undefined {
  const family = familyOf(words[offset]!)
  const port = portOf(words[offset]!)
  if (family === AF_INET) return new Endpoint('IPv4', [0, 0, 0, networkOrder(words[offset + 1]!)], port)
  if (family !== AF_INET6) return undefined
  return new Endpoint('IPv6', readIpv6Words(words, offset + 2), port, words[offset + 6])
}

export function decodeSockaddr(bytes: Uint8Array): Endpoint | undefined {
  const words = new Uint32Array(ADDRESS_WORDS)
  new Uint8Array(words.buffer).set(bytes.subarray(0, SOCKADDR_IN6_BYTES))
  return readSockaddr(words, 0)
}

/** Reads an address without a port, as pktinfo brings it. */
export function readAddress(words: Uint32Array, offset: number, family: number): Endpoint {
  if (family === AF_INET) return new Endpoint('IPv4', [0, 0, 0, networkOrder(words[offset]!)], 0)
  return new Endpoint('IPv6', readIpv6Words(words, offset), 0)
}

/** 127.0.0.1 as the word that a record holds, and back. */
export function networkOrder(word: number): number {
  return LITTLE_ENDIAN ? swap(word) : word
}

function writeIpv6Words(words: Uint32Array, offset: number, endpoint: Endpoint): void {
  const [a, b, c, d] = endpoint.words
  words[offset] = networkOrder(a)
  words[offset + 1] = networkOrder(b)
  words[offset + 2] = networkOrder(endpoint.family === 'IPv4' ? IPV4_MAPPED_PREFIX : c)
  words[offset + 3] = networkOrder(d)
}

function readIpv6Words(words: Uint32Array, offset: number): [number, number, number, number] {
  return [
    networkOrder(words[offset]!),
    networkOrder(words[offset + 1]!),
    networkOrder(words[offset + 2]!),
    networkOrder(words[offset + 3]!),
  ]
}

function familyAndPort(family: number, port: number): number {
  return LITTLE_ENDIAN ? (((port & 0xff) << 24) | ((port >>> 8) << 16) | family) >>> 0 : ((family << 16) | port) >>> 0
}

function familyOf(word: number): number {
  return LITTLE_ENDIAN ? word & 0xffff : word >>> 16
}

function portOf(word: number): number {
  return LITTLE_ENDIAN ? ((word >>> 24) & 0xff) | ((word >>> 8) & 0xff00) : word & 0xffff
}

function swap(word: number): number {
  return (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0
}

const LITTLE_ENDIAN = endianness() === 'LE'
const IPV4_MAPPED_PREFIX = 0xffff
