import { describe, expect, test } from 'vitest'
import { ERRNO, SocketError, errorName } from '../../../src/binding/index.js'

describe('the error of a failed system call', () => {
  test('is shaped as Node shapes its own', () => {
    const error = new SocketError('bind', -ERRNO.EADDRINUSE, '127.0.0.1', 53)
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ code: 'EADDRINUSE', errno: -98, syscall: 'bind', address: '127.0.0.1', port: 53 })
    expect(error.message).toBe('bind EADDRINUSE 127.0.0.1:53')
  })

  test('has no address where none is meant', () => {
    const error = new SocketError('socket', -24)
    expect(error.message).toBe('socket EMFILE')
    expect('address' in error).toBe(false)
    expect('port' in error).toBe(false)
  })

  test.each([
    [-1, 'EPERM'],
    [-11, 'EAGAIN'],
    [-90, 'EMSGSIZE'],
    [-111, 'ECONNREFUSED'],
    [-112, 'EHOSTDOWN'],
    [-64, 'ENONET'],
    [-133, 'E133'],
    [-3999, 'E3999'],
  ])('names %i as %s', (errno, name) => {
    expect(errorName(errno)).toBe(name)
  })
})
