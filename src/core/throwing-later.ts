/**
 * Calls a listener. What it throws is the program's to handle, as an uncaught exception when the running code has returned, and costs
 * nobody else the event or the datagrams that follow.
 */
export function throwingLater(call: () => void): void {
  try {
    call()
  } catch (error) {
    throwLater(error)
  }
}

/** Throws where nobody catches: 'uncaughtException'. A microtask, because the core knows no `process`. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
