import childProcess from 'node:child_process'
import dgram from 'node:dgram'
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
      const [standIn, release] = standInFor(handle as DropInSocket)
      try {
        return send.call(this, message, standIn, options, (error) => {
          release()
          if (typeof callback === 'function') callback(error)
          else if (error !== null && options?.swallowErrors !== true) this.emit('error', error)
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

interface Channel {
  _send?: ChannelSend
  emit(event: 'error', error: Error): boolean
}

/** `target._send` of lib/internal/child_process.js. */
type ChannelSend = (
  this: Channel,
  message: unknown,
  handle: unknown,
  options: { swallowErrors?: boolean } | undefined,
  callback: ((error: Error | null) => void) | undefined,
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

/** Node's own handle with a descriptor of its own; without one where the socket has none either, as Node would send it. */
function nodeHandleFor(handle: BatchingHandle): [UdpHandle, () => void] {
  const node = new internals!.Handle()
  const descriptor = handle.duplicateDescriptor()
  if (descriptor >= 0) node.open(descriptor)
  return [node, () => node.close()]
}

function nothing(): void {
  // A handle of Node's stays with its socket.
}
