import { invalidArgType } from './errors.js'
import type { Link } from './link.js'

/** Something that carries datagrams? @throws `ERR_INVALID_ARG_TYPE` that names it. */
export function checkLink(name: string, value: unknown): Link {
  const link = value as Partial<Link> | null | undefined
  const isLink = typeof link === 'object' && link !== null && METHODS.every((method) => typeof link[method] === 'function')
  if (!isLink) throw invalidArgType(name, 'a Link, such as a UdpSocket', value)
  return link as Link
}

/** What a `dgram.Socket`, say, has only a part of. */
const METHODS = ['send', 'reserve', 'commit', 'flush', 'unfragmentedBytes', 'on', 'off'] as const
