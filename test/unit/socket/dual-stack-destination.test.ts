import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { addonProblem } from '../../../src/binding/index.js'
import { UdpSocket, capabilities } from '../../../src/socket/index.js'

// On the real kernel, because what it does here is the point: to a dual-stack socket it tells the destination of an IPv4 datagram twice,
// as IPV6_PKTINFO and as IP_PKTINFO (net/ipv6/udp.c, udpv6_recvmsg).
const problem = addonProblem() ?? (capabilities().ipv6 ? undefined : 'no IPv6 here')

describe.skipIf(problem !== undefined)(`a dual-stack socket (${problem ?? 'the kernel has IPv6'})`, () => {
  const open: UdpSocket[] = []
  let received: { destination: string | undefined; interfaceIndex: number; reply: string }

  beforeAll(async () => {
    const receiver = new UdpSocket({ type: 'udp6', receivePacketInfo: true })
    const sender = new UdpSocket()
    open.push(receiver, sender)
    const { port } = await receiver.bind()
    await sender.bind({ address: '127.0.0.1' })
    const answered = new Promise<string>((resolve) => sender.once('datagram', (_payload, from) => resolve(String(from))))
    const batch = new Promise<{ destination: string | undefined; interfaceIndex: number }>((resolve) => {
      receiver.once('batch', (one) => {
        resolve({ destination: one.destination(0), interfaceIndex: one.interfaceIndex(0) })
        receiver.reply(one, 0, 'answer')
      })
    })
    sender.send('x', { address: '127.0.0.5', port })
    received = { ...(await batch), reply: (await answered).replace(`:${port}`, '') }
  })

  afterEach(() => {
    for (const socket of open.splice(0)) socket.close()
  })

  test('tells where an IPv4 datagram was sent to, and answers from there', () => {
    expect(received.destination).toBe('::ffff:127.0.0.5')
    expect(received.interfaceIndex).toBe(1)
    expect(received.reply).toBe('127.0.0.5')
  })
})
