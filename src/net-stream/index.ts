/**
 * `geysir/net`: what `node:net` has, over reliable streams: servers, and sockets that are Duplexes of bytes. For programs that were
 * written for TCP.
 *
 * May import core, socket, stream, system (the clock of time-outs), and of Node dns, events, net (is it a literal?) and stream. Has no
 * protocol of its own.
 */
import * as net from './net.js'

export * from './net.js'
/** As programs import `node:net`; its types are there as well. */
export default net
