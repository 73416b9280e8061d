/** Aborted by the first Ctrl-C or SIGTERM. The second one has its usual effect: it ends the process. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort())
  return controller.signal
}
