import { inspect } from 'node:util'

/** Objects that have a name in the log. */
export type Names = Map<unknown, string>

/** A value as one line of text, the same for values that no program can tell apart. */
export function show(value: unknown, names: Names): string {
  const name = names.get(value)
  if (name !== undefined) return name
  if (value instanceof Error) return showError(value, names)
  if (Buffer.isBuffer(value)) return `<Buffer ${value.length}: ${value.subarray(0, 24).toString('hex')}>`
  if (Array.isArray(value)) return `[${value.map((item) => show(item, names)).join(', ')}]`
  if (typeof value === 'function') return `[function ${value.name}]`
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return `{${Reflect.ownKeys(value)
      .map((key) => `${String(key)}: ${show((value as Record<PropertyKey, unknown>)[key], names)}`)
      .join(', ')}}`
  }
  return inspect(value, { depth: 1, breakLength: Infinity })
}

/** Everything of an error but its stack: classes, own properties in order, the words. */
function showError(error: Error, names: Names): string {
  const properties = Object.keys(error).map((key) => `${key}: ${show(error[key as keyof Error], names)}`)
  const classes = [TypeError, RangeError, Error].filter((type) => error instanceof type).map((type) => type.name)
  const constructorName = Reflect.get(error, 'constructor').name
  const head = error.stack?.split('\n', 1)[0]
  const hidden = (['errno', 'code', 'syscall', 'address', 'port'] as const)
    .filter((key) => !Object.hasOwn(error, key) && Reflect.get(error, key) !== undefined)
    .map((key) => `inherited ${key}: ${show(Reflect.get(error, key), names)}`)
  const words = String(error).split('\n', 1)[0] === head ? `"${head}"` : `"${String(error)}" / stack "${head}"`
  return `${constructorName}(${classes.join(' ')}) ${error.name} ${words} {${[...properties, ...hidden].join(', ')}}`
}
