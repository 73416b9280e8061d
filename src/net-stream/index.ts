/**
 * `geysir/net`: what `node:net` has, over reliable streams: servers, and sockets that are Duplexes of bytes. For programs that were
 * written for TCP.
 *
 * May import core, socket, stream, system (the clock of time-outs), and of Node dns, events, net (is it a literal?) and stream. Has no
 * protocol of its own.
 */
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
