/**
 * What every program of this folder does beside its job: it tells what it saw in lines of JSON, and on whose handles its sockets are. It
 * sees each socket that anything in the process makes, through Node's own diagnostics channel.
 */
const diagnostics = require('node:diagnostics_channel')

const names = new Set()
diagnostics.subscribe('udp.socket', ({ socket }) => process.nextTick(() => names.add(handleName(socket))))

/** `UDP` for Node's own. */
function handleName(socket) {
  const state = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol')
  return socket[state].handle?.constructor.name ?? 'closed'
}

/** One line of JSON. */
function tell(seen) {
  process.stdout.write(`${JSON.stringify(seen)}\n`)
}

/** Of all sockets until now, without repetitions. */
function handles() {
  return [...names].sort()
}

/** A server's first line, in the turn after its sockets were seen; it serves until its input ends. */
function serving(port, close) {
  setImmediate(() => tell({ port, handles: handles() }))
  process.stdin.on('end', close).resume()
}

module.exports = { handleName, handles, serving, tell }
