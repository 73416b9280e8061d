/** What the document says of frames, joining and peers, tried on a node by a peer that was written from it alone. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as wire from '../support/document-frames.js'
import { pack, unpack } from '../support/document-frames.js'
import { SECRET, collect, ends, expectAlive, openedByDocument, openedByNode, pair, pour } from '../support/document-pair.js'
import { DocumentPeer } from '../support/document-peer.js'

describe('joining', () => {
  const NOBODY = { place: 0, life: 0 }
  const helloOf = (cookie: Buffer, lowest = 1, highest = 1): Buffer =>
    Buffer.concat([
      pack('1111224', lowest, highest, cookie.length, 8, 1300, 0, 4711),
      cookie,
      Buffer.alloc(16 - cookie.length),
      pack('4', 815),
      Buffer.from('document'),
    ])

  test('a hello gets a challenge, one with its cookie a welcome, as often as it comes', async () => {
    const { node, link, document } = await ends()
    const { port } = link.address()
    document.control(wire.HELLO, helloOf(Buffer.alloc(0)), 0, NOBODY, port)
    const challenge = await document.take(wire.CHALLENGE)
    expect(challenge.length).toBe(40)
    expect(unpack('4444', challenge, 4)).toEqual([placeOf('node'), expect.any(Number), document.id.place, document.id.life])
    expect(challenge.readUInt32LE(20)).toBe(4711)
    expect(node.peers()).toEqual([])
    for (let i = 0; i < 2; i++) {
      document.control(wire.HELLO, helloOf(Buffer.from(challenge.subarray(24, 40))), 0, NOBODY, port)
      const welcome = await document.take(wire.WELCOME)
      expect(unpack('112444', welcome, 20)).toEqual([1, 4, 1400, 4711, expect.any(Number), 815])
      expect(welcome.subarray(36).toString()).toBe('node')
    }
    expect(node.peers().map(({ name }) => name)).toEqual(['document'])
  })

  test('a hello with a wrong cookie gets a challenge, one with other versions a refusal', async () => {
    const { node, link, document } = await ends()
    const { port } = link.address()
    document.control(wire.HELLO, helloOf(Buffer.alloc(16, 1)), 0, NOBODY, port)
    await document.take(wire.CHALLENGE)
    document.control(wire.HELLO, helloOf(Buffer.alloc(0), 2, 3), 0, NOBODY, port)
    const refuse = await document.take(wire.REFUSE)
    expect(unpack('2114', refuse, 20)).toEqual([1, 1, 1, 815])
    expect(node.stats()).toMatchObject({ peers: 0, dropped: { badCookie: 1 } })
  })

  test('a node says hello without and with a cookie, and takes a refusal', async () => {
    const { node, link, document, documentPort } = await ends()
    await node.connect({ address: '127.0.0.1', port: documentPort })
    const [one, other] = [await document.take(wire.HELLO), await document.take(wire.HELLO, (frame) => frame[22] === 16)]
    expect(unpack('11114444', one, 0)).toEqual([0x41, wire.HELLO, 0, 1, placeOf('node'), expect.any(Number), 0, 0])
    expect(unpack('1111224', one, 20)).toEqual([1, 1, 0, 4, 1400, 0, expect.any(Number)])
    expect(one.subarray(32, 48).equals(Buffer.alloc(16))).toBe(true)
    expect(one.subarray(48, 52).equals(other.subarray(48, 52))).toBe(true)
    expect(one.subarray(52).toString()).toBe('node')
    expect(unpack('111122', other, 20)).toEqual([1, 1, 16, 4, 1400, 0])
    expect(document.remote?.name).toBe('node')

    const another = new DocumentPeer()
    onTestFinished(() => another.close())
    another.lose = (frame, isSent) => {
      if (!isSent)
        another.control(
          wire.REFUSE,
          Buffer.concat([pack('211', 2, 1, 1), frame.subarray(48, 52)]),
          0,
          { place: frame.readUInt32LE(4), life: frame.readUInt32LE(8) },
          link.address().port,
        )
      return !isSent
    }
    await expect(node.connect({ address: '127.0.0.1', port: await another.bind() })).rejects.toThrow()
  })

  test('both may ask at the same time', async () => {
    const { node, link, document, documentPort } = await ends()
    const asked = node.connect({ address: '127.0.0.1', port: documentPort })
    await Promise.all([asked, document.join(link.address().port)])
    expect(node.peers()).toHaveLength(1)
    await expectAlive(document)
  })

  test('a life that follows another is taken once the old one is known to be gone', async () => {
    const { node, link, document, peer } = await pair('document')
    const closed = once(peer, 'close')
    document.restart()
    await document.join(link.address().port)
    expect(await closed).toMatchObject([{ code: 'ERR_PEER_RESTARTED' }])
    expect(node.peers()).toHaveLength(1)
    await expectAlive(document)
  })
})

describe('peers', () => {
  test('a ping gets a pong, a probe its length', async () => {
    const { document } = await pair()
    document.ping(77)
    expect((await document.take(wire.PONG)).readUInt32LE(20)).toBe(77)
    document.control(wire.PROBE, Buffer.concat([pack('2', 1311), Buffer.alloc(1311 - 22)]))
    expect((await document.take(wire.PROBE_ACK)).readUInt16LE(20)).toBe(1311)
  })

  test('what is not a frame of theirs is dropped by the first reason that fits', async () => {
    const { node, document } = await pair('document', { integrity: 'crc32c' }, { integrity: 'crc32c' })
    const before = { ...node.stats().dropped }
    const ping = Buffer.concat([document.header(wire.CONTROL, wire.PING), pack('444', 1, 0, 0)])
    const changed = (offset: number, value: number): Buffer => {
      const frame = Buffer.concat([ping, Buffer.alloc(4)])
      frame[offset] = value
      return frame
    }
    document.transmitRaw(Buffer.alloc(23))
    document.transmitRaw(changed(0, 0x81))
    document.transmitRaw(changed(3, 2))
    document.transmitRaw(changed(2, 2))
    document.transmitRaw(changed(20, 9))
    document.control(99, pack('44', 0, 0))
    document.control(wire.PROBE, Buffer.alloc(0))
    await expectAlive(document)
    const one = { short: 1, foreign: 1, version: 1, integrityMode: 1, integrity: 1, unknownType: 1, malformed: 1 }
    expect(minus(node.stats().dropped, before)).toEqual(one)
    expect(document.untaken(wire.PONG)).toBe(0)
  })

  test('flags that a frame has no use for are ignored, but for that of repairs, and of pieces without a number', async () => {
    const { node, document } = await pair('document')
    const [mine, theirs] = await openedByDocument(node, document, { kind: wire.KINDS.fireAndForget })
    const received = collect(mine)
    document.control(
      wire.PING,
      Buffer.concat([pack('444', 77, document.remote!.session.theirs, 0), Buffer.from('of a later version')]),
      0x3e,
    )
    await document.take(wire.PONG, (frame) => frame.readUInt32LE(20) === 77)
    for (const flags of [wire.ASKS, wire.PIECE, 0x10]) {
      const head = document.header(wire.OPENER | flags, 0)
      document.transmit(Buffer.concat([head, pack('444', theirs.id, 0, 1), pack('112', 7, 0, 0)]))
    }
    await expectAlive(document)
    expect(node.stats().dropped).toEqual({ malformed: 2 })
    expect(received.messages).toHaveLength(1)
  })

  test('a frame may be as long as was said, with its trailer', async () => {
    const { node, document, peer } = await pair(
      'document',
      { secret: SECRET, frameBytes: 1300 },
      { integrity: 'secret', secret: SECRET },
    )
    const [mine, theirs] = await openedByDocument(node, document, { first: 0 })
    collect(mine)
    const sendFrame = (bytes: number): void => {
      const head = document.header(wire.OPENER | wire.NUMBERED, 0)
      document.transmit(
        Buffer.concat([head, pack('444', theirs.id, 0, 1), pack('112', 7, 0, bytes - 52), Buffer.alloc(bytes - 52)]),
      )
    }
    sendFrame(1301)
    sendFrame(1300)
    await expectAlive(document)
    expect(node.stats().dropped).toEqual({ tooLong: 1 })
    let longest = 0
    document.lose = (frame) => {
      longest = Math.max(longest, frame.length)
      return false
    }
    const [here, ours] = await openedByNode(peer, document)
    await pour(here, [Buffer.alloc(5000)])
    await document.until(() => ours.isReadEnded)
    expect(longest).toBe(1300 - 16)
  })

  test('a frame with another secret is dropped, whatever it says', async () => {
    const { node, link, document } = await ends({ secret: SECRET }, { integrity: 'secret', secret: 'another secret of theirs' })
    document.control(wire.HELLO, Buffer.alloc(36), 0, { place: 0, life: 0 }, link.address().port)
    const other = new DocumentPeer({ integrity: 'secret', secret: SECRET })
    await other.bind()
    onTestFinished(() => other.close())
    await other.join(link.address().port)
    expect(node.stats().dropped).toEqual({ integrity: 1 })
    expect(document.untaken(wire.CHALLENGE)).toBe(0)
  })

  test('frames for another life, and of nobody, are answered by a stranger', async () => {
    const { node, document } = await pair()
    const wrong = { place: document.remote!.id.place, life: document.remote!.id.life ^ 1 }
    document.control(wire.PING, pack('444', 1, 5, 0), 0, wrong)
    expect(unpack('444', await document.take(wire.STRANGER), 20)).toEqual([wrong.place, wrong.life >>> 0, 5])
    document.control(wire.PONG, pack('4', 1), 0, wrong)
    document.control(wire.STRANGER, pack('444', 1, 2, 0), 0, wrong)
    await expectAlive(document)
    expect(document.untaken(wire.STRANGER)).toBe(0)
    expect(node.stats().dropped).toMatchObject({ otherLife: 3 })
    const { remote } = document
    document.restart()
    document.remote = remote
    document.ping()
    const session = remote!.session.theirs
    expect(unpack('444', await document.take(wire.STRANGER), 20)).toEqual([remote!.id.place, remote!.id.life, session])
    expect(node.stats().dropped).toMatchObject({ unknownPeer: 1 })
  })

  test.each([
    ['has restarted', 'ERR_PEER_RESTARTED', (document: DocumentPeer) => document.restart()],
    ['has forgotten the node', 'ERR_PEER_LEFT', (document: DocumentPeer) => (document.remote = undefined)],
    ['leaves', 'ERR_PEER_LEFT', (document: DocumentPeer) => document.leave()],
  ])('a peer that %s ends with %s', async (_, code, act) => {
    const { document, peer } = await pair()
    const stream = peer.openStream()
    await document.take(wire.OPEN)
    const closed = once(peer, 'close')
    act(document)
    stream.send('to whom')
    expect(await closed).toMatchObject([{ code }])
    expect(stream.error).toMatchObject({ code })
  })

  test('a bye, a stranger and a ping of another session end nothing; a stranger without one is asked about', async () => {
    const { node, document, peer } = await pair()
    const { own, theirs } = document.remote!.session
    document.control(wire.BYE, pack('24', 0, own ^ 1))
    document.control(wire.STRANGER, pack('444', document.id.place, document.id.life, own ^ 1))
    document.control(wire.PING, pack('444', 1, theirs ^ 1, 0))
    expect((await document.take(wire.STRANGER)).readUInt32LE(28)).toBe((theirs ^ 1) >>> 0)
    document.control(wire.STRANGER, pack('444', document.id.place, document.id.life, 0))
    expect((await document.take(wire.PING)).readUInt32LE(24)).toBe(own)
    await expectAlive(document)
    expect(node.stats().dropped).toMatchObject({ otherSession: 3 })
    expect(peer.closed).toBe(false)
  })

  test('a node that leaves says bye', async () => {
    const { node, document } = await pair()
    await node.close()
    expect((await document.take(wire.BYE)).readUInt16LE(20)).toBe(0)
    expect(document.remote).toBeUndefined()
  })
})

function placeOf(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32LE()
}

function minus(counts: Partial<Record<string, number>>, before: Partial<Record<string, number>>): Record<string, number> {
  const differences = Object.entries(counts).map(([reason, count]) => [reason, count! - (before[reason] ?? 0)] as const)
  return Object.fromEntries(differences.filter(([, count]) => count > 0))
}
