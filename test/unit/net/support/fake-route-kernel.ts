import * as n from '../../../../src/net/netlink-constants.js'
import { FakeAddon, type FakeSocket } from '../../../support/fake-addon.js'
import {
  addressMessage,
  answering,
  linkMessage,
  message,
  routeMessage,
  type Address,
  type Link,
  type Route,
} from './netlink-messages.js'

/** A kernel's interfaces, for a {@link FakeAddon}: it answers dumps, and tells changes to whoever follows them. */
export class FakeRouteKernel {
  readonly addon = new FakeAddon()
  readonly links = new Map<number, Link>()
  addresses: Address[] = []
  routes: Route[] = []
  /** So many dumps to come are interrupted. */
  interruptions = 0
  /** Called before a dump is answered: for what happens meanwhile. */
  beforeAnswer: ((type: number) => void) | undefined
  /** Called when the kernel has read for a dump, and not yet answered. */
  afterRead: ((type: number) => void) | undefined
  /** Requests of these types fail with this errno. */
  readonly errnos = new Map<number, number>()
  dumps = 0
  readonly #followers: FakeSocket[] = []

  constructor() {
    this.addon.onSocket = (socket) => {
      if (socket.domain !== n.AF_NETLINK) return
      this.#followers.push(socket)
      socket.sendRule = ({ datagrams }) => this.#answer(socket, datagrams[0]!)
    }
  }

  /** The socket of the monitor: the one that is read from. */
  get socket(): FakeSocket {
    return this.#followers.find(({ isReading }) => isReading)!
  }

  setLink(link: Link): void {
    this.links.set(link.index, link)
    this.tell(linkMessage(link))
  }

  removeLink(index: number): void {
    const link = this.links.get(index)!
    for (const address of this.addresses.filter((one) => one.index === index)) this.removeAddress(address)
    this.links.delete(index)
    this.tell(linkMessage(link, n.RTM_DELLINK))
  }

  setAddress(address: Address): void {
    this.addresses = [...this.addresses.filter((one) => !isSame(one, address)), address]
    this.tell(addressMessage(address))
  }

  removeAddress(address: Address): void {
    this.addresses = this.addresses.filter((one) => !isSame(one, address))
    this.tell(addressMessage(address, n.RTM_DELADDR))
  }

  tell(bytes: Buffer, port = 0): void {
    for (const socket of this.#followers) if (socket.isOpen) socket.arrive({ payload: bytes, netlink: { groups: 1, port } })
  }

  /** Lets whoever reads read what was told. */
  turn(): void {
    while (this.socket?.turn()) continue
  }

  /** What waits for the monitor is lost. */
  overrun(): void {
    const { socket } = this
    while (socket.unread > 0) socket.receive(0)
    socket.receiveErrno = 105
    this.turn()
  }

  #answer(socket: FakeSocket, request: Buffer): number {
    const type = request.readUInt16LE(4)
    const sequence = request.readUInt32LE(8)
    this.dumps++
    this.beforeAnswer?.(type)
    const errno = this.errnos.get(type)
    const result = Buffer.alloc(4)
    if (errno !== undefined) {
      result.writeInt32LE(-errno)
      socket.arrive({ payload: message(n.NLMSG_ERROR, result, 0, sequence) })
      return 0
    }
    const interrupted = this.interruptions > 0
    if (interrupted) this.interruptions--
    const flags = interrupted ? n.NLM_F_DUMP_INTR : 0
    const answers = this.#dump(type, request[16]!).map((bytes) => answering(sequence, bytes, flags))
    this.afterRead?.(type)
    // Several messages a datagram, and the end in one of its own, as the kernel does it.
    if (answers.length > 0) socket.arrive({ payload: Buffer.concat(answers) })
    socket.arrive({ payload: message(n.NLMSG_DONE, result, flags, sequence) })
    return 0
  }

  #dump(type: number, family: number): Buffer[] {
    if (type === n.RTM_GETLINK) return [...this.links.values()].map((link) => linkMessage(link))
    if (type === n.RTM_GETADDR) return this.addresses.map((address) => addressMessage(address))
    return this.routes.filter((route) => (route.family === 4) === (family === 2)).map((route) => routeMessage(route))
  }
}

function isSame(a: Address, b: Address): boolean {
  return a.index === b.index && a.address === b.address
}
