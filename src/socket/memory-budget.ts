import { totalmem } from 'node:os'

/**
 * Is this a small board, or a container like one? There the slabs are shorter: what a batch may hold at once is not worth a
 * hundredth of all memory.
 */
export function hasLittleMemory(): boolean {
  return memoryBytes() <= LITTLE_MEMORY_BYTES
}

/** What this process may use: the memory of the machine, or of its control group where that is less. */
export function memoryBytes(): number {
  // 0 or undefined without a limit; Node before 20.12 answers with a number beyond all memory.
  const limit = (process as { constrainedMemory?: () => number | undefined }).constrainedMemory?.() ?? 0
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

/** 1 GiB: a Raspberry Pi Zero or 3A has 512 MiB, an ODROID-C1 has 1 GiB, and both report a little less. */
export const LITTLE_MEMORY_BYTES = 1 << 30
