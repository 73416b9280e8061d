import { addonProblem } from '../binding/index.js'

/** May the addon be used here? Under Node's permission model not: Node's own handle asks it, our system calls could not. */
export function addonIsUsable(): boolean {
  const isPermitted = (process as { permission?: unknown }).permission === undefined
  return process.env['GEYSIR_DISABLE'] !== '1' && isPermitted && addonProblem() === undefined
}
