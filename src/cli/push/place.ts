import { isIPv6 } from 'node:net'
import { UsageError } from '../exit.js'

/** `server`, `server:9000`, `127.0.0.1:9000`, `[::1]:9000`, `::1`. */
export function remotePlace(text: string, defaultPort: number): { host: string; port: number } {
  // A zone is not for isIPv6 of older versions.
  if (isIPv6(text.replace(/%.*$/, ''))) return { host: text, port: defaultPort }
  const match = /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:[\]]+))(?::(?<port>\d{1,5}))?$/.exec(text)
  const host = match?.groups?.['bracketed'] ?? match?.groups?.['plain']
  if (host === undefined)
    throw new UsageError(`'${text}' is no host, nor host:port; an IPv6 address with a port stands in brackets`)
  const port = Number(match?.groups?.['port'] ?? defaultPort)
  if (port < 1 || port > 65_535) throw new UsageError(`'${text}': a port is from 1 to 65535`)
  return { host, port }
}
