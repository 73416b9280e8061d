import { InvalidArgumentError, Option, type Command } from 'commander'
import type { MessageFormat, MessengerOptions, Redundancy, UnkeyedHash } from '../../index.js'
import { byteSize, given } from '../arguments.js'
import { readKeyFile } from '../key-file.js'

/** What both ends must agree about. */
export interface MessageOptions {
  readonly format?: MessageFormat
  readonly hash?: UnkeyedHash
  readonly keyFile?: string
  readonly maxBytes?: number
}

/** Adds the options of {@link MessageOptions}. */
export function withMessageOptions(command: Command): Command {
  return command
    .addOption(new Option('--format <format>', 'the wire format (default: compact)').choices(['compact', 'classic']))
    .addOption(new Option('--hash <hash>', 'what digests are made with (default: sha256)').choices(['sha256', 'sha3-256']))
    .option('--key-file <file>', 'a file of 16 to 128 bytes that both ends have: digests then authenticate')
    .option('--max-bytes <n>', 'the longest message (default: 4M)', byteSize(1, MAX_MESSAGE_BYTES))
}

export function messengerOptions({ format, hash, keyFile, maxBytes }: MessageOptions): MessengerOptions {
  const key = keyFile === undefined ? undefined : readKeyFile(keyFile, 'key', MIN_KEY_BYTES, MAX_KEY_BYTES)
  return given({ format, hash, key, maxMessageBytes: maxBytes })
}

/** `8`, `5%` or `adaptive`. */
export function redundancy(text: string): Redundancy {
  if (text === 'adaptive') return text
  if (/^\d+$/.test(text)) return Number(text)
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1]
  if (percent === undefined) throw new InvalidArgumentError("It must be a number of chunks, a share such as 5%, or 'adaptive'.")
  return { fraction: Number(percent) / 100 }
}

const MAX_MESSAGE_BYTES = 1 << 30
const MIN_KEY_BYTES = 16
const MAX_KEY_BYTES = 128
