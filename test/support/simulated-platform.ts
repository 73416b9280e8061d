import { Endpoint, parseAddress } from '../../src/core/index.js'
import type { LinkPlatform } from '../../src/link/index.js'
import type { SimulatedHost } from '../../src/testing/index.js'

/** A host of a simulated network as the links see it. Names are looked up in `names`, which may be changed. */
export function simulatedPlatform(host: SimulatedHost, names: Readonly<Record<string, string>> = {}): LinkPlatform {
  return {
    clock: host.clock,
    random: host.random,
    resolve: (name, port) => {
      const address = parseAddress(name) === undefined ? names[name] : name
      if (address === undefined) return Promise.reject(Object.assign(new Error(`no ${name}`), { code: 'ENOTFOUND' }))
      return Promise.resolve(Endpoint.of(address, port))
    },
    openUnicast: ({ options, family, peer, localAddress, sharesPort }) => {
      const link = host.openLink({
        port: options.localPort,
        reusePort: sharesPort ?? false,
        family: family === 'both' ? 'IPv4' : family,
        ...(peer === undefined ? {} : { peer }),
        ...(localAddress === undefined || Endpoint.of(localAddress, 0).isAny ? {} : { address: localAddress }),
        ...(options.sendQueueDatagrams === undefined ? {} : { sendQueueDatagrams: options.sendQueueDatagrams }),
        ...(options.sendQueueBytes === undefined ? {} : { sendQueueBytes: options.sendQueueBytes }),
      })
      return Promise.resolve(link)
    },
    openGroup: ({ group }) => {
      const link = host.openLink({ port: group.port, family: group.isIpv4 ? 'IPv4' : 'IPv6', reusePort: true })
      link.joinGroup(group.address)
      return Promise.resolve(link)
    },
  }
}
