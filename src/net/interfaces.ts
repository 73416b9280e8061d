import { ERRNO, SocketError, loadAddon, type Addon } from '../binding/index.js'
import { readAddressList } from './address-list.js'
import { InterfaceFeed } from './interface-feed.js'
import { InterfaceTable } from './interface-table.js'
import type { NetworkInterface } from './network-interface.js'
import type { DumpKind } from './rtnetlink-encoder.js'

/**
 * All network interfaces of this network namespace with all their addresses, as of now, by index. Those without an address too.
 *
 * Synchronous, a few system calls; it can be called anywhere, also in the handler of a batch. Where the kernel refuses netlink it tells
 * what getifaddrs(3) or netdevice(7) does: no `kind`, no `master`, no state of addresses. To follow changes: {@link InterfaceMonitor}.
 *
 * @throws {@link SocketError}: `EMFILE`, `ENOBUFS`, …
 */
export function interfaces(): readonly NetworkInterface[] {
  return readInterfaces(loadAddon())
}

export function readInterfaces(addon: Addon): readonly NetworkInterface[] {
  try {
    return dumpInterfaces(addon)
  } catch (error) {
    if (!isNetlinkRefusal(error)) throw error
    const table = new InterfaceTable()
    readAddressList(addon, table)
    return table.interfaces
  }
}

/** Netlink is not to be had here: qemu-user, gVisor, a seccomp filter, a kernel without it. */
export function isNetlinkRefusal(error: unknown): boolean {
  return error instanceof SocketError && REFUSALS.has(-error.errno)
}

function dumpInterfaces(addon: Addon): readonly NetworkInterface[] {
  const feed = new InterfaceFeed(addon, 0)
  try {
    feed.synchronize(INTERFACE_DUMPS)
    return feed.table.interfaces
  } finally {
    feed.close()
  }
}

export const INTERFACE_DUMPS: readonly DumpKind[] = ['links', 'addresses']
const REFUSALS: ReadonlySet<number> = new Set([
  ERRNO.EAFNOSUPPORT,
  ERRNO.EPROTONOSUPPORT,
  ERRNO.EPERM,
  ERRNO.EACCES,
  ERRNO.EOPNOTSUPP,
  ERRNO.ENOSYS,
])
