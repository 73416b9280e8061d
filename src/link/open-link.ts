import { checkOptions, checkSignal, obeySignal } from '../core/index.js'
import { openDiscoveryClient, type DiscoveryClientLink } from './discovery/discovery-client.js'
import { openDiscoveryServer, type DiscoveryServerLink } from './discovery/discovery-server.js'
import { openMulticast, type MulticastLink } from './multicast-link.js'
import type {
  DiscoveryClientOptions,
  DiscoveryServerOptions,
  LinkOptions,
  MulticastClientOptions,
  MulticastServerOptions,
  PointToPointClientOptions,
  PointToPointServerOptions,
  ProxiedOptions,
  ResolvedLinkOptions,
  ResponderClientOptions,
  ResponderServerOptions,
} from './options/link-options.js'
import { parseLinkUrl } from './options/link-url.js'
import { resolveLinkOptions } from './options/resolve-options.js'
import type { LinkPlatform } from './platform.js'
import { openPointToPoint, type PointToPointLink } from './point-to-point.js'
import { openProxied, type ProxiedLink } from './proxied-link.js'
import { openResponderServer, type ResponderServerLink } from './responder-server.js'
import { systemPlatform, type Lookup } from './system-platform.js'

/** A link of any kind. */
export type AnyLink =
  PointToPointLink | ResponderServerLink | DiscoveryClientLink | DiscoveryServerLink | MulticastLink | ProxiedLink

/** What is not part of a link's description. */
export interface OpenLinkOptions {
  /** Resolves host names. Default: `dns.lookup`. */
  lookup?: Lookup
  /** Closes the link when it is aborted. */
  signal?: AbortSignal
  /** Where sockets, time and randomness come from. Default: the operating system. */
  platform?: LinkPlatform
}

/**
 * Opens a link: by its options, or by a URL that says the same (docs/links.md). A deployment changes the kind of link there, and nothing
 * in its program.
 *
 * @returns The link, open: it can send, although a peer may not be known yet.
 * @throws Misuse, at once. Rejects with the error of a socket or of a lookup.
 */
export function openLink(
  link: PointToPointClientOptions | PointToPointServerOptions | ResponderClientOptions,
  options?: OpenLinkOptions,
): Promise<PointToPointLink>
export function openLink(link: ResponderServerOptions, options?: OpenLinkOptions): Promise<ResponderServerLink>
export function openLink(link: DiscoveryClientOptions, options?: OpenLinkOptions): Promise<DiscoveryClientLink>
export function openLink(link: DiscoveryServerOptions, options?: OpenLinkOptions): Promise<DiscoveryServerLink>
export function openLink(link: MulticastClientOptions | MulticastServerOptions, options?: OpenLinkOptions): Promise<MulticastLink>
export function openLink(link: ProxiedOptions, options?: OpenLinkOptions): Promise<ProxiedLink>
export function openLink(link: LinkOptions | string, options?: OpenLinkOptions): Promise<AnyLink>
export function openLink(link: LinkOptions | string, options: OpenLinkOptions = {}): Promise<AnyLink> {
  const resolved = resolveLinkOptions(typeof link === 'string' ? parseLinkUrl(link) : link)
  checkOptions('options', options, OPEN_OPTIONS)
  const { signal, lookup, platform = systemPlatform(lookup) } = options
  checkSignal('options.signal', signal)
  return openAndFollow(resolved, platform, signal)
}

async function openAndFollow(
  resolved: ResolvedLinkOptions,
  platform: LinkPlatform,
  signal: AbortSignal | undefined,
): Promise<AnyLink> {
  const link = await openKind(resolved, platform)
  const letGo = obeySignal(signal, () => link.close())
  link.once('close', letGo)
  return link
}

function openKind(options: ResolvedLinkOptions, platform: LinkPlatform): Promise<AnyLink> {
  switch (options.kind) {
    case 'point-to-point':
      return openPointToPoint(options, platform)
    case 'responder':
      return options.role === 'client' ? openPointToPoint(options, platform) : openResponderServer(options, platform)
    case 'proxied':
      return openProxied(options, platform)
    case 'discovery':
      return options.role === 'client' ? openDiscoveryClient(options, platform) : openDiscoveryServer(options, platform)
    case 'multicast':
      return openMulticast(options, platform)
  }
}

const OPEN_OPTIONS: ReadonlySet<string> = new Set(['lookup', 'signal', 'platform'])
