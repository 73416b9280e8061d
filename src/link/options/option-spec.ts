import { checkBoolean, checkInteger, checkOneOf, checkString, invalidArgType, invalidArgValue } from '../../core/index.js'

/** How an option of a link is checked, what it is without being given, and whether a URL can say it. */
export type OptionSpec =
  | { readonly type: 'integer'; readonly min: number; readonly max: number; readonly default?: number; readonly required?: true }
  | { readonly type: 'boolean'; readonly default: boolean }
  | { readonly type: 'text' | 'host' | 'path'; readonly maxLength: number; readonly default?: string; readonly required?: true }
  | { readonly type: 'choice'; readonly values: readonly string[]; readonly default?: string; readonly required?: true }
  /** Texts; in a URL with a separator between them, or as a JSON array. */
  | { readonly type: 'list'; readonly separator: ',' | ' '; readonly maxLength: number }
  /** Something that only a program can give; no URL says it. */
  | { readonly type: 'object' | 'function'; readonly has?: string }

/** @throws Misuse, naming the option. */
export function checkLinkOption(name: string, value: unknown, spec: OptionSpec): unknown {
  switch (spec.type) {
    case 'integer':
      return checkInteger(name, value, spec.min, spec.max)
    case 'boolean':
      return checkBoolean(name, value)
    case 'text':
      return checkText(name, value, spec.maxLength)
    case 'path':
      if (value === '') throw invalidArgValue(name, value, 'must not be empty')
      return checkText(name, value, spec.maxLength)
    case 'host':
      return checkHost(name, value, spec.maxLength)
    case 'choice':
      return checkOneOf(name, value, spec.values)
    case 'list':
      return checkList(name, value, spec.maxLength)
    case 'object':
    case 'function':
      return checkThing(name, value, spec)
  }
}

/** What the text of a URL means for an option; undefined for what no URL can say. */
export function readOption(name: string, text: string, spec: OptionSpec): unknown {
  switch (spec.type) {
    case 'integer':
      if (!/^-?\d{1,15}$/.test(text)) throw invalidArgValue(name, text, 'must be a whole number')
      return Number(text)
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw invalidArgValue(name, text, 'must be one of: true, false')
      return text === 'true'
    case 'text':
    case 'host':
    case 'path':
    case 'choice':
      return text
    case 'list':
      return readList(name, text, spec.separator)
    case 'object':
    case 'function':
      return undefined
  }
}

/** The inverse of {@link readOption}; undefined for what no URL can say. */
export function writeOption(value: unknown, spec: OptionSpec): string | undefined {
  if (spec.type === 'object' || spec.type === 'function') return undefined
  if (spec.type !== 'list') return String(value)
  const texts = value as readonly string[]
  const plain = texts.length > 0 && !/^\[[\s"\]]/.test(texts[0]!) && texts.every((text) => text !== '' && !/[\s,]/.test(text))
  return plain ? texts.join(spec.separator) : JSON.stringify(texts)
}

function checkText(name: string, value: unknown, maxLength: number): string {
  const text = checkString(name, value)
  if (text.length > maxLength) throw invalidArgValue(name, text, `must have at most ${maxLength} characters`)
  if (text.includes('\0')) throw invalidArgValue(name, text, 'must not contain a NUL')
  return text
}

/** An address with its zone, a name, or `*`. */
function checkHost(name: string, value: unknown, maxLength: number): string {
  const text = checkText(name, value, maxLength)
  if (!/^[\w.:%*@-]+$/.test(text)) throw invalidArgValue(name, text, 'must be an address or a host name')
  return text
}

function checkList(name: string, value: unknown, maxLength: number): readonly string[] {
  if (!Array.isArray(value)) throw invalidArgType(name, 'an array of texts', value)
  if (value.length === 0 || value.length > maxLength) {
    throw invalidArgValue(name, value, `must have 1 to ${maxLength} entries`)
  }
  return Object.freeze(value.map((entry) => checkText(`${name}[]`, entry, MAX_ENTRY_LENGTH)))
}

function readList(name: string, text: string, separator: string): unknown {
  if (!/^\[[\s"\]]/.test(text)) return text.split(separator === ' ' ? / +/ : separator).filter((entry) => entry !== '')
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw invalidArgValue(name, text, 'must be a list, or a JSON array of texts')
  }
}

function checkThing(
  name: string,
  value: unknown,
  spec: { readonly type: 'object' | 'function'; readonly has?: string },
): unknown {
  if (spec.type === 'function') {
    if (typeof value !== 'function') throw invalidArgType(name, 'of type function', value)
    return value
  }
  const found =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[spec.has ?? 'constructor'] : undefined
  if (typeof found !== 'function') throw invalidArgType(name, `an object with a method ${spec.has ?? ''}`.trim(), value)
  return value
}

const MAX_ENTRY_LENGTH = 4096
