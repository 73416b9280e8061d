import { SocketError } from '../binding/index.js'
import type { UdpSocket } from '../socket/index.js'

/**
 * The interface that the routing table chooses for a group, found out on `socket`, which must not have joined it.
 *
 * The kernel does not tell, but its entry has the index, so only one `leave` succeeds. Where the group is joined on that interface by
 * somebody already, nothing of it is seen on the wire.
 *
 * @param indexes Of the interfaces that there are.
 * @returns Undefined when it is none of these. Either way the group is not joined afterwards, unless by an interface that is not listed.
 * @throws {@link SocketError}: `ENODEV` without a route; limits.
 */
export function kernelChoice(
  socket: Pick<UdpSocket, 'joinGroup' | 'leaveGroup'>,
  group: string,
  indexes: Iterable<number>,
): number | undefined {
  socket.joinGroup(group)
  for (const index of indexes) {
    try {
      socket.leaveGroup(group, { interface: index })
      return index
    } catch (error) {
      if (!(error instanceof SocketError && error.code === 'EADDRNOTAVAIL')) throw error
    }
  }
  return undefined
}
