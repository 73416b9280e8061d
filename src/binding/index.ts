/**
 * The only door to the addon: loading it, its typed contract, raw socket addresses, and system errors.
 *
 * May import core, `node-gyp-build` and what loading needs of `node:*`. Decides nothing about sockets.
 */
export * from './endpoint-table.js'
export * from './load.js'
export * from './native.js'
export * from './sockaddr.js'
export * from './socket-error.js'
