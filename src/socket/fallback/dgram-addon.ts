import {
  RECORD_LAYOUT,
  type Addon,
  type NativeEventHandler,
  type NativeInterfaceEntry,
  type NativeLayout,
  type NativeSocket,
} from '../../binding/index.js'
import { DgramSocket } from './dgram-socket.js'
import { listInterfaces } from './interfaces.js'
import type { ReceiveTables } from './inbox.js'

/**
 * The addon's contract on Node's own dgram: everything above works in the same way, slower. Each datagram costs its own call, there is no
 * offload, no ancillary data, and of the kernel's options those that dgram can set.
 */
export class DgramAddon implements Addon {
  readonly backend = 'dgram'
  readonly layout: NativeLayout = LAYOUT
  readonly Socket: new (domain: number, type: number, protocol: number, onEvent: NativeEventHandler) => NativeSocket
  #tables: ReceiveTables = { slab: new Uint8Array(0), datagrams: new Uint32Array(0), messages: new Uint32Array(0) }

  constructor() {
    const tables = (): ReceiveTables => this.#tables
    this.Socket = class extends DgramSocket {
      constructor(domain: number, _type: number, _protocol: number, onEvent: NativeEventHandler) {
        super(domain, onEvent, tables)
      }
    }
  }

  setReceiveTables(slab: Uint8Array, datagrams: Uint32Array, messages: Uint32Array): void {
    this.#tables = { slab, datagrams, messages }
  }

  interfaces(): NativeInterfaceEntry[] {
    return listInterfaces()
  }
}

/** Group requests are read by the socket here, not by a kernel: any layout would do. */
const LAYOUT: NativeLayout = {
  ...RECORD_LAYOUT,
  pointerBytes: 8,
  groupRequestAddressOffset: 8,
  groupSourceRequestSourceOffset: 136,
  groupSourceRequestBytes: 264,
}
