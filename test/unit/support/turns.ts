/** Resolves when everything that was put off (process.nextTick, promise reactions) has run. Not a sleep: one turn of the loop. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Collects exceptions that nobody caught, instead of ending the process, while `run` and what it puts off runs. */
export async function uncaughtDuring(run: () => void | Promise<void>): Promise<unknown[]> {
  const uncaught: unknown[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const collect = (error: unknown): void => void uncaught.push(error)
  process.on('uncaughtException', collect)
  try {
    await run()
    await settled()
  } finally {
    process.off('uncaughtException', collect)
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
  return uncaught
}
