import { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ERRNO } from '../../src/binding/index.js'
import { createSocket } from '../../src/dgram/index.js'
import { BatchingHandle } from '../../src/dgram/handle.js'
import { internals } from '../../src/dgram/node-internals.js'

/** What becomes of `child.send(message, socket)` where the descriptor cannot be given away. */

interface Channel {
  _send(message: unknown, handle: unknown, options: object | undefined, callback?: (error: Error | null) => void): boolean
  once(event: 'error', listener: (error: Error) => void): this
}

/** A child process without a process: only its channel. */
function channel(): { channel: Channel; written: unknown[] } {
  const written: unknown[] = []
  const child = Object.create(ChildProcess.prototype) as Channel
  child._send = (message, _handle, _options, callback) => {
    written.push(message)
    callback?.(null)
    return true
  }
  return { channel: child, written }
}

async function boundSocket(): Promise<ReturnType<typeof createSocket>> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe.runIf(process.platform === 'linux' && internals !== undefined)('a descriptor that cannot be given to a child', () => {
  test.each([
    [
      'open',
      'open EINVAL',
      () => vi.spyOn(internals!.Handle.prototype as { open(fd: number): number }, 'open').mockReturnValue(-ERRNO.EINVAL),
    ],
    ['dup', 'dup EMFILE', () => vi.spyOn(BatchingHandle.prototype, 'duplicateDescriptor').mockReturnValue(-24)],
  ])('is an error of the channel (%s), and nothing stays open', async (_call, message, script) => {
    const socket = await boundSocket()
    const { channel: child, written } = channel()
    const before = descriptors()
    script()
    const error = await new Promise<Error | null>((resolve) => {
      expect(child._send('it', socket, undefined, resolve)).toBe(false)
    })
    expect(error?.message).toContain(message)
    const emitted = new Promise((resolve) => child.once('error', resolve))
    child._send('it', socket, undefined)
    expect(await emitted).toMatchObject({ syscall: message.split(' ')[0] })
    await new Promise((resolve) => setImmediate(resolve))
    expect(written).toEqual([])
    expect(descriptors()).toBe(before)

    vi.restoreAllMocks()
    expect(await new Promise((resolve) => child._send('it', socket, undefined, resolve))).toBe(null)
    expect(written).toEqual(['it'])
    socket.close()
  })
})
