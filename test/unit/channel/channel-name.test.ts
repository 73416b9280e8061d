import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_NAME_BYTES, multicastGroupForChannel, resolveName, resolveNamespace } from '../../../src/channel/channel-name.js'
import { checkProperty } from '../support/check-property.js'

/** The mapping as the wire document has it: unbounded integers. */
function slowGroup(name: string): string {
  let hash = 0n
  for (const character of name) hash = BigInt(character.charCodeAt(0)) + (hash << 6n) + (hash << 16n) - hash
  const group = 0xef000000n + (((hash % 2n ** 23n) + 2n ** 23n) % 2n ** 23n)
  return [24n, 16n, 8n, 0n].map((bits) => (group >> bits) & 0xffn).join('.')
}

const ascii = fc.string({ unit: fc.integer({ min: 0, max: 127 }).map((code) => String.fromCharCode(code)), maxLength: 255 })

describe('the group of a channel', () => {
  test('is 239.0.0.0 and 23 bits of the sdbm hash', () =>
    checkProperty(
      fc.property(ascii, (name) => {
        expect(multicastGroupForChannel(name)).toBe(slowGroup(name))
      }),
    ))

  test.each([
    ['', '239.0.0.0'],
    ['a', '239.0.0.97'],
    ['ab', '239.97.24.65'],
    ['sensor/10000', '239.76.58.60'],
    ['sensor/24641', '239.76.58.60'],
  ])('of %j is %s', (name, group) => expect(multicastGroupForChannel(name)).toBe(group))

  test('is refused to names that no datagram can have', () => {
    expect(() => multicastGroupForChannel('grün')).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }))
    expect(() => multicastGroupForChannel('a'.repeat(256))).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }))
    expect(() => multicastGroupForChannel(7 as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }))
    expect(multicastGroupForChannel('a'.repeat(MAX_NAME_BYTES))).toMatch(/^239\./)
  })
})

describe('a name in a namespace', () => {
  test.each([
    ['pose', '', 'pose'],
    ['pose', 'robot/arm', 'robot/arm/pose'],
    ['/pose', 'robot/arm', 'pose'],
    ['../pose', 'robot/arm', 'robot/pose'],
    ['../../pose', 'robot/arm', 'pose'],
    ['./a//b/', 'robot', 'robot/a/b'],
    ['/robot/../pose', 'x', 'pose'],
    ['a/../../b', 'robot', 'b'],
    ['..', 'robot/arm', 'robot'],
    ['...', '', '...'],
  ])('%j in %j is %j', (name, namespace, resolved) => expect(resolveName('name', name, namespace)).toBe(resolved))

  test.each([
    ['../../pose', 'robot', 'ERR_INVALID_ARG_VALUE'],
    ['/..', 'robot', 'ERR_INVALID_ARG_VALUE'],
    ['', '', 'ERR_INVALID_ARG_VALUE'],
    ['/', 'robot', 'ERR_INVALID_ARG_VALUE'],
    ['..', 'robot', 'ERR_INVALID_ARG_VALUE'],
    ['pösé', 'robot', 'ERR_INVALID_ARG_VALUE'],
    ['a'.repeat(250), 'robot', 'ERR_OUT_OF_RANGE'],
    [undefined, 'robot', 'ERR_INVALID_ARG_TYPE'],
  ])('%j in %j is refused', (name, namespace, code) =>
    expect(() => resolveName('name', name, namespace)).toThrow(expect.objectContaining({ code })),
  )

  test('a namespace may be the root', () => {
    expect(['/', '', 'a/..', '/a/b/'].map((name) => resolveNamespace('options.namespace', name))).toEqual(['', '', '', 'a/b'])
  })

  test('an absolute name is the same everywhere', () =>
    checkProperty(
      fc.property(ascii, fc.constantFrom('', 'a', 'a/b'), (name, namespace) => {
        const outcome = (within: string): string => {
          try {
            return resolveName('name', `/${name}`, within)
          } catch (error) {
            return (error as { code: string }).code
          }
        }
        expect(outcome(namespace)).toBe(outcome(''))
      }),
    ))
})
