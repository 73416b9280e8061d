import type { Bench, Peer, Socket } from '../differential.js'

/** Where a multicast case happens: the family, and what its interface is called by `setMulticastInterface` and `addMembership`. */
export interface GroupPlace {
  readonly type: 'udp4' | 'udp6'
  readonly interface: string
  readonly group: string
}

/** A peer that sends to groups on the interface. */
export async function groupSender(b: Bench, place: GroupPlace, address: string): Promise<Peer> {
  const peer = await b.peer(place.type, address)
  peer.socket.setMulticastInterface(place.interface)
  return peer
}

/** A socket on every address, on `port` or one of its own, that may share it. */
export async function groupReceiver(b: Bench, type: GroupPlace['type'], port = 0, address?: string): Promise<Socket> {
  const socket = b.socket({ type, reuseAddr: true })
  const listening = b.event(socket, 'listening')
  socket.bind(port, address)
  await listening
  await b.turn()
  return socket
}

/** `socket` sends to a member without multicast loopback, and with it. */
export async function switchLoopback(b: Bench, place: GroupPlace, member: Socket, socket: Socket): Promise<void> {
  member.addMembership(place.group, place.interface)
  socket.setMulticastInterface(place.interface)
  b.call('setMulticastLoopback', () => socket.setMulticastLoopback(false))
  socket.send('silent', b.port(member), place.group, b.callback('silent'))
  await b.settle()
  b.call('setMulticastLoopback', () => socket.setMulticastLoopback(true))
  socket.send('loud', b.port(member), place.group, b.callback('loud'))
  await b.settle()
}
