import { expect, test } from 'vitest'
import type { LookupFunction } from 'node:net'
import { received, texts } from '../support/received.mjs'
import { bound, open, thrownBy } from '../support/sockets.js'

test('a literal address never asks the lookup', async () => {
  const lookup: LookupFunction = () => expect.unreachable('lookup was asked')
  const peer = await bound()
  const socket = open({ lookup })
  await socket.bind({ address: '127.0.0.1' })
  await socket.connect(peer.address())
  await socket.resolve('127.0.0.1', 1)
  const six = open({ type: 'udp6', lookup })
  await six.bind({ address: '::1' })
  await six.resolve('fe80::1%lo', 1)
  await six.resolve('::ffff:127.0.0.1', 1)
})

test('a name without the option lookup is refused at once', () => {
  const socket = open()
  for (const call of [
    () => socket.bind({ address: 'localhost' }),
    () => socket.connect({ address: 'localhost', port: 9 }),
    () => socket.resolve('localhost', 9),
    () => socket.resolve('127.1', 9),
    () => socket.resolve('', 9),
  ]) {
    expect(thrownBy(call)).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE', message: expect.stringContaining('lookup') as string })
  }
})

test('send takes no names', async () => {
  const socket = await bound({ lookup: () => expect.unreachable('lookup was asked') })
  expect(thrownBy(() => socket.send('x', { address: 'localhost', port: 9 }))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
})

test('a name is looked up once, for the family of the socket', async () => {
  const asked: unknown[] = []
  const lookup: LookupFunction = (hostname, options, callback) => {
    asked.push([hostname, options.family])
    callback(null, hostname === 'six' ? '::1' : '127.0.0.1', hostname === 'six' ? 6 : 4)
  }
  const peer = await bound()
  const socket = open({ lookup })
  expect(await socket.bind({ address: 'here' })).toMatchObject({ address: '127.0.0.1' })
  expect(await socket.connect({ address: 'there', port: peer.address().port })).toMatchObject({ address: '127.0.0.1' })
  socket.send('found')
  expect(texts(await received(peer))).toEqual(['found'])
  expect(await open({ type: 'udp6', lookup }).resolve('six', 7)).toMatchObject({ address: '::1', port: 7, family: 'IPv6' })
  expect(await open({ type: 'udp6', ipv6Only: true, lookup }).resolve('six', 7)).toMatchObject({ address: '::1' })
  expect(asked).toEqual([
    ['here', 4],
    ['there', 4],
    ['six', 0],
    ['six', 6],
  ])
})

test('a lookup may answer with a list, as dns.lookup does with all', async () => {
  const lookup: LookupFunction = (_hostname, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }])
  expect(await open({ lookup }).resolve('name', 7)).toMatchObject({ address: '127.0.0.1' })
})

test('what is wrong with the answer rejects', async () => {
  const answering =
    (answer: string): LookupFunction =>
    (_hostname, _options, callback) =>
      callback(null, answer, 4)
  await expect(open({ lookup: answering('not an address') }).resolve('name', 7)).rejects.toMatchObject({
    code: 'ERR_INVALID_ARG_VALUE',
  })
  await expect(open({ lookup: answering('::1') }).resolve('name', 7)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
  const failing: LookupFunction = (_hostname, _options, callback) =>
    callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), '', 4)
  await expect(open({ lookup: failing }).bind({ address: 'name' })).rejects.toMatchObject({ code: 'ENOTFOUND' })
  const throwing: LookupFunction = () => {
    throw new Error('broken lookup')
  }
  await expect(open({ lookup: throwing }).connect({ address: 'name', port: 7 })).rejects.toThrow('broken lookup')
})

test('closing rejects what waits for a lookup, and the late answer does nothing', async () => {
  const answers: (() => void)[] = []
  const lookup: LookupFunction = (_hostname, _options, callback) => answers.push(() => callback(null, '127.0.0.1', 4))
  const socket = open({ lookup })
  const waiting = [socket.bind({ address: 'name' }), socket.connect({ address: 'name', port: 9 }), socket.resolve('name', 9)]
  socket.close()
  for (const promise of waiting) await expect(promise).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  expect(answers).toHaveLength(3)
  for (const answer of answers) answer()
})
