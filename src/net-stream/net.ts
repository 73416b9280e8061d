/** What there is, by name; index.ts adds the default export. */
export {
  Server,
  createServer,
  type DroppedConnection,
  type ListenOptions,
  type ServerEvents,
  type ServerOptions,
} from './server.js'
export { Socket, type ConnectOptions, type SocketAddress, type SocketConnectOptions, type SocketOptions } from './socket.js'
export { connect, createConnection } from './connect.js'
