import { loadAddon, type Addon } from '../binding/index.js'
import { closedError, invalidState } from '../core/index.js'
import { openMulticastSender, type MulticastSender, type MulticastSenderOptions } from './multicast-sender.js'

/**
 * At most one sending socket a group and interface: two would be two sources to every receiver, and their datagrams would overtake each
 * other. Users of one group and interface share a socket; the last to release it closes it.
 */
export class MulticastSenders {
  readonly #addon: Addon
  readonly #shared = new Set<Shared>()
  #closed = false

  constructor(addon: Addon = loadAddon()) {
    this.#addon = addon
  }

  /**
   * The sender of a group by an interface, opened if it is the first.
   *
   * @throws What `openMulticastSender` throws; `ERR_INVALID_STATE` when the sender is there with other options; `ERR_CLOSED`.
   */
  acquire(options: MulticastSenderOptions): MulticastSender {
    if (this.#closed) throw closedError('set of senders')
    // Opening is the one way to know which interface is meant; a second one is closed before it has sent anything.
    const opened = openMulticastSender(options, this.#addon)
    const shared = [...this.#shared].find(({ sender }) => !sender.closed && isSameWay(sender, opened))
    if (shared === undefined) {
      this.#shared.add({ sender: opened, users: 1, options })
      return opened
    }
    opened.close()
    for (const name of DISTINGUISHING) {
      if ((options[name] ?? DEFAULTS[name]) !== (shared.options[name] ?? DEFAULTS[name])) {
        throw invalidState(`this group and interface have a sender already, with another ${name}`)
      }
    }
    shared.users++
    return shared.sender
  }

  /** Gives back what {@link acquire} gave. @throws `ERR_INVALID_STATE` for any other. */
  release(sender: MulticastSender): void {
    for (const shared of this.#shared) {
      if (shared.sender !== sender) continue
      if (--shared.users > 0) return
      this.#shared.delete(shared)
      sender.close()
      return
    }
    throw invalidState('the sender is not of this set, or was released before')
  }

  /** Closes all. Harmless to repeat. */
  close(): void {
    this.#closed = true
    for (const { sender } of this.#shared) sender.close()
    this.#shared.clear()
  }
}

/** Asked for each time: a sender with a monitor follows its interface from index to index. */
function isSameWay(one: MulticastSender, other: MulticastSender): boolean {
  if (!one.group.equals(other.group) || one.isHostOnly !== other.isHostOnly) return false
  return one.isHostOnly || one.interfaceIndex === other.interfaceIndex
}

interface Shared {
  readonly sender: MulticastSender
  readonly options: MulticastSenderOptions
  users: number
}

const DISTINGUISHING = ['ttl', 'source', 'loopback'] as const
const DEFAULTS = { ttl: 1, source: undefined, loopback: true } as const
