import { InvalidArgumentError } from 'commander'
import { UsageError } from './exit.js'

/** Parsers of arguments, for commander: each takes the text and returns the value, or says what is accepted. */

export type Parser<T> = (text: string) => T

export function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER): Parser<number> {
  const range = max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min}` : `a whole number from ${min} to ${max}`
  return (text) => {
    // TOS bytes and the like are often written in hexadecimal.
    const value = /^(\d+|0x[\da-f]+)$/i.test(text) ? Number(text) : NaN
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be ${range}.`)
    return value
  }
}

export function positiveNumber(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0.')
  return value
}

/** A size in bytes, `4M` in units of 1024. */
export function byteSize(min: number, max: number): Parser<number> {
  return (text) => {
    const value = scaled(text, 1024)
    if (!(Number.isInteger(value) && value >= min && value <= max)) {
      throw new InvalidArgumentError(`It must be a number of bytes from ${min} to ${max}, such as 1200, 64k or 4M.`)
    }
    return value
  }
}

/** A rate, `10M` in units of 1000. */
export function rate(text: string): number {
  const value = scaled(text, 1000)
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0, such as 500, 20k or 1.5M.')
  return value
}

export const port: Parser<number> = wholeNumber(1, 65_535)

/** For options that may be repeated. */
export function collect(text: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), text]
}

/** Where to listen. Without an address: all of them. */
export interface LocalPlace {
  readonly address: string | undefined
  readonly port: number
}

/** `9000`, `:9000`, `*:9000`, `127.0.0.1:9000`, `[::1]:9000`, `localhost:9000`. */
export function localPlace(text: string): LocalPlace {
  const match = /^(?:\[(?<bracketed>[^\]]+)\]:|(?<plain>[^:]*):)?(?<port>\d+)$/.exec(text)
  const localPort = Number(match?.groups?.['port'])
  if (match === null) {
    const advice = text.split(':').length > 2 ? ' Put an IPv6 address in brackets: [::1]:9000.' : ''
    throw new InvalidArgumentError(`It must be [address:]port.${advice}`)
  }
  if (localPort > 65_535) throw new InvalidArgumentError('The port must be a whole number from 0 to 65535.')
  const address = match.groups?.['bracketed'] ?? match.groups?.['plain']
  return { address: address === '' || address === '*' ? undefined : address, port: localPort }
}

/** The bytes of hexadecimal digits, between which spaces and colons may stand. */
export function decodeHex(text: string): Buffer {
  const digits = text.replace(/[\s:]/g, '').replace(/^0x/i, '')
  const wrong = /[^\da-f]/i.exec(digits)
  if (wrong !== null) throw new UsageError(`not hexadecimal: '${wrong[0]}' in '${shortened(text)}'`)
  if (digits.length % 2 !== 0) {
    throw new UsageError(`not hexadecimal: an odd number of digits (${digits.length}) in '${shortened(text)}'`)
  }
  return Buffer.from(digits, 'hex')
}

/** Options that were not given are left out, so that the library's own defaults hold. */
export function given<T extends object>(options: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [Name in keyof T]?: Exclude<T[Name], undefined> }
}

function scaled(text: string, unit: number): number {
  const match = /^(\d+(?:\.\d+)?)([kMG]?)$/i.exec(text)
  if (match === null) return NaN
  return Number(match[1]) * unit ** (['', 'k', 'm', 'g'] as const).indexOf(match[2]!.toLowerCase() as '' | 'k' | 'm' | 'g')
}

function shortened(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
}

const SHOWN_CHARACTERS = 40
