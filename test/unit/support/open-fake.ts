import { UdpSocket, type UdpSocketOptions } from '../../../src/socket/index.js'
import { FakeAddon, type FakeSocket } from '../../support/fake-addon.js'

export interface Opened {
  readonly addon: FakeAddon
  readonly socket: UdpSocket
  readonly native: FakeSocket
}

/** A socket on a kernel of its own, so that nothing that one test taught it is known in the next. */
export function openFake(options: UdpSocketOptions = {}, addon = new FakeAddon()): Opened {
  const socket = new UdpSocket(options, addon)
  return { addon, socket, native: addon.socket }
}

/** Turns the event loop until nothing is left to do, at most `limit` times. */
export function turnAll(native: FakeSocket, limit = 10_000): void {
  for (let i = 0; i < limit; i++) if (!native.turn()) return
  throw new Error(`still busy after ${limit} turns`)
}
