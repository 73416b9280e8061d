/**
 * The errors of misuse, shaped like Node's own: a `TypeError` or `RangeError` with a `code`, thrown at once and before any
 * side effect. Failed system calls are made in the binding room (`SocketError`).
 *
 * @see https://nodejs.org/api/errors.html#nodejs-error-codes
 */

export interface CodedError extends Error {
  code: string
}

/** `ERR_INVALID_ARG_TYPE`. `name` is an argument (`'port'`) or a property (`'options.ttl'`). */
export function invalidArgType(name: string, expected: string, value: unknown): CodedError {
  return coded(new TypeError(`${subject(name)} must be ${expected}. Received ${describeReceived(value)}`), 'ERR_INVALID_ARG_TYPE')
}

/** `ERR_INVALID_ARG_VALUE`. */
export function invalidArgValue(name: string, value: unknown, reason: string): CodedError {
  const kind = name.includes('.') ? 'property' : 'argument'
  return coded(new TypeError(`The ${kind} '${name}' ${reason}. Received ${inspectShort(value)}`), 'ERR_INVALID_ARG_VALUE')
}

/** `ERR_OUT_OF_RANGE`. */
export function outOfRange(name: string, range: string, value: unknown): CodedError {
  return coded(
    new RangeError(`The value of "${name}" is out of range. It must be ${range}. Received ${inspectShort(value)}`),
    'ERR_OUT_OF_RANGE',
  )
}

/** `ERR_INVALID_STATE`: the call is right, but not now. */
export function invalidState(reason: string): CodedError {
  return coded(new Error(`Invalid state: ${reason}`), 'ERR_INVALID_STATE')
}

/** `ERR_CLOSED`: every method of a closed object but `close()`. */
export function closedError(what: string): CodedError {
  return coded(new Error(`The ${what} is closed`), 'ERR_CLOSED')
}

/** `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM`: this kernel or build cannot do it; `capabilities()` says so beforehand. */
export function featureUnavailable(feature: string, reason: string): CodedError {
  return coded(new TypeError(`${feature} is not available here: ${reason}`), 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM')
}

function coded(error: Error, code: string): CodedError {
  // As Node prints its own errors: the code stands behind the class's name in the stack.
  error.stack = error.stack?.replace(/^\w+/, (name) => `${name} [${code}]`) ?? ''
  return Object.assign(error, { code })
}

function subject(name: string): string {
  return `The "${name}" ${name.includes('.') ? 'property' : 'argument'}`
}

function describeReceived(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return `function ${value.name}`
  if (typeof value === 'object') {
    const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null
    const name = prototype?.constructor?.name
    return name ? `an instance of ${name}` : inspectShort(value)
  }
  return `type ${typeof value} (${inspectShort(value)})`
}

const INSPECT_LENGTH = 28 // Node cuts the received value here too

function inspectShort(value: unknown): string {
  const text = typeof value === 'string' ? `'${value}'` : typeof value === 'bigint' ? `${value}n` : safeString(value)
  return text.length > INSPECT_LENGTH ? `${text.slice(0, INSPECT_LENGTH - 3)}...` : text
}

function safeString(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return Array.isArray(value) ? 'an array' : 'an object'
}
