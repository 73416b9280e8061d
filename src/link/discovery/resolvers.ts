import { promises } from 'node:dns'
import { MAX_PORT, checkString, invalidArgValue } from '../../core/index.js'
import type { ResolvedServer, Resolver } from './server-list.js'

/**
 * Servers that are known beforehand: `host:port` each, an IPv6 address in brackets. The first ones are preferred.
 *
 * @throws `ERR_INVALID_ARG_VALUE` for what is none.
 */
export function staticResolver(servers: readonly string[]): Resolver {
  const list = servers.map((text, i) => ({ ...parseServer(text), priority: i }))
  return { resolve: () => Promise.resolve(list) }
}

/** Asks for SRV records: `dns.promises.resolveSrv`, or a function like it. */
export type ResolveSrv = (name: string) => Promise<readonly { name: string; port: number; priority: number; weight: number }[]>

/**
 * Servers by the SRV records of `name`, such as `_coap._udp.example.org`. @see RFC 2782
 *
 * @param resolve Default: `dns.promises.resolveSrv`.
 */
export function srvResolver(name: string, resolve: ResolveSrv = promises.resolveSrv): Resolver {
  checkString('name', name)
  return {
    resolve: async () => {
      const records = await resolve(name)
      return (
        records
          // "A Target of "." means that the service is decidedly not available at this domain" (RFC 2782).
          .filter((record) => record.name !== '' && record.name !== '.')
          .map((record) => ({ host: record.name, port: record.port, priority: record.priority, weight: record.weight }))
      )
    },
  }
}

function parseServer(text: string): ResolvedServer {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  if (host === undefined || port < 1 || port > MAX_PORT) throw invalidArgValue('options.servers', text, 'must be host:port')
  return { host, port }
}
