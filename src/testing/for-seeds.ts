/**
 * Runs a simulation once for each seed, one after the other, and stops at the first that fails.
 *
 * @param run Gets the seed, for `new SimulatedNetwork(seed)`.
 * @param repeat What to do to see a failure again, usually a command: it becomes part of the error's message.
 * @throws An error that names the seed and what `repeat` says; its `cause` is what was thrown.
 */
export async function forSeeds(
  seeds: Iterable<number>,
  run: (seed: number) => void | Promise<void>,
  repeat: (seed: number) => string,
): Promise<void> {
  for (const seed of seeds) {
    try {
      await run(seed)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`with seed ${seed}: ${reason}\n\nTo repeat: ${repeat(seed)}`, { cause: error })
    }
  }
}
