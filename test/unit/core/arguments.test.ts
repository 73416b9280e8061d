import { createSocket } from 'node:dgram'
import { describe, expect, test } from 'vitest'
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkLocalPort,
  checkOneOf,
  checkOptions,
  checkPeerPort,
  checkString,
  closedError,
  featureUnavailable,
  invalidArgType,
  invalidState,
  outOfRange,
} from '../../../src/core/index.js'
import { failure } from '../support/errors.js'

describe('an argument check returns what it accepts', () => {
  test('each kind', () => {
    const f = (): void => undefined
    expect(checkBoolean('a', false)).toBe(false)
    expect(checkInteger('a', 5, 5, 5)).toBe(5)
    expect(checkString('a', '')).toBe('')
    expect(checkOneOf('a', 'x', ['w', 'x'])).toBe('x')
    expect(checkFunction('a', f)).toBe(f)
    expect(checkPeerPort('a', 1)).toBe(1)
    expect(checkLocalPort('a', 0)).toBe(0)
    expect(checkOptions('a', { x: 1 }, new Set(['x']))).toBeUndefined()
  })
})

describe('an argument check names what it refuses', () => {
  const values: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['true', true],
    ['a string', 'x'],
    ['a number', 5],
    ['a bigint', 5n],
    ['a function', () => 0],
    ['an object', {}],
    ['an array', []],
    ['a symbol', Symbol('s')],
    ['an object without prototype', Object.create(null)],
  ]
  const checks: [string, (value: unknown) => unknown, (value: unknown) => boolean][] = [
    ['of type boolean', (value) => checkBoolean('options.x', value), (value) => typeof value === 'boolean'],
    ['of type number', (value) => checkInteger('options.x', value, 0, 10), (value) => typeof value === 'number'],
    ['of type string', (value) => checkString('options.x', value), (value) => typeof value === 'string'],
    ['of type string', (value) => checkOneOf('options.x', value, ['x']), (value) => typeof value === 'string'],
    ['of type function', (value) => checkFunction('options.x', value), (value) => typeof value === 'function'],
    [
      'of type object',
      (value) => checkOptions('options.x', value, new Set()),
      (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    ],
  ]

  for (const [expected, check, accepts] of checks) {
    for (const [name, value] of values) {
      if (accepts(value)) continue
      test(`${name} where something ${expected} is meant`, () => {
        const error = failure(() => check(value), 'ERR_INVALID_ARG_TYPE')
        expect(error).toBeInstanceOf(TypeError)
        expect(error.message).toContain(`The "options.x" property must be ${expected}. Received `)
      })
    }
  }

  test('a number out of range, with the range', () => {
    expect(failure(() => checkInteger('ttl', 256, 1, 255), 'ERR_OUT_OF_RANGE')).toBeInstanceOf(RangeError)
    failure(
      () => checkInteger('ttl', 0, 1, 255),
      'ERR_OUT_OF_RANGE',
      /The value of "ttl" is out of range.*>= 1 && <= 255.*Received 0/,
    )
    for (const value of [NaN, Infinity, -Infinity, 1.5]) {
      failure(() => checkInteger('ttl', value, 1, 255), 'ERR_OUT_OF_RANGE', /an integer/)
    }
  })

  test('a word that is none of the accepted ones, with them', () => {
    failure(
      () => checkOneOf('options.type', 'tcp4', ['udp4', 'udp6']),
      'ERR_INVALID_ARG_VALUE',
      /options\.type.*'udp4', 'udp6'.*'tcp4'/,
    )
  })

  test('an option name that it does not know, with those it does', () => {
    failure(
      () => checkOptions('options', { portt: 1 }, new Set(['port'])),
      'ERR_INVALID_ARG_VALUE',
      /options\.portt.*known: port/,
    )
  })

  test('port 0 as a peer, and any port that is none', () => {
    failure(() => checkPeerPort('port', 0), 'ERR_OUT_OF_RANGE', />= 1 && <= 65535/)
    failure(() => checkPeerPort('port', 65_536), 'ERR_OUT_OF_RANGE')
    failure(() => checkLocalPort('port', -1), 'ERR_OUT_OF_RANGE', />= 0 && <= 65535/)
  })
})

describe('an error of misuse', () => {
  test('says a long value in short', () => {
    const error = failure(() => checkInteger('a', 'x'.repeat(1000), 0, 1))
    expect(error.message.length).toBeLessThan(150)
  })

  test('has its code in the stack behind the name, as Node prints it', () => {
    expect(invalidArgType('a', 'x', 1).stack).toMatch(/^TypeError \[ERR_INVALID_ARG_TYPE\]: The "a" argument/)
    expect(outOfRange('a', 'x', 1).stack).toMatch(/^RangeError \[ERR_OUT_OF_RANGE\]/)
  })

  test('is worded as Node words it', () => {
    const ours = failure(() => checkInteger('port', 'x', 0, 1))
    const socket = createSocket('udp4')
    const nodes = failure(() => socket.setTTL('x' as never))
    socket.close()
    expect(ours.code).toBe(nodes.code)
    expect(ours.message.replace('port', 'ttl')).toBe(nodes.message)
    expect(ours.name).toBe(nodes.name)
  })

  test('of a state has the code for it', () => {
    expect(invalidState('not now')).toMatchObject({ code: 'ERR_INVALID_STATE', message: 'Invalid state: not now' })
    expect(closedError('socket')).toMatchObject({ code: 'ERR_CLOSED', message: 'The socket is closed' })
    expect(featureUnavailable('X', 'too old').code).toBe('ERR_FEATURE_UNAVAILABLE_ON_PLATFORM')
  })
})
