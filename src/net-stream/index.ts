/**
 * `geysir/net`: what `node:net` has, over reliable streams: servers, and sockets that are Duplexes of bytes. For programs that were
 * written for TCP.
 *
 * May import core, socket, stream, system (the clock of time-outs), and of Node dns, events and stream. Has no protocol of its own.
 */
export { Server, createServer, type ListenOptions, type ServerOptions } from './server.js'
export { Socket, type SocketAddress } from './socket.js'
export { connect, createConnection, type ConnectOptions } from './connect.js'
