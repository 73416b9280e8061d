import { readFileSync } from 'node:fs'

/** The number in a file of /proc/sys; undefined where it cannot be read, as in some containers. */
export function readSysctl(path: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(`/proc/sys/${path}`, 'utf8'), 10)
  } catch {
    return undefined
  }
}
