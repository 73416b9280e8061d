/**
 * The kinds of link that UDP programs find and reach each other by: point-to-point, responding server, server with discovery,
 * multicast only, and proxied over a byte stream; and the sockets of a service on every interface.
 *
 * May import core, socket, net and system. It decides how multicast sockets are opened; it knows nothing of the protocols above.
 */
export type * from './options/link-options.js'
export { linkUrl, parseLinkUrl } from './options/link-url.js'
export { resolveLinkOptions } from './options/resolve-options.js'
export { openLink, type AnyLink, type OpenLinkOptions } from './open-link.js'
export { BaseLink } from './base-link.js'
export type { RequestOptions } from './request-options.js'
export { IncomingRequest } from './incoming-request.js'
export type { KindLinkEvents, KindLinkStatistics, PeerLostReason } from './link-events.js'
export type { Surroundings, LinkPlatform, DatagramSocket, GroupRequest, UnicastRequest } from './platform.js'
export { PointToPointLink } from './point-to-point.js'
export { ProxiedLink, type ProxiedStatistics } from './proxied-link.js'
export { ResponderServerLink, type ResponderStatistics } from './responder-server.js'
export { systemPlatform } from './system-platform.js'
export type { DiscoveredServer, ResolvedServer, Resolver } from './discovery/server-list.js'
export { DiscoveryClientLink, type DiscoveryStatistics } from './discovery/discovery-client.js'
export { DiscoveryServerLink } from './discovery/discovery-server.js'
export { srvResolver, staticResolver, type ResolveSrv } from './discovery/resolvers.js'
export { MulticastLink } from './multicast-link.js'
export { Service, openService, type ServiceEvents, type ServiceMulticastOptions } from './service.js'
export { ServiceBatch, type ServicePlace } from './service-batch.js'
export type { ServicePlatform } from './service-platform.js'
export type { ServiceOptions } from './service-options.js'
