import { describe, test } from 'vitest'
import { UdpSocket, type UdpSocketOptions } from '../../src/index.js'
import { linkSuite, type LinkPair } from '../../src/testing/index.js'
import { settled } from '../unit/support/turns.js'

async function pairOf(options: UdpSocketOptions, isConnected: boolean): Promise<LinkPair> {
  const [a, b] = [new UdpSocket(options), new UdpSocket(options)]
  const address = options.type === 'udp6' ? '::1' : '127.0.0.1'
  const [toA, toB] = [await a.bind({ address }), await b.bind({ address })]
  if (!isConnected) return { a, b, toA, toB, turn: settled }
  await a.connect(toB)
  await b.connect(toA)
  return { a, b, turn: settled }
}

linkSuite({ name: 'UDP sockets', make: () => pairOf({}, false) }, { describe, test })
linkSuite({ name: 'UDP sockets over IPv6', make: () => pairOf({ type: 'udp6' }, false) }, { describe, test })
linkSuite(
  { name: 'UDP sockets without offload', make: () => pairOf({ sendOffload: false, receiveOffload: false }, false) },
  { describe, test },
)
linkSuite({ name: 'connected UDP sockets', make: () => pairOf({}, true), traits: { singlePeer: true } }, { describe, test })
