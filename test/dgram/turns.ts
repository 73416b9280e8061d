/** The next check phase of the loop. */
export function immediately(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** `promise`, or an error saying `what` after `limitMs`. */
export async function bounded<T>(limitMs: number, promise: Promise<T>, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(what())), limitMs)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}
