/** What the document says of streams, tried on a node by a peer that was written from it alone; test/support/document-peer.ts. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { Clock, Stream } from '../../src/index.js'
import * as wire from '../support/document-frames.js'
import { pack, unpack } from '../support/document-frames.js'
import {
  SECRET,
  collect,
  every7th,
  expectAlive,
  expectSame,
  openedByDocument,
  openedByNode,
  pair,
  pour,
} from '../support/document-pair.js'
import type { DocumentStream } from '../support/document-stream.js'
import { random } from '../support/random.js'

describe.each(['none', 'crc32c', 'secret'] as const)('with integrity %s', (integrity) => {
  test.each(['node', 'document'] as const)(
    '500 messages each way are equal and in order, after the %s joined, with every 7th data frame lost',
    async (by) => {
      const below = random()
      const secret = integrity === 'secret' ? { secret: SECRET } : {}
      const { node, document, peer } = await pair(by, { integrity, ...secret }, { integrity, ...secret })
      document.lose = every7th()
      const [mine, theirs] = await (by === 'node' ? openedByNode(peer, document) : openedByDocument(node, document))
      const [toDocument, toNode] = [messages(below), messages(below)]
      const received = collect(mine)
      theirs.send(toNode)
      theirs.end()
      await pour(mine, toDocument)
      await document.until(() => theirs.isReadEnded && theirs.isSendEnded)
      await received.closed
      expectSame(theirs.messages, toDocument)
      expectSame(received.messages, toNode)
      expect(document.faults).toEqual([])
      expect(mine.error).toBeUndefined()
    },
  )
})

describe('data', () => {
  test('frames have one message, or several, or part of one, and padding', async () => {
    const { node, document } = await pair()
    const [mine, theirs] = await openedByDocument(node, document)
    const received = collect(mine)
    const sent = ['one', '', 'x'.repeat(5000), 'y'.repeat(1300), 'z'].map((text) => Buffer.from(text))
    theirs.send(sent, 3)
    for (const padding of [Buffer.from([5, 6, 7]), Buffer.from([0, 0, 0, 0]), Buffer.from([0, 7, 2, 0, 9, 9])]) {
      theirs.padding = padding
      theirs.send(sent, 200)
    }
    theirs.end()
    await received.closed
    expectSame(received.messages, [...sent, ...sent, ...sent, ...sent])
    expect(received.handlers).toEqual([...Array<number>(5).fill(3), ...Array<number>(15).fill(200)])
  })

  test('a node puts messages of one tick together, and says what each is for', async () => {
    const { document, peer } = await pair()
    let frames = 0
    document.lose = (frame, isSent) => {
      if (!isSent && (frame[0]! & wire.CONTROL) === 0 && frame[1] === 0) frames++
      return false
    }
    const [mine, theirs] = await openedByNode(peer, document)
    for (let i = 0; i < 100; i++) mine.send(Buffer.alloc(i % 3, i), i)
    await document.until(() => theirs.messages.length === 100)
    expectSame(
      theirs.messages,
      Array.from({ length: 100 }, (_, i) => Buffer.alloc(i % 3, i)),
    )
    expect(theirs.handlers).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(frames).toBe(1)
  })

  test('packets may come in pieces that overlap, of which some get lost', async () => {
    const { node, document } = await pair()
    const [mine, theirs] = await openedByDocument(node, document)
    const received = collect(mine)
    document.lose = every7th()
    theirs.pieceBytes = 500
    const sent = [Buffer.alloc(3000, 1), Buffer.alloc(0), Buffer.alloc(1300, 2)]
    theirs.send(sent)
    theirs.end()
    await received.closed
    expectSame(received.messages, sent)
  })

  test('when the path becomes narrower, a node finds out and sends pieces', async () => {
    const { document, peer } = await pair()
    const [mine, theirs] = await openedByNode(peer, document)
    let [pieces, probes] = [0, 0]
    document.lose = (frame, isSent) => {
      if (!isSent && (frame[0]! & (wire.CONTROL | wire.PIECE)) === wire.PIECE) pieces++
      if (!isSent && (frame[0]! & wire.CONTROL) === 1 && frame[1] === wire.PROBE) probes++
      return frame.length > 1200
    }
    const sent = Array.from({ length: 5 }, (_, i) => Buffer.alloc(1340, i))
    await pour(mine, sent)
    await document.until(() => theirs.isReadEnded)
    expectSame(theirs.messages, sent)
    expect(pieces).toBeGreaterThanOrEqual(10)
    expect(probes).toBeGreaterThanOrEqual(6)
    expect(document.faults).toEqual([])
  })

  test('the flag 0x20 brings a status at once', async () => {
    const { node, document } = await pair('document', { clock: STOPPED })
    const [, theirs] = await openedByDocument(node, document, { first: 7 })
    await expectAlive(document)
    while (document.untaken(wire.STATUS) > 0) await document.take(wire.STATUS)
    const send = (flags: number, number: number): void => {
      const head = document.header(wire.OPENER | wire.NUMBERED | flags, 0)
      document.transmit(Buffer.concat([head, pack('444', theirs.id, number, 1234), pack('112', 7, 0, 0)]))
    }
    send(0, 7)
    await expectAlive(document)
    expect(document.untaken(wire.STATUS)).toBe(0)
    send(wire.ASKS, 8)
    expect(unpack('4444444', await document.take(wire.STATUS), 20)).toEqual([theirs.id, 9, expect.any(Number), 9, 0, 1234, 0])
  })

  test('data of the wrong kind, and of no stream, is ignored', async () => {
    const { node, document } = await pair('document')
    const [, theirs] = await openedByDocument(node, document)
    document.transmit(Buffer.concat([document.header(wire.OPENER, 0), pack('444', theirs.id, 0, 1), pack('112', 7, 0, 0)]))
    document.transmit(Buffer.concat([document.header(wire.OPENER, 0), pack('444', theirs.id + 1, 0, 1), pack('112', 7, 0, 0)]))
    await expectAlive(document)
    expect(node.stats().dropped).toEqual({ wrongKind: 1, unknownStream: 1 })
  })

  test('a chunk that contradicts the others resets its stream', async () => {
    const { node, document } = await pair()
    const [mine, theirs] = await openedByDocument(node, document, { first: 0 })
    const { closed } = collect(mine)
    const head = document.header(wire.OPENER | wire.NUMBERED, 0)
    document.transmit(Buffer.concat([head, pack('444', theirs.id, 0, 1), pack('112', 7, 0, 9)]))
    expect(await closed).toMatchObject([{ code: 'ERR_STREAM_RESET' }])
    await document.until(() => theirs.resetReason === 5)
  })
})

describe('kinds', () => {
  test('best effort to a node: a floor that moves is a gap', async () => {
    const { node, document } = await pair()
    const [mine, theirs] = await openedByDocument(node, document, { kind: wire.KINDS.bestEffort })
    const received = collect(mine)
    const gaps: number[] = []
    mine.on('gap', (packets) => gaps.push(packets))
    let data = 0
    document.lose = (frame, isSent) => isSent && (frame[0]! & wire.CONTROL) === 0 && [2, 3, 5].includes(data++)
    const sent = Array.from({ length: 8 }, (_, i) => Buffer.alloc(1200, i))
    theirs.send(sent)
    theirs.forgetSent()
    theirs.end()
    await received.closed
    expectSame(
      received.messages,
      [0, 1, 4, 6, 7].map((i) => sent[i]!),
    )
    expect(gaps.reduce((sum, packets) => sum + packets, 0)).toBe(3)
    expect(mine.stats().packetsLost).toBe(3)
  })

  test('best effort from a node: its floor moves when its buffer is full', async () => {
    const { document, peer } = await pair()
    const [mine, theirs] = await openedByNode(peer, document, { kind: 'bestEffort', windowBytes: 64 * 1024, initialPacket: 0 })
    document.lose = (frame, isSent) => !isSent && (frame[0]! & wire.CONTROL) === 0 && [2, 3, 5].includes(frame.readUInt32LE(24))
    const sent = Array.from({ length: 300 }, (_, i) => Buffer.alloc(1300, i))
    for (const message of sent.slice(0, -1)) {
      mine.send(message)
      await new Promise(setImmediate)
    }
    mine.send(sent.at(-1)!)
    mine.end()
    await document.until(() => theirs.isReadEnded)
    expect(theirs.gaps).toBeGreaterThanOrEqual(3)
    expect(theirs.gaps).toBeLessThanOrEqual(mine.stats().packetsForgotten)
    expect(theirs.messages.length + theirs.gaps).toBe(300)
    expect(document.faults).toEqual([])
  })

  test('fire and forget has no packet numbers, and ends', async () => {
    const { node, document, peer } = await pair()
    const sent = ['a', '', 'b'.repeat(1000), 'c'].map((text) => Buffer.from(text))
    const [there, theirs] = await openedByDocument(node, document, { kind: wire.KINDS.fireAndForget })
    const received = collect(there)
    theirs.send(sent)
    await expectAlive(document)
    theirs.end()
    await received.closed
    expectSame(received.messages, sent)
    const [here, ours] = await openedByNode(peer, document, { kind: 'fireAndForget' })
    await pour(here, sent)
    await document.until(() => ours.isReadEnded)
    expectSame(ours.messages, sent)
    expect(document.faults).toEqual([])
  })

  test('a stream without order gives each message when it is there, in both directions', async () => {
    const { node, document, peer } = await pair()
    const sent = Array.from({ length: 6 }, (_, i) => Buffer.alloc(i === 4 ? 4000 : 1300, i))
    const [there, theirs] = await openedByDocument(node, document, { isUnordered: true })
    expect(there.ordered).toBe(false)
    const received = collect(there)
    let isMissing = true
    document.lose = (frame, isSent) => isMissing && isSent && (frame[0]! & wire.CONTROL) === 0 && frame[32 + 4] === 1
    theirs.send(sent)
    while (received.messages.length < 5) await once(there, 'message')
    isMissing = false
    theirs.end()
    await received.closed
    expectSame(
      received.messages,
      [0, 2, 3, 4, 5, 1].map((i) => sent[i]!),
    )

    const [here, ours] = await openedByNode(peer, document, { ordered: false })
    expect(ours.terms.isUnordered).toBe(true)
    isMissing = true
    document.lose = (frame, isSent) => isMissing && !isSent && (frame[0]! & wire.CONTROL) === 0 && frame[32 + 4] === 1
    for (const message of sent) here.send(message)
    await document.until(() => ours.messages.length === 5)
    isMissing = false
    here.end()
    await document.until(() => ours.isReadEnded)
    expectSame(
      ours.messages,
      [0, 2, 3, 4, 5, 1].map((i) => sent[i]!),
    )
    expect(document.faults).toEqual([])
  })
})

describe('streams', () => {
  test('an end is an end of one direction', async () => {
    const { node, document, peer } = await pair()
    node.on('stream', (stream) => (stream.allowHalfOpen = true))
    const [there, theirs] = await openedByDocument(node, document)
    const received = collect(there)
    theirs.end()
    await once(there, 'end')
    await document.until(() => theirs.isSendEnded)
    await pour(there, [Buffer.from('still here')])
    await document.until(() => theirs.isReadEnded)
    await received.closed
    expectSame(theirs.messages, [Buffer.from('still here')])

    const [here, ours] = await openedByNode(peer, document, { allowHalfOpen: true })
    here.end()
    await document.until(() => ours.isReadEnded)
    const heard = collect(here)
    ours.send([Buffer.from('here as well')])
    ours.end()
    await heard.closed
    expectSame(heard.messages, [Buffer.from('here as well')])
    expect(here.error).toBeUndefined()
  })

  test('an open that gets lost is said again, whatever follows it', async () => {
    const { document, peer } = await pair()
    let opens = 0
    document.lose = (frame, isSent) => !isSent && (frame[0]! & wire.CONTROL) === 1 && frame[1] === wire.OPEN && opens++ < 2
    const taken = new Promise<DocumentStream>((resolve) => (document.accept = resolve))
    const stream = peer.openStream({ label: 'ümlaut' })
    const closed = once(stream, 'close')
    await pour(stream, [Buffer.from('before'), Buffer.from('anybody listened')])
    const theirs = await taken
    await document.until(() => theirs.isReadEnded)
    theirs.end()
    expect(await closed).toEqual([undefined])
    expectSame(theirs.messages, [Buffer.from('before'), Buffer.from('anybody listened')])
    expect(theirs.terms.label).toBe('ümlaut')
  })

  test('a user who does not read stops the sender at the window, in both directions', async () => {
    const { node, document, peer } = await pair()
    const [there, theirs] = await openedByDocument(node, document, { window: 16 })
    there.pause()
    const received = collect(there)
    there.pause()
    const sent = Array.from({ length: 40 }, (_, i) => Buffer.alloc(1300, i))
    theirs.send(sent)
    theirs.end()
    const isFull = (frame: Buffer): boolean => (frame.readUInt32LE(24) - frame.readUInt32LE(28)) >>> 0 === 16
    await document.take(wire.STATUS, isFull)
    await expectAlive(document)
    expect(there.stats()).toMatchObject({ packetsReceived: 16, beyondWindow: 0 })
    there.resume()
    await received.closed
    expectSame(received.messages, sent)

    const [here, ours] = await openedByNode(peer, document, { windowBytes: 16 * 1400 })
    ours.isReading = false
    for (const message of sent) while (!here.send(message)) await openTheDoor(here, ours)
    here.end()
    ours.resume()
    await document.until(() => ours.isReadEnded)
    expectSame(ours.messages, sent)
    expect(document.faults).toEqual([])
  })

  test('a reset is answered by gone, and said until then', async () => {
    const { node, document, peer } = await pair()
    const [there, theirs] = await openedByDocument(node, document)
    const closed = once(there, 'close')
    document.reset(theirs, 3)
    expect(await closed).toMatchObject([{ code: 'ERR_STREAM_RESET', reason: 'cancelled' }])
    const gone = await document.take(wire.GONE)
    expect([gone[0]! & wire.OPENER, gone.readUInt32LE(20)]).toEqual([0, theirs.id])

    const [here, ours] = await openedByNode(peer, document)
    let lost = 0
    document.lose = (frame, isSent) => !isSent && (frame[0]! & wire.CONTROL) === 1 && frame[1] === wire.RESET && lost++ < 3
    here.reset()
    await document.until(() => ours.resetReason === 3)
    await expectAlive(document)
    expect(lost).toBeGreaterThanOrEqual(4)
  })

  test('what is said of streams that are not there is answered by a reset that says why', async () => {
    const { node, document } = await pair('document')
    const resetOf = async (id: number): Promise<number> =>
      (await document.take(wire.RESET, (frame) => frame.readUInt32LE(20) === id >>> 0)).readUInt16LE(24)
    const say = (type: number, id: number, fields: Buffer): void =>
      document.control(type, Buffer.concat([pack('4', id), fields]), wire.OPENER)
    const heartbeat = pack('4441', 0, 0, 1, 0)
    const open = pack('111144', 3, 0, 0, 0, 0, 16)
    say(wire.HEARTBEAT, 1, heartbeat)
    expect(await resetOf(1)).toBe(1)
    const [there, theirs] = await openedByDocument(node, document)
    const received = collect(there)
    theirs.end()
    await received.closed
    say(wire.HEARTBEAT, theirs.id, heartbeat)
    expect(await resetOf(theirs.id)).toBe(0)
    say(wire.OPEN, theirs.id, open)
    expect(await resetOf(theirs.id)).toBe(0)
    say(wire.OPEN, theirs.id - 2 ** 31, open)
    expect(await resetOf(theirs.id - 2 ** 31)).toBe(1)
    await expectAlive(document)
    const before = node.stats().dropped
    say(wire.NAK, theirs.id, pack('2244', 1, 0, 0, 1))
    say(wire.GONE, theirs.id, Buffer.alloc(0))
    await expectAlive(document)
    expect(node.stats().dropped.unexpectedAnswer).toBeGreaterThan(before.unexpectedAnswer!)
    expect(node.stats().dropped.unknownStream).toBeGreaterThan(before.unknownStream ?? 0)
    node.removeAllListeners('stream')
    say(wire.OPEN, theirs.id + 1, open)
    expect(await resetOf(theirs.id + 1)).toBe(2)
  })

  test('a stream that the document refuses is reset', async () => {
    const { document, peer } = await pair()
    document.accept = undefined
    const stream = peer.openStream()
    expect(await once(stream, 'close')).toMatchObject([{ code: 'ERR_STREAM_RESET', reason: 'refused' }])
    await document.take(wire.GONE)
  })
})

/** A clock that stands still: nothing happens but what datagrams make happen. */
const STOPPED: Clock = {
  nowMs: () => 1000,
  wallMicroseconds: () => 0,
  setTimer: () => ({ cancel: () => undefined, unref: () => undefined }),
}

async function openTheDoor(here: Stream, ours: DocumentStream): Promise<void> {
  const drained = once(here, 'drain')
  ours.resume()
  await drained
}

/** 500 of 0 to 100 000 bytes, most of them short. */
function messages(below: (bound: number) => number): Buffer[] {
  const bounds = [1, 100, 1500, 1500, 10_000]
  return Array.from({ length: 500 }, (_, i) => {
    const length = i === 100 ? 100_000 : i % 100 === 99 ? below(100_001) : below(bounds[below(bounds.length)]!)
    return createHash('shake256', { outputLength: length })
      .update(String(below(1 << 30)))
      .digest()
  })
}
