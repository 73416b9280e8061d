/**
 * Calls a listener. What it throws is the program's to handle, as an uncaught exception of the next tick, and costs nobody else
 * the event or the datagrams that follow.
 */
export function throwingLater(call: () => void): void {
  try {
    call()
  } catch (error) {
    throwLater(error)
  }
}

export function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
