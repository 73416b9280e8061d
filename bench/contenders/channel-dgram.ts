/**
 * Channels as one writes them with node:dgram in an afternoon: one socket, a map of names, a map of sources. The wire is the same, so that
 * it could talk to geysir's.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'

export function groupOf(name: string): string {
  let hash = 0n
  for (const character of name) hash = BigInt(character.charCodeAt(0)) + (hash << 6n) + (hash << 16n) - hash
  const low = Number(BigInt.asUintN(23, hash))
  return `239.${low >>> 16}.${(low >>> 8) & 0xff}.${low & 0xff}`
}

export type Handler = (payload: Buffer, source: string, lead: number) => void

interface Subscribed {
  readonly handler: Handler
  readonly highest: Map<string, number>
}

export class DgramReceiver {
  readonly #channels = new Map<string, Subscribed>()

  constructor(readonly socket: Socket) {
    socket.on('message', (datagram, remote) => this.#receive(datagram, remote))
  }

  subscribe(name: string, interfaceAddress: string, handler: Handler): void {
    this.#channels.set(name, { handler, highest: new Map() })
    this.socket.addMembership(groupOf(name), interfaceAddress)
  }

  #receive(datagram: Buffer, remote: RemoteInfo): void {
    if (datagram.length < 9 || datagram.toString('latin1', 0, 4) !== 'PULI') return
    const end = 5 + datagram[4]!
    if (datagram.length < end + 4) return
    const channel = this.#channels.get(datagram.toString('latin1', 5, end))
    if (channel === undefined) return
    const sequence = datagram.readUInt32BE(end)
    const source = `${remote.address}:${remote.port}`
    const highest = channel.highest.get(source)
    const lead = highest === undefined ? 1 : sequence - highest
    if (lead >= 1) channel.highest.set(source, sequence)
    channel.handler(datagram.subarray(end + 4), source, lead)
  }
}

export class DgramChannel {
  readonly #group: string
  readonly #name: Buffer
  #sequence = 0

  constructor(
    readonly socket: Socket,
    readonly port: number,
    name: string,
  ) {
    this.#group = groupOf(name)
    this.#name = Buffer.from(name, 'latin1')
  }

  publish(payload: Buffer, sent: (error: Error | null) => void): void {
    const header = Buffer.alloc(9 + this.#name.length)
    header.write('PULI')
    header[4] = this.#name.length
    this.#name.copy(header, 5)
    header.writeUInt32BE(this.#sequence++ >>> 0, header.length - 4)
    this.socket.send([header, payload], this.port, this.#group, sent)
  }
}

export function openSocket(receiveBufferBytes?: number): Socket {
  return createSocket({
    type: 'udp4',
    reuseAddr: true,
    ...(receiveBufferBytes === undefined ? {} : { recvBufferSize: receiveBufferBytes }),
  })
}
