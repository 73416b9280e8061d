import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  datagramPrefix,
  headerBytes,
  nameBytesOf,
  nameOf,
  sequenceOf,
  writeHeader,
} from '../../../src/channel/channel-datagram.js'
import { ChannelInbox, type ChannelReceiver } from '../../../src/channel/channel-inbox.js'
import { DatagramList, Endpoint } from '../../../src/core/index.js'
import { checkProperty } from '../support/check-property.js'

const SOURCE = Endpoint.of('192.0.2.1', 5000)

function datagram(name: string, sequence: number, payload: Uint8Array | string = ''): Buffer {
  const header = Buffer.alloc(headerBytes(name.length))
  writeHeader(header, datagramPrefix(name), sequence)
  return Buffer.concat([header, Buffer.from(payload)])
}

class Recorder implements ChannelReceiver {
  readonly prefix: Buffer
  readonly heard: [sequence: number, payload: string][] = []

  constructor(name: string) {
    this.prefix = datagramPrefix(name)
  }

  receive(bytes: Buffer, nameBytes: number): void {
    this.heard.push([sequenceOf(bytes, nameBytes), bytes.toString('latin1', headerBytes(nameBytes))])
  }
}

function inboxFor(...receivers: ChannelReceiver[]): {
  inbox: ChannelInbox
  take: (...datagrams: Buffer[]) => void
  told: string[]
} {
  const told: string[] = []
  const inbox = new ChannelInbox((reason, source, lengthBytes) => told.push(`${reason} ${source.toString()} ${lengthBytes}`))
  for (const receiver of receivers) inbox.add(receiver)
  // Poisoned afterwards: whoever kept a view would be seen.
  const take = (...datagrams: Buffer[]): void => {
    const batch = new DatagramList(
      datagrams.map((each) => Buffer.from(each)),
      datagrams.map(() => SOURCE),
      0xdb,
    )
    inbox.take(batch, 0)
    batch.finish()
  }
  return { inbox, take, told }
}

describe('a datagram', () => {
  test('is laid out as the document says', () => {
    expect(datagram('ab', 0x01020304, 'xyz').toString('latin1')).toBe('PULI\x02ab\x01\x02\x03\x04xyz')
    expect(datagram('', 0xffff_ffff).toString('latin1')).toBe('PULI\0\xff\xff\xff\xff')
  })

  test('is read as it was written', () =>
    checkProperty(
      fc.property(
        fc.string({ unit: 'grapheme-ascii', maxLength: 255 }),
        fc.nat(0xffff_ffff),
        fc.uint8Array({ maxLength: 100 }),
        (name, sequence, payload) => {
          const bytes = datagram(name, sequence, payload)
          const nameBytes = nameBytesOf(bytes)
          expect([nameOf(bytes, nameBytes), sequenceOf(bytes, nameBytes)]).toEqual([name, sequence])
          expect(bytes.subarray(headerBytes(nameBytes))).toEqual(Buffer.from(payload))
        },
      ),
    ))
})

describe('an inbox', () => {
  test('gives each name its own, whatever the order', () => {
    const [a, b, ab] = ['a', 'b', 'ab'].map((name) => new Recorder(name)) as [Recorder, Recorder, Recorder]
    const { take, inbox } = inboxFor(a, b, ab)
    take(datagram('a', 1, 'x'), datagram('a', 2), datagram('b', 7), datagram('ab', 9, 'y'), datagram('abc', 1), datagram('a', 3))
    expect([a.heard, b.heard, ab.heard]).toEqual([[[1, 'x'], [2, ''], [3, '']], [[7, '']], [[9, 'y']]]) // prettier-ignore
    expect(inbox.counters.otherChannels).toBe(1)
    inbox.remove(a)
    take(datagram('a', 4))
    expect([a.heard.length, inbox.counters.otherChannels]).toEqual([3, 2])
  })

  test('tells names of one hash apart', () => {
    // sdbm mod 2^32 of both is the same.
    const [one, other] = collision()
    const [a, b] = [new Recorder(one), new Recorder(other)]
    const { take, inbox } = inboxFor(a, b)
    take(datagram(one, 1), datagram(other, 2), datagram(one, 3))
    inbox.remove(a)
    take(datagram(one, 4), datagram(other, 5))
    expect([a.heard, b.heard]).toEqual([[[1, ''], [3, '']], [[2, ''], [5, '']]]) // prettier-ignore
  })

  test('counts what it cannot read, and tells', () => {
    const { take, told, inbox } = inboxFor(new Recorder('a'))
    const whole = datagram('a', 1)
    take(
      Buffer.alloc(0),
      whole.subarray(0, 9),
      Buffer.from('PULJ\x01a\0\0\0\0', 'latin1'),
      Buffer.from('PULI\xff12345', 'latin1'),
    )
    expect(inbox.counters).toEqual({ notPulicast: 1, tooShort: 3, truncated: 0, otherChannels: 0, undelivered: 0 })
    expect(told[2]).toBe('notPulicast 192.0.2.1:5000 10')
  })

  test('gives nothing more to anybody once it is closed', () => {
    const a = new Recorder('a')
    const { take, inbox } = inboxFor(a, { prefix: datagramPrefix('end'), receive: () => inbox.close() })
    take(datagram('a', 1), datagram('end', 1), datagram('a', 2), datagram('a', 3))
    expect([a.heard.length, inbox.counters.undelivered]).toEqual([1, 2])
  })

  test('survives whatever comes: nothing is thrown, and each datagram is counted once', () => {
    const seeds = [datagram('a', 5, 'payload'), datagram('robot/pose', 0xffff_ffff, Buffer.alloc(40, 7)), datagram('', 0)]
    const flipped = fc.tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 }), fc.nat(60))
    const mutated = flipped.map(([seed, changes, end]) => {
      const bytes = Buffer.from(seed)
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
      return bytes.subarray(0, end)
    })
    const anything = fc.oneof(
      mutated,
      fc.constantFrom(...seeds),
      fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
    )
    return checkProperty(
      fc.property(fc.array(anything, { maxLength: 20 }), (datagrams) => {
        const receivers = ['a', 'robot/pose'].map((name) => new Recorder(name))
        const { take, inbox, told } = inboxFor(...receivers)
        take(...datagrams)
        const { notPulicast, tooShort, truncated, otherChannels, undelivered } = inbox.counters
        const heard = receivers.flatMap((receiver) => receiver.heard).length
        expect(heard + notPulicast + tooShort + otherChannels).toBe(datagrams.length)
        expect([truncated, undelivered, told.length]).toEqual([0, 0, notPulicast + tooShort])
        const expected = datagrams.filter((each) => ['a', 'robot/pose'].some((name) => each.indexOf(datagramPrefix(name)) === 0 && each.length >= headerBytes(name.length))) // prettier-ignore
        expect(heard).toBe(expected.length)
      }),
      1000,
    )
  })
})

/** Two names whose hashes agree in all 32 bits: 65 599 * a + b of the first two characters, modulo 2^32, met by birthday. */
function collision(): [string, string] {
  const seen = new Map<number, string>()
  for (let i = 0; ; i++) {
    const name = (i * 2_654_435_761).toString(36)
    let hash = 0
    for (const character of name) hash = (character.charCodeAt(0) + Math.imul(hash, 65_599)) | 0
    const known = seen.get(hash)
    if (known !== undefined && known !== name) return [known, name]
    seen.set(hash, name)
  }
}
