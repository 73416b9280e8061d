import { describe, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { UdpSocket, endpoint } from '../../../src/socket/index.js'
import { linkSuite, type LinkPair } from '../../../src/testing/index.js'
import { FakeAddon, type FakeSocket } from '../../support/fake-addon.js'
import { settled } from '../support/turns.js'

interface ScriptedPair extends LinkPair {
  readonly native: FakeSocket
}

/** Two sockets on a kernel that hands what one sends to the other, and can be told to take nothing or to fail. */
async function scriptedPair(): Promise<ScriptedPair> {
  const addon = new FakeAddon()
  const a = new UdpSocket({}, addon)
  const native = addon.socket
  const b = new UdpSocket({}, addon)
  const other = addon.socket
  const toA = await a.bind({ address: '127.0.0.1', port: 1001 })
  const toB = await b.bind({ address: '127.0.0.1', port: 1002 })
  const turn = async (): Promise<void> => {
    for (const [from, to, sender] of [
      [native, other, toA],
      [other, native, toB],
    ] as const) {
      for (const message of from.messages.splice(0)) {
        if (to.isOpen) to.arrive(...message.datagrams.map((payload) => ({ from: sender, payload })))
      }
      to.turn()
    }
    await settled()
    for (const error of addon.uncaught.splice(0)) throw error
  }
  return { a, b, toA, toB, native, turn }
}

const UNREACHABLE = endpoint('192.0.2.1', 9)

linkSuite(
  {
    name: 'UDP sockets on a scripted kernel',
    make: scriptedPair,
    hold: ({ native }) => {
      native.room = 0
      return () => (native.room = Infinity)
    },
    fail: ({ native, a }) => {
      native.sendRule = ({ destination }) => (destination?.equals(UNREACHABLE) ? ERRNO.EHOSTUNREACH : 0)
      a.send('x', UNREACHABLE)
    },
    breakDown: ({ native }) => {
      native.receiveErrno = ERRNO.EBADF
    },
  },
  { describe, test },
)
