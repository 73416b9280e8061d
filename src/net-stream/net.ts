/** What there is, by name; index.ts adds the default export. */
export {
  Server,
  createServer,
  type DroppedConnection,
  type ListenOptions,
  type ServerEvents,
  type ServerOptions,
} from './server.js'
export { Socket, type SocketAddress } from './socket.js'
export type { ConnectOptions, PassedOptions, SocketConnectOptions, SocketOptions } from './connect-options.js'
export { connect, createConnection } from './connect.js'
