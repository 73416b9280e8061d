import { checkString, invalidArgValue, outOfRange } from '../core/index.js'

/**
 * The group of a channel: 239.0.0.0 and the lower 23 bits of the sdbm hash of its name. Channels can share one.
 *
 * @param name As it stands in datagrams: without namespace, ASCII, at most {@link MAX_NAME_BYTES} characters.
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` for a name that is not ASCII, `ERR_OUT_OF_RANGE` for one that is too long.
 * @see docs/wire/channel.md, section 3
 */
export function multicastGroupForChannel(name: string): string {
  checkWireName('name', name)
  let hash = 0
  for (let i = 0; i < name.length; i++) hash = sdbmStep(hash, name.charCodeAt(i))
  const group = FIRST_GROUP + (hash & GROUP_MASK)
  return `${group >>> 24}.${(group >>> 16) & 0xff}.${(group >>> 8) & 0xff}.${group & 0xff}`
}

/** One character more: `c + (h << 6) + (h << 16) - h`, of which 32 bits are kept. */
export function sdbmStep(hash: number, character: number): number {
  return (character + (hash << 6) + (hash << 16) - hash) | 0
}

/** What may stand in a datagram as a name. @throws Misuse. */
export function checkWireName(argument: string, name: unknown): string {
  const text = checkString(argument, name)
  if (!/^[\0-\x7f]*$/.test(text)) throw invalidArgValue(argument, text, 'must be ASCII')
  if (text.length > MAX_NAME_BYTES) throw outOfRange(`${argument}.length`, `<= ${MAX_NAME_BYTES}`, text.length)
  return text
}

/**
 * The name in datagrams of a channel, or a node, that is called `name` inside `namespace`.
 *
 * `/a/b` is absolute; anything else is relative to the namespace. `..` goes up, `.` and empty parts mean nothing.
 *
 * @param namespace In the same form as the result: parts with `/` between them, '' for the root.
 * @throws Misuse, naming `argument`: a name that is no string, not ASCII, too long, that leads above the root or to the root itself.
 */
export function resolveName(argument: string, name: unknown, namespace: string): string {
  const resolved = resolvePath(argument, name, namespace)
  if (resolved === '') throw invalidArgValue(argument, name, 'names no channel, but the root')
  return resolved
}

/** The same for a namespace, which may be the root. */
export function resolveNamespace(argument: string, name: unknown): string {
  return resolvePath(argument, name, '')
}

function resolvePath(argument: string, name: unknown, namespace: string): string {
  const text = checkString(argument, name)
  const parts = text.startsWith('/') || namespace === '' ? [] : namespace.split('/')
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined) throw invalidArgValue(argument, text, 'leads above the root')
  }
  return checkWireName(argument, parts.join('/'))
}

/** Its length is one byte in the datagram. */
export const MAX_NAME_BYTES = 255
const FIRST_GROUP = 0xef00_0000
const GROUP_MASK = 0x7f_ffff
