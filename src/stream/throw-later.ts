/** An exception of a user's handler is the user's: it is thrown where nothing of ours is cut short. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
