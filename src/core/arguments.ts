import { invalidArgType, invalidArgValue, outOfRange } from './errors.js'

/** The checks that every room shares. Each returns the value it accepted, so that a check reads as an assignment. */

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value)
  return value
}

export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value)
  return value
}

export function checkString(name: string, value: unknown): string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
  return value
}

export function checkOneOf<T extends string>(name: string, value: unknown, accepted: readonly T[]): T {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
  const found = accepted.find((candidate) => candidate === value)
  if (found === undefined) throw invalidArgValue(name, value, `must be one of: ${quoted(accepted)}`)
  return found
}

export function checkFunction<T>(name: string, value: T): T {
  if (typeof value !== 'function') throw invalidArgType(name, 'of type function', value)
  return value
}

/** An options object, or nothing. Names that it does not know are refused: a typing error is not a default. */
export function checkOptions(name: string, value: unknown, known: ReadonlySet<string>): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgType(name, 'of type object', value)
  }
  for (const key of Object.keys(value)) {
    if (!known.has(key)) throw invalidArgValue(`${name}.${key}`, key, `is not an option (known: ${[...known].join(', ')})`)
  }
}

/** A port to send to or to connect to: 0 means nothing there. */
export function checkPeerPort(name: string, value: unknown): number {
  return checkInteger(name, value, 1, MAX_PORT)
}

/** A port to bind: 0 lets the kernel choose. */
export function checkLocalPort(name: string, value: unknown): number {
  return checkInteger(name, value, 0, MAX_PORT)
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ')
}

export const MAX_PORT = 65_535
