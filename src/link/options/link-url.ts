import { checkString, invalidArgValue } from '../../core/index.js'
import type { LinkOptions } from './link-options.js'
import { readOption, writeOption } from './option-spec.js'
import { KIND_TABLES, LINK_KINDS, LINK_ROLES, type LinkKind, type LinkRole } from './option-tables.js'
import { resolveLinkOptions, tableOf } from './resolve-options.js'

/**
 * Reads the URL of a link: `KIND://ROLE@HOST:PORT?OPTION=VALUE&…`, where HOST and PORT stand for the two options that the kind's table
 * names (docs/links.md). An IPv6 address stands in brackets.
 *
 * @throws `ERR_INVALID_ARG_VALUE`, saying what is wrong. The options themselves are checked when the link is opened.
 */
export function parseLinkUrl(url: string): LinkOptions {
  checkString('url', url)
  if (url.length > MAX_URL_LENGTH) throw invalidArgValue('url', url, `must have at most ${MAX_URL_LENGTH} characters`)
  const match = URL_PATTERN.exec(url)
  if (match === null) throw invalidArgValue('url', url, 'must be KIND://ROLE@HOST:PORT?OPTION=VALUE')
  const [, kindText, roleText, ipv6, host, port, query] = match
  const kind = LINK_KINDS.find((candidate) => candidate === kindText)
  if (kind === undefined) throw invalidArgValue('url', url, `must begin with one of: ${LINK_KINDS.join(', ')}`)
  const role = LINK_ROLES.find((candidate) => candidate === roleText)
  if (role === undefined) throw invalidArgValue('url', url, `must name a role, ${LINK_ROLES.join(' or ')}, before an @`)

  const table = KIND_TABLES[kind][role]
  const options: Record<string, unknown> = { kind, role }
  const place: [string | undefined, string | undefined][] = [
    [table.host, ipv6 ?? (host === undefined || host === '' ? undefined : decode(url, host))],
    [table.port, port],
  ]
  for (const [name, text] of place) {
    if (name !== undefined && text !== undefined) options[name] = readOption(`url.${name}`, text, table.options[name]!)
  }
  for (const [name, text] of new URLSearchParams(query)) {
    const spec = Object.hasOwn(table.options, name) ? table.options[name] : undefined
    const value = spec && readOption(`url.${name}`, text, spec)
    if (value === undefined) {
      const known = Object.entries(table.options).filter(([, { type }]) => type !== 'object' && type !== 'function')
      throw invalidArgValue(
        `url.${name}`,
        name,
        `is not an option of ${kind} ${role} (known: ${known.map(([n]) => n).join(', ')})`,
      )
    }
    if (name in options) throw invalidArgValue(`url.${name}`, text, 'is given twice')
    options[name] = value
  }
  return options as unknown as LinkOptions
}

/**
 * The URL that says what `options` say: {@link parseLinkUrl} gives them back.
 *
 * @throws Misuse; `ERR_INVALID_ARG_VALUE` for an option that no URL can say (a function, a stream).
 */
export function linkUrl(options: LinkOptions): string {
  resolveLinkOptions(options)
  const table = tableOf(options)
  const given = options as unknown as Readonly<Record<string, unknown>>
  const parameters = new URLSearchParams()
  for (const [name, spec] of Object.entries(table.options)) {
    const value = given[name]
    if (value === undefined || name === table.host || name === table.port) continue
    const text = writeOption(value, spec)
    if (text === undefined) throw invalidArgValue(`options.${name}`, value, 'cannot be said by a URL')
    parameters.append(name, text)
  }
  const host = table.host === undefined ? undefined : (given[table.host] as string | undefined)
  const port = table.port === undefined ? undefined : (given[table.port] as number | undefined)
  const query = parameters.size === 0 ? '' : `?${parameters.toString()}`
  return `${given['kind'] as LinkKind}://${given['role'] as LinkRole}@${formatHost(host)}${port === undefined ? '' : `:${port}`}${query}`
}

function formatHost(host: string | undefined): string {
  if (host === undefined) return ''
  return host.includes(':') ? `[${host}]` : encodeURIComponent(host)
}

function decode(url: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalidArgValue('url', url, 'has a host that is not UTF-8')
  }
}

/** Kind, role, [IPv6] or host, port, query. */
const URL_PATTERN = /^([a-z-]+):\/\/(?:([a-z]+)@)?(?:\[([^\]]*)\]|([^:?#/@[\]]*))(?::(\d{1,5}))?\/?(?:\?([^#]*))?$/
const MAX_URL_LENGTH = 65_536
