import type { Endpoint } from '../../core/index.js'

/** A server that a client knows of. */
export interface DiscoveredServer {
  /** Where requests go. */
  readonly endpoint: Endpoint
  /** By which it announced itself; '' if it has none. */
  readonly name: string
  /** Lower ones come first (RFC 2782); 0 for announced servers. */
  readonly priority: number
  /** How often, compared to others of the same priority (RFC 2782). */
  readonly weight: number
}

/** A server as a {@link Resolver} knows it. */
export interface ResolvedServer {
  /** An address, or a name to be looked up. */
  readonly host: string
  readonly port: number
  readonly name?: string
  readonly priority?: number
  readonly weight?: number
}

/** Knows servers where there is no multicast. */
export interface Resolver {
  /** The servers that there are now. A rejection leaves the ones that were known. */
  resolve(signal: AbortSignal): Promise<readonly ResolvedServer[]>
}
