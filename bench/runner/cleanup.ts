/**
 * What must be undone however the runner ends: processes killed, network namespaces removed. Undoing is synchronous, because
 * nothing else runs when a process exits.
 */
const pending = new Set<() => void>()

/** @returns Call it when the thing has been undone in the ordinary way. */
export function onExit(undo: () => void): () => void {
  if (pending.size === 0) install()
  pending.add(undo)
  return () => pending.delete(undo)
}

let installed = false
function install(): void {
  if (installed) return
  installed = true
  process.once('exit', undoAll)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
}

/** The last thing made is the first undone: a process leaves its namespace before that is removed. */
function undoAll(): void {
  for (const undo of [...pending].reverse()) undo()
  pending.clear()
}
