import type { Command } from 'commander'
import {
  UdpSocket,
  createNode,
  fixedRate,
  streamSocketOptions,
  type NodeOptions,
  type SocketType,
  type UdpSocketOptions,
  type StreamNode,
} from '../../index.js'
import { byteSize, given, rate } from '../arguments.js'
import { readKeyFile } from '../key-file.js'
import type { PlaceOptions } from '../places.js'

/** What both ends have. */
export interface PushOptions extends PlaceOptions {
  readonly secretFile?: string
  readonly rate?: number
  readonly frameBytes?: number
  readonly json?: true
  readonly quiet?: true
}

/** Adds the options of {@link PushOptions} that do not say where. */
export function withPushOptions(command: Command): Command {
  return command
    .option('--secret-file <file>', 'a file of at least 16 bytes that both ends have: nobody else can send or receive')
    .option(
      '--frame-bytes <n>',
      'the longest datagram, both ends use the shorter (default: what Ethernet takes)',
      byteSize(1200, 65_507),
    )
}

/** `--rate`, of the end that sends. */
export function withRate(command: Command): Command {
  return command.option('--rate <n>', 'bytes a second, whatever is lost: 500k, 100M (default: fair to TCP)', rate)
}

/** A socket that streams are at home on. */
export function socketFor(type: { type: SocketType; ipv6Only?: boolean } & UdpSocketOptions): UdpSocket {
  return new UdpSocket({ ...streamSocketOptions(), ...type })
}

export function nodeOn(
  link: UdpSocket,
  { secretFile, rate, frameBytes }: PushOptions,
  settings: Pick<NodeOptions, 'maxMessageBytes' | 'name' | 'groupLink'>,
): StreamNode {
  const secret = secretFile === undefined ? undefined : readKeyFile(secretFile, 'secret', MIN_SECRET_BYTES)
  const congestionControl = rate === undefined ? undefined : fixedRate(rate)
  return createNode({ link, ...settings, ...given({ secret, congestionControl, frameBytes }) })
}

/** Where files are received unless another port is given. */
export const DEFAULT_PORT = 7497
const MIN_SECRET_BYTES = 16
