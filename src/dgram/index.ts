/**
 * The `node:dgram` drop-in, published as `geysir/dgram`.
 *
 * May import core, binding and the working parts of socket, and Node's own dgram, which it extends. Decides nothing that Node's dgram
 * decides: it replaces the handle below it.
 */
import dgram from 'node:dgram'
import { Socket, createSocket } from './socket.js'

export type { BindOptions, RemoteInfo, SocketOptions, SocketType } from 'node:dgram'

/** Deprecated in Node, and Node's: a handle to be shared. */
const _createSocketHandle: unknown = (dgram as unknown as Record<string, unknown>)['_createSocketHandle']

export { Socket, _createSocketHandle, createSocket }
export default { _createSocketHandle, createSocket, Socket }
