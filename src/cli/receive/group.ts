import type { Endpoint, Peer, Stream, StreamNode, UdpSocket } from '../../index.js'
import { given } from '../arguments.js'
import { interfaceOf } from '../interface-text.js'
import { plainEndpoint } from '../places.js'
import { socketFor } from '../push/options.js'
import { ANNOUNCEMENT, groupLabel } from '../push/wire.js'
import type { Status } from '../status.js'
import { RefusedError } from './directory.js'

/** A socket that hears a group; others of this host may hear it as well. */
export async function openGroupSocket(group: Endpoint, options: { readonly interface?: string }): Promise<UdpSocket> {
  const socket = socketFor({
    type: group.family === 'IPv4' ? 'udp4' : 'udp6',
    reuseAddress: true,
    multicastAll: false,
  })
  try {
    // The group's own address, so that nothing else comes here.
    await socket.bind({ address: group.address, port: group.port })
    socket.joinGroup(group.address, given({ interface: interfaceOf(options.interface) }))
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

/** Goes to the senders that announce themselves. */
export function joinAnnounced(groupSocket: UdpSocket, node: StreamNode, status: Status): void {
  const joining = new Set<string>()
  const join = (endpoint: Endpoint): void => {
    const name = plainEndpoint(endpoint)
    if (node.closed || joining.has(name) || joining.size >= MAX_JOINING) return
    if (node.peers().some((peer) => peer.endpoint.equals(endpoint))) return
    joining.add(name)
    node.connect(endpoint, { timeoutMs: JOIN_MS }).then(
      () => {
        joining.delete(name)
        status.say('sender', `${name} has something for the group`, { address: endpoint.address, port: endpoint.port })
      },
      () => joining.delete(name), // It announces itself again if it is still there.
    )
  }
  groupSocket.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) if (batch.payload(i).equals(ANNOUNCEMENT)) join(batch.endpoint(i))
  })
}

/** Streams of groups, which may come before or after the file's own stream has said which of them brings its data. */
export class GroupStreams {
  readonly #come = new Map<string, Stream>()
  readonly #wanted = new Map<string, (stream: Stream) => void>()

  /** False: there are too many of them. */
  offer(peer: Peer, stream: Stream): boolean {
    const key = keyOf(peer, stream.label)
    const take = this.#wanted.get(key)
    if (take !== undefined) {
      take(stream)
      return true
    }
    if (this.#come.size >= MAX_WAITING) return false
    this.#come.set(key, stream)
    stream.once('close', () => {
      if (this.#come.get(key) === stream) this.#come.delete(key)
    })
    return true
  }

  /** @throws {RefusedError} If it does not come. */
  take(peer: Peer, number: number): Promise<Stream> {
    const key = keyOf(peer, groupLabel(number))
    const come = this.#come.get(key)
    if (come !== undefined) {
      this.#come.delete(key)
      return Promise.resolve(come)
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wanted.delete(key)
        reject(new RefusedError('lost', "the group's stream did not come"))
      }, STREAM_MS)
      this.#wanted.set(key, (stream) => {
        clearTimeout(timer)
        this.#wanted.delete(key)
        resolve(stream)
      })
    })
  }
}

function keyOf(peer: Peer, label: string): string {
  return `${peer.endpoint.toString()} ${label}`
}

const JOIN_MS = 3000
const MAX_JOINING = 16
const MAX_WAITING = 64
/** Both streams come from one sender at the same time. */
const STREAM_MS = 5000
