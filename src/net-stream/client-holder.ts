import { lookup } from 'node:dns'
import { type Endpoint } from '../core/index.js'
import { UdpSocket } from '../socket/index.js'
import { createNode, type NodeOptions, type Peer, type StreamNode } from '../stream/index.js'
import type { Holder } from './holder.js'

export interface ClientHolderOptions {
  readonly family: number | undefined
  readonly node: StreamNode | undefined
  readonly nodeOptions: Omit<NodeOptions, 'link'> | undefined
}

/** What a connection that was made here stands on: a UDP socket and a node, its own unless it was given one. */
export class ClientHolder implements Holder {
  readonly #udp: UdpSocket
  readonly #isOwn: boolean
  readonly #node: StreamNode

  /** @throws Misuse: options of the node that are none. */
  constructor({ family, node, nodeOptions }: ClientHolderOptions, host: string) {
    const isIpv6 = family === 6 || (family === undefined && host.includes(':'))
    this.#udp = new UdpSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6, lookup })
    this.#isOwn = node === undefined
    try {
      this.#node = node ?? createNode({ ...nodeOptions, link: this.#udp })
    } catch (error) {
      this.#udp.close()
      throw error
    }
  }

  resolve(host: string, port: number): Promise<Endpoint> {
    return this.#udp.resolve(host, port)
  }

  async join(endpoint: Endpoint): Promise<Peer> {
    if (this.#isOwn) await this.#udp.bind()
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
