import childProcess from 'node:child_process'
import dgram from 'node:dgram'
import { closeSync } from 'node:fs'
import { ERRNO, SocketError } from '../binding/index.js'
import { BatchingHandle } from './handle.js'
import { internals, type SocketState, type UdpHandle } from './node-internals.js'

/**
 * `child.send(message, socket)` with a socket of the drop-in.
 *
 * What goes over is a descriptor inside one of Node's own handles, so the sending channel is given a socket of Node's that has one. The
 * channel's work is done by a function that Node sets on each child process, and on `process` of one that has a parent; it is wrapped
 * where it is set.
 */
export function passSocketsToChildren(isDropIn: (value: unknown) => boolean): void {
  const wrapped = (send: ChannelSend): ChannelSend =>
    function (this: Channel, message, handle, options, callback) {
      if (!isDropIn(handle)) return send.call(this, message, handle, options, callback)
      let standIn: object, release: () => void
      try {
        ;[standIn, release] = standInFor(handle as DropInSocket)
      } catch (error) {
        // As what goes wrong while it is written.
        process.nextTick(() => tell(this, error as Error, options, callback))
        return false
      }
      try {
        return send.call(this, message, standIn, options, (error) => {
          release()
          tell(this, error, options, callback)
        })
      } catch (error) {
        // Misuse, told before anything was sent: nobody will be called back.
        release()
        throw error
      }
    }

  const ownChannel = process as unknown as Channel
  if (ownChannel._send !== undefined) ownChannel._send = wrapped(ownChannel._send)
  Object.defineProperty(childProcess.ChildProcess.prototype, '_send', {
    configurable: true,
    get: () => undefined,
    set(this: Channel, send: ChannelSend) {
      Object.defineProperty(this, '_send', { value: wrapped(send), configurable: true, enumerable: true, writable: true })
    },
  })
}

function tell(channel: Channel, error: Error | null, options: SendOptions | undefined, callback: SendCallback | undefined): void {
  if (typeof callback === 'function') callback(error)
  else if (error !== null && options?.swallowErrors !== true) channel.emit('error', error)
}

type SendCallback = (error: Error | null) => void

interface SendOptions {
  swallowErrors?: boolean
}

interface Channel {
  _send?: ChannelSend
  emit(event: 'error', error: Error): boolean
}

/** `target._send` of lib/internal/child_process.js. */
type ChannelSend = (
  this: Channel,
  message: unknown,
  handle: unknown,
  options: SendOptions | undefined,
  callback: SendCallback | undefined,
) => boolean

interface DropInSocket {
  readonly type: string
  readonly [key: symbol]: SocketState
}

/** A socket of Node's for the same descriptor, and what to do when it has been sent. */
function standInFor(socket: DropInSocket): [object, () => void] {
  const { handle } = socket[internals!.state]!
  const [node, release] = handle instanceof BatchingHandle ? nodeHandleFor(handle) : [handle, nothing]
  const standIn = Object.create(dgram.Socket.prototype, {
    type: { value: socket.type },
    [internals!.state]: { value: { handle: node } },
  }) as object
  return [standIn, release]
}

/**
 * Node's own handle with a descriptor of its own; without one where the socket has none either, as Node would send it.
 *
 * @throws {@link SocketError}, where it can have none: nothing stays open.
 */
function nodeHandleFor(handle: BatchingHandle): [UdpHandle, () => void] {
  const node = new internals!.Handle()
  const descriptor = handle.duplicateDescriptor()
  const opened = descriptor < 0 ? descriptor : node.open(descriptor)
  if (opened >= 0 || descriptor === -ERRNO.EBADF) return [node, () => node.close()]
  node.close()
  if (descriptor < 0) throw new SocketError('dup', descriptor)
  closeSync(descriptor)
  throw new SocketError('open', opened)
}

function nothing(): void {
  // A handle of Node's stays with its socket.
}
