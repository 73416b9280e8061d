import { describe, expect, test } from 'vitest'
import { runProgram } from '../support/program.js'

describe('an exception in a handler', () => {
  test('of batches is an uncaught one of the program, and later batches are delivered', async () => {
    const { code, stdout, stderr } = await runProgram('throw-in-handler', ['batch'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({
      uncaught: ['thrown at first'],
      seen: ['first', 'second', 'third', 'last'],
      closed: false,
      batches: 4,
      answers: 4,
    })
  })

  test('of datagrams costs only the datagram', async () => {
    const { code, stdout } = await runProgram('throw-in-handler', ['datagram'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      uncaught: ['thrown at first'],
      seen: ['first', 'other', 'third', 'lasts'],
      closed: false,
      batches: 1,
      answers: 0,
    })
  })

  test('that is async is an unhandled rejection', async () => {
    const { code, stdout } = await runProgram('throw-in-handler', ['async'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      uncaught: ['rejected: thrown at first'],
      seen: ['first', 'other', 'third', 'lasts'],
    })
  })

  test('that nobody catches ends the process as any exception does', async () => {
    const { code, signal, stderr } = await runProgram('throw-uncaught')
    expect({ code, signal }).toEqual({ code: 1, signal: null })
    expect(stderr).toContain('Error: thrown in a handler')
    expect(stderr).toContain('throw-uncaught.mjs')
  })
})

describe('process.exit in a handler', () => {
  test.each(['batch', 'datagram', 'peerError', 'sendError', 'close'])('of %s ends the process with that code', async (event) => {
    const { code, signal, stdout, stderr } = await runProgram('exit-in-handler', [event])
    expect({ code, signal, stdout, stderr }).toEqual({ code: 7, signal: null, stdout: 'exit 7\n', stderr: '' })
  })
})

describe('the process', () => {
  test.each(['idle', 'unref', 'unref-later', 'paused', 'closed', 'removed'])('ends, although a socket is %s', async (kind) => {
    const { code, stdout } = await runProgram('references', [kind])
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'end of program\nexit\n' })
  })

  test.each(['listening', 'ref'])('lives while a socket is %s', async (kind) => {
    const { code, stdout } = await runProgram('references', [kind])
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'end of program\nalive\nexit\n' })
  })

  test('lives while a loop waits for batches', async () => {
    const { code, stdout } = await runProgram('references', ['iterating'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'alive\nend of program\nexit\n' })
  })
})
