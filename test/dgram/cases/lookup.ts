import { isIP } from 'node:net'
import type { SocketOptions } from 'node:dgram'
import type { Bench, Case } from '../differential.js'

type Answer = (error: Error | null, address?: unknown, family?: unknown) => void
type AnyLookup = NonNullable<SocketOptions['lookup']>

const HOST = '127.0.0.1'

/**
 * A lookup that answers with `answers[name]`. Node asks it for literals, too, up to version 22; the drop-in never does. So literals are
 * answered in the next tick, as both do without a lookup of one's own, and are not written down.
 */
export function lookup(b: Bench, answers: Record<string, unknown>, when: 'at once' | 'tick' | 'immediate' = 'tick'): AnyLookup {
  return function (this: unknown, name: string, family: unknown, answer: Answer) {
    if (isIP(name) !== 0) return process.nextTick(answer, null, name, isIP(name))
    b.log('lookup', name, family, typeof answer, this)
    const found = answers[name]
    const reply = () => (found instanceof Error ? answer(found) : answer(null, found, 4))
    if (when === 'at once') reply()
    else if (when === 'tick') process.nextTick(reply)
    else setImmediate(reply)
  } as unknown as AnyLookup
}

const TIMES = ['at once', 'tick', 'immediate'] as const

export const lookupCases: Case[] = [
  ...TIMES.flatMap((when): Case[] => [
    {
      name: `bind to a name, answered: ${when}`,
      program: async (b) => {
        const socket = b.socket({ type: 'udp4', lookup: lookup(b, { name: HOST }, when) })
        b.marks('before')
        b.call('bind', () => socket.bind(0, 'name', b.callback('bind')))
        b.marks('after')
        await b.settle()
        b.call('address', () => socket.address())
      },
    },
    {
      name: `bind to a name that is not known, answered: ${when}`,
      program: async (b) => {
        const socket = b.socket({ type: 'udp4', lookup: lookup(b, { name: new Error('not known') }, when) })
        b.call('bind', () => socket.bind(0, 'name', b.callback('bind')))
        b.marks()
        await b.settle()
        b.call('bind again', () => socket.bind(0, HOST))
        await b.settle()
      },
    },
    {
      name: `connect to a name, answered: ${when}`,
      program: async (b) => {
        const socket = await b.bound({ type: 'udp4', lookup: lookup(b, { name: HOST }, when) })
        b.call('connect', () => socket.connect(9, 'name', b.callback('connect')))
        b.marks()
        await b.settle()
        b.call('remoteAddress', () => socket.remoteAddress())
      },
    },
    {
      name: `connect to a name that is not known, answered: ${when}`,
      program: async (b) => {
        const socket = await b.bound({ type: 'udp4', lookup: lookup(b, { name: new Error('not known') }, when) })
        b.call('connect', () => socket.connect(9, 'name', b.callback('connect')))
        b.marks()
        await b.settle()
        b.call('connect', () => socket.connect(9, 'name'))
        await b.settle()
      },
    },
    {
      name: `send to a name, answered: ${when}`,
      program: async (b) => {
        const peer = await b.peer()
        const socket = await b.bound({ type: 'udp4', lookup: lookup(b, { name: HOST, bad: new Error('not known') }, when) })
        b.marks('before')
        b.call('send', () => socket.send('first', peer.port, 'name', b.callback('first')))
        b.call('send', () => socket.send('second', peer.port, 'bad', b.callback('second')))
        b.call('send', () => socket.send('third', peer.port, 'bad'))
        b.call('send', () => socket.send('fourth', peer.port, 'name', b.callback('fourth')))
        b.marks('after')
        await peer.heard()
      },
    },
    {
      name: `send of an unbound socket to a name, answered: ${when}`,
      program: async (b) => {
        const peer = await b.peer()
        const socket = b.socket({ type: 'udp4', lookup: lookup(b, { name: HOST, bad: new Error('not known') }, when) })
        socket.send('first', peer.port, 'bad', b.callback('first'))
        socket.send('second', peer.port, 'name', b.callback('second'))
        await b.settle()
        await peer.heard()
      },
    },
    {
      name: `close while a name is looked up, answered: ${when}`,
      program: async (b) => {
        const peer = await b.peer()
        const options = { type: 'udp4' as const, lookup: lookup(b, { name: HOST, bad: new Error('not known') }, when) }
        const [binding, sending, failing, connecting] = [
          b.socket(options),
          await b.bound(options),
          await b.bound(options),
          await b.bound(options),
        ]
        binding.bind(0, 'name', b.callback('bind'))
        binding.close()
        sending.send('x', peer.port, 'name', b.callback('send'))
        sending.close()
        failing.send('x', peer.port, 'bad', b.callback('failing send'))
        failing.send('x', peer.port, 'bad')
        failing.close()
        connecting.connect(9, 'name', b.callback('connect'))
        connecting.close()
        await b.settle()
        await peer.heard()
      },
    },
  ]),
  {
    name: 'sends to names that are answered out of order leave in the order of the answers',
    program: async (b) => {
      const peer = await b.peer()
      const answers: Answer[] = []
      const socket = await b.bound({
        type: 'udp4',
        lookup: ((name: string, _family: unknown, answer: Answer) => {
          if (isIP(name) !== 0) process.nextTick(answer, null, name, 4)
          else answers.push(answer)
        }) as unknown as AnyLookup,
      })
      for (let i = 0; i < 3; i++) socket.send(`datagram ${i}`, peer.port, `name${i}`, b.callback(String(i)))
      for (const answer of answers.reverse()) answer(null, HOST, 4)
      await peer.hears(3)
    },
  },
  ...[
    ['text that is no address', 'bogus'],
    ['an address of the other family', '::1'],
  ].map(([what, found]): Case => ({
    name: `a lookup that finds ${what}`,
    program: async (b) => {
      const options = { type: 'udp4' as const, lookup: lookup(b, { name: found }) }
      const socket = await b.bound(options)
      socket.send('x', 9, 'name', b.callback('send'))
      socket.connect(9, 'name', b.callback('connect'))
      await b.settle()
      b.socket(options).bind(4000, 'name')
      await b.settle()
    },
  })),
  {
    name: 'a lookup that throws',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound({
        type: 'udp4',
        lookup: ((name: string, _family: unknown, answer: Answer) => {
          if (isIP(name) !== 0) return process.nextTick(answer, null, name, 4)
          throw new Error(`${name} is refused`)
        }) as unknown as AnyLookup,
      })
      b.call('send', () => socket.send('x', peer.port, 'name', b.callback('send')))
      b.call('connect', () => socket.connect(peer.port, 'name', b.callback('connect')))
      b.call('connect again', () => socket.connect(peer.port, HOST, b.callback('connect')))
      await peer.heard()
    },
  },
  {
    name: 'a lookup that throws at bind',
    program: async (b) => {
      const socket = b.socket({
        type: 'udp4',
        lookup: (() => {
          throw new Error('refused')
        }) as unknown as AnyLookup,
      })
      b.call('bind', () => socket.bind(0, 'name'))
      b.call('bind again', () => socket.bind(0, HOST))
      await b.settle()
    },
  },
  {
    name: 'an address that Node took for a name',
    program: async (b) => {
      const socket = await b.bound({
        type: 'udp4',
        lookup: lookup(b, { '127.1': HOST, '0x7f000001': HOST, 'fe80::1%lo%': HOST }),
      })
      for (const name of ['127.1', '0x7f000001', 'fe80::1%lo%']) socket.send('x', 9, name, b.callback(name))
      await b.settle()
    },
  },
  {
    name: 'a lookup of IPv6 is asked for family 6',
    program: async (b) => {
      const peer = await b.peer('udp6')
      const socket = b.socket({ type: 'udp6', lookup: lookup(b, { name: '::1' }) })
      socket.send('x', peer.port, 'name', b.callback('send'))
      await peer.hears(1)
    },
  },
]
