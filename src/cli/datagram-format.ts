import { isUtf8 } from 'node:buffer'
import type { ReceiveBatch } from '../index.js'
import { plainAddress, plainEndpoint } from './places.js'

/** How a received datagram is written. */
export type Format = 'text' | 'hex' | 'raw' | 'json'

/** What is known of every datagram beside what its batch says. */
export interface FormatContext {
  readonly verbose: boolean
  readonly localPort: number
}

/** The first `count` datagrams of a batch, as one piece of output. */
export function formatBatch(batch: ReceiveBatch, count: number, format: Format, context: FormatContext): Buffer | string {
  if (format === 'raw') {
    const payloads: Buffer[] = []
    for (let i = 0; i < count; i++) payloads.push(batch.payload(i))
    return Buffer.concat(payloads)
  }
  let lines = ''
  for (let i = 0; i < count; i++) lines += `${formatLine(batch, i, format, context)}\n`
  return lines
}

function formatLine(batch: ReceiveBatch, i: number, format: 'text' | 'hex' | 'json', context: FormatContext): string {
  if (format === 'json') return jsonOf(batch, i, context.localPort)
  const payload = batch.payload(i)
  const content = format === 'hex' ? payload.toString('hex') : printable(payload)
  return context.verbose ? `${plainEndpoint(batch.endpoint(i))}  ${payload.length} B  ${content}` : content
}

function jsonOf(batch: ReceiveBatch, i: number, localPort: number): string {
  const payload = batch.payload(i)
  const from = batch.endpoint(i)
  const destination = batch.destination(i)
  const encoding = isUtf8(payload) ? 'utf8' : 'base64'
  return JSON.stringify({
    // A string: nanoseconds since 1970 are beyond what a JSON number holds exactly.
    timeNs: batch.receiveTimeNs(i)?.toString(),
    from: { address: plainAddress(from.address), port: from.port },
    to: destination === undefined ? undefined : { address: plainAddress(destination), port: localPort },
    interfaceIndex: batch.interfaceIndex(i) || undefined,
    bytes: payload.length,
    ttl: atLeastZero(batch.ttl(i)),
    tos: atLeastZero(batch.tos(i)),
    encoding,
    payload: payload.toString(encoding),
  })
}

/**
 * A datagram as one line of text that does no harm to a terminal: one line end at its end is taken off, control characters and bytes
 * that are not UTF-8 become `\n` or `\xNN`.
 */
export function printable(payload: Buffer): string {
  if (!isUtf8(payload)) return escapeControls(payload.toString('latin1')).replace(/[\x80-\xff]/g, escapeOne)
  return escapeControls(payload.toString('utf8').replace(/\r?\n$/, ''))
}

function escapeControls(text: string): string {
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/g, escapeOne)
}

function escapeOne(character: string): string {
  const code = character.charCodeAt(0)
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`
}

function atLeastZero(value: number): number | undefined {
  return value < 0 ? undefined : value
}
