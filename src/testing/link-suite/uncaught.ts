/** Collects exceptions that nobody caught, instead of ending the process, while `run` runs. */
export async function uncaughtDuring(run: () => Promise<void>): Promise<unknown[]> {
  const uncaught: unknown[] = []
  // A test framework has listeners of its own, which would call it a failure.
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const collect = (error: unknown): void => void uncaught.push(error)
  process.on('uncaughtException', collect)
  try {
    await run()
  } finally {
    process.off('uncaughtException', collect)
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
  return uncaught
}
