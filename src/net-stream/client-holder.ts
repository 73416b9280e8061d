import { lookup } from 'node:dns'
import { type Endpoint } from '../core/index.js'
import { capabilities, type UdpSocket } from '../socket/index.js'
import { createNode, type Peer, type StreamNode } from '../stream/index.js'
import type { ConnectPlace, SocketOptions } from './connect-options.js'
import { openUdpSocket, type Holder } from './holder.js'

/** What a connection that was made here stands on: a UDP socket and a node, its own unless it was given one. */
export class ClientHolder implements Holder {
  readonly #place: ConnectPlace
  readonly #udp: UdpSocket
  readonly #isOwn: boolean
  readonly #node: StreamNode

  /**
   * @param onError The UDP socket can no longer work, and has closed itself.
   * @throws Misuse: options of the node that are none.
   */
  constructor(place: ConnectPlace, { node, nodeOptions }: SocketOptions, onError: (error: Error) => void) {
    const { isIpv6 } = place
    this.#place = place
    this.#udp = openUdpSocket({
      type: isIpv6 ? 'udp6' : 'udp4',
      ipv6Only: isIpv6,
      lookup: place.lookup ?? lookup,
      // Where there is no such option, false is refused as well.
      ...(capabilities().receiveErrors && { receiveErrors: true }),
    })
    this.#udp.on('error', onError)
    this.#isOwn = node === undefined
    try {
      this.#node = node ?? createNode({ ...nodeOptions, link: this.#udp })
    } catch (error) {
      this.#udp.close()
      throw error
    }
  }

  resolve(): Promise<Endpoint> {
    return this.#udp.resolve(this.#place.host, this.#place.port)
  }

  async join(endpoint: Endpoint): Promise<Peer> {
    const { localAddress: address, localPort: port } = this.#place
    if (this.#isOwn) await this.#udp.bind({ ...(address && { address }), ...(port && { port }) })
    return this.#node.connect(endpoint)
  }

  localAddress(): Endpoint | undefined {
    return this.#isOwn ? this.#udp.address() : undefined
  }

  ref(): void {
    if (!this.#isOwn || this.#node.closed) return
    this.#udp.ref()
    this.#node.ref()
  }

  unref(): void {
    if (!this.#isOwn || this.#node.closed) return
    this.#udp.unref()
    this.#node.unref()
  }

  release(): void {
    if (this.#isOwn) this.#node.destroy()
    this.#udp.close()
  }
}
