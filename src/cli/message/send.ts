import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { Option, type Command } from 'commander'
import { Messenger, UdpSocket, type Endpoint, type Redundancy } from '../../index.js'
import { byteSize, given, port, rate, wholeNumber } from '../arguments.js'
import { EXIT, EXIT_HELP, UsageError, type ExitCode } from '../exit.js'
import { interruptSignal } from '../interrupt.js'
import { messengerOptions, redundancy, withMessageOptions, type MessageOptions } from './options.js'
import { bytes as bytesText, counted } from '../numbers.js'
import { findEndpoint, plainEndpoint, type PlaceOptions } from '../places.js'
import { Progress } from '../progress.js'
import { Status } from '../status.js'

/** `geysir message send`. */
export function addMessageSend(message: Command, exit: (code: ExitCode) => void): void {
  const command = message
    .command('send')
    .description('Send files, or all of standard input, each as one message.')
    .argument('<host>', 'an address or a name')
    .argument('<port>', 'the port', port)
    .argument('[files...]', 'without files: standard input')
  withMessageOptions(command)
    .option('-r, --redundancy <n>', 'redundant chunks: a number, a share such as 10%, or adaptive (default: 5%)', redundancy)
    .option('--bytes-per-second <n>', 'how fast chunks leave: 500k, 10M (default: 24 MiB)', rate)
    .option('--datagram-bytes <n>', 'the longest datagram (default: what the path takes in one piece)', byteSize(104, 65_507))
    .addOption(new Option('-n, --count <n>', 'send the files so many times').argParser(wholeNumber(1)))
    .option('--json', 'what is said on standard error is JSON')
    .addOption(new Option('-4, --ipv4', 'resolve the name to IPv4').conflicts('ipv6'))
    .addOption(new Option('-6, --ipv6', 'resolve the name to IPv6'))
    .option('-q, --quiet', 'say nothing but what goes wrong')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}${EXIT_NOTES}`)
    .action(async (host: string, peerPort: number, files: string[], options: SendOptions) => {
      exit(await send(host, peerPort, files, options))
    })
}

interface SendOptions extends MessageOptions, PlaceOptions {
  readonly redundancy?: Redundancy
  readonly bytesPerSecond?: number
  readonly datagramBytes?: number
  readonly count?: number
  readonly json?: true
  readonly quiet?: true
}

async function send(host: string, peerPort: number, files: readonly string[], options: SendOptions): Promise<ExitCode> {
  const status = new Status(options)
  const signal = interruptSignal()
  if (options.count !== undefined && files.length === 0)
    throw new UsageError('--count repeats files; standard input comes only once')
  const common = messengerOptions(options)
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
  // Everything is read before anything leaves: a file that cannot be read is an error, not half of the work.
  const messages: Buffer[] = []
  for (const file of files) messages.push(await readAll(file, maxBytes))
  if (files.length === 0) messages.push(await readStandardInput(maxBytes))
  const peer = await findEndpoint(host, peerPort, options)
  const socket = new UdpSocket({ type: peer.family === 'IPv4' ? 'udp4' : 'udp6' })
  try {
    const { redundancy, bytesPerSecond, datagramBytes } = options
    const messenger = new Messenger(socket, {
      ...common,
      ...given({ redundancy, paceBytesPerSecond: bytesPerSecond, datagramBytes }),
      maxQueuedBytes: Number.MAX_SAFE_INTEGER,
    })
    const startMs = performance.now()
    const code = await sendAll(messenger, socket, messages, options.count ?? 1, peer, signal)
    const { messagesSent, messageBytesSent, chunksSent } = messenger.stats()
    const { datagramsFailed } = socket.stats()
    status.say(
      'sent',
      `sent ${counted(messagesSent, 'message')}, ${bytesText(messageBytesSent)}, in ${counted(chunksSent, 'datagram')}, to ${plainEndpoint(peer)}`,
      {
        messages: messagesSent,
        bytes: messageBytesSent,
        datagrams: chunksSent,
        seconds: Number(((performance.now() - startMs) / 1000).toFixed(3)),
      },
    )
    if (datagramsFailed > 0) status.warn(`${counted(datagramsFailed, 'datagram')} failed`, { failed: datagramsFailed })
    return datagramsFailed > 0 ? EXIT.failure : code
  } finally {
    socket.close()
  }
}

async function sendAll(
  messenger: Messenger,
  socket: UdpSocket,
  messages: readonly Buffer[],
  count: number,
  peer: Endpoint,
  signal: AbortSignal,
): Promise<ExitCode> {
  const total = messages.reduce((sum, { length }) => sum + length, 0) * count
  const progress = new Progress('  {bar} {percentage}%', total)
  const timer = setInterval(() => progress.update(Math.min(total, socket.stats().bytesSent)), PROGRESS_MS)
  try {
    for (let i = 0; i < count; i++) for (const message of messages) await messenger.send(message, peer, { signal })
    if (!socket.flush()) await once(socket, 'drain', { signal })
    return EXIT.ok
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted
    throw error
  } finally {
    clearInterval(timer)
    progress.stop()
  }
}

async function readAll(path: string, maxBytes: number): Promise<Buffer> {
  if (path === '-') return readStandardInput(maxBytes)
  const file = await open(path)
  try {
    const stat = await file.stat()
    if (stat.isDirectory()) throw new UsageError(`${path} is a directory`)
    return checkLength(path, stat.size > maxBytes ? stat.size : await file.readFile(), maxBytes)
  } finally {
    await file.close()
  }
}

async function readStandardInput(maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) return checkLength('the input', bytes, maxBytes)
    chunks.push(chunk)
  }
  return checkLength('the input', Buffer.concat(chunks), maxBytes)
}

function checkLength(what: string, content: Buffer | number, maxBytes: number): Buffer {
  if (typeof content !== 'number' && content.length > 0) return content
  if (typeof content !== 'number') throw new UsageError(`${what} is empty, and a message has at least one byte`)
  throw new UsageError(`${what} is longer than ${bytesText(maxBytes)}; --max-bytes allows more, at both ends`)
}

const EXAMPLES = `
Examples:
  geysir message send server 9000 photo.jpg            a file as one message
  tar c docs | geysir message send server 9000         all of standard input
  geysir message send server 9000 a b --redundancy 20% for a path that loses much`

const EXIT_NOTES = `
0 says that everything left, not that it arrived: nobody answers.`

const DEFAULT_MAX_BYTES = 4 << 20
const PROGRESS_MS = 100
