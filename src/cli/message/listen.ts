import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Option, type Command } from 'commander'
import { Messenger, UdpSocket, type DroppedMessage, type ReceivedMessage } from '../../index.js'
import { byteSize, given, localPlace, wholeNumber, type LocalPlace } from '../arguments.js'
import { EXIT, EXIT_HELP, type ExitCode } from '../exit.js'
import { interruptSignal } from '../interrupt.js'
import { messengerOptions, withMessageOptions, type MessageOptions } from './options.js'
import { bytes as bytesText, counted } from '../numbers.js'
import { Output } from '../output.js'
import { findEndpoint, plainEndpoint, socketTypeOf, type PlaceOptions } from '../places.js'
import { Progress } from '../progress.js'
import { Status } from '../status.js'

/** `geysir message listen`. */
export function addMessageListen(message: Command, exit: (code: ExitCode) => void): void {
  const command = message
    .command('listen')
    .description('Receive messages, and write each as it came.')
    .argument('<[address:]port>', 'where to listen; without an address: everywhere', localPlace)
  withMessageOptions(command)
    .option('-o, --output <file>', 'write messages one behind the other to this file instead of standard output')
    .addOption(new Option('-d, --directory <folder>', 'write each message to a file there, named by its id').conflicts('output'))
    .option('-n, --count <n>', 'end after so many messages', wholeNumber(1))
    .option('-t, --timeout <ms>', 'end when none has come for so long', wholeNumber(1, MAX_TIMEOUT_MS))
    .option(
      '--expiry <ms>',
      'give up a message of which nothing came for so long (default: 2000)',
      wholeNumber(1, MAX_TIMEOUT_MS),
    )
    .option('--accept-unhashed', 'classic: take messages without a digest, unchecked')
    .option('--reports', 'compact: tell senders what was lost, for --redundancy adaptive')
    .option('--receive-buffer <bytes>', "the kernel's receive buffer", byteSize(1, MAX_BUFFER_BYTES))
    .option('--json', 'print an object a message instead of its bytes; what is said on standard error is JSON too')
    .addOption(new Option('-4, --ipv4', 'IPv4 only').conflicts('ipv6'))
    .addOption(new Option('-6, --ipv6', 'IPv6 only'))
    .option('-q, --quiet', 'say nothing but what goes wrong')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}${EXIT_NOTES}`)
    .action(async (place: LocalPlace, options: ListenOptions) => {
      exit(await new MessageListening(options).run(place))
    })
}

interface ListenOptions extends MessageOptions, PlaceOptions {
  readonly output?: string
  readonly directory?: string
  readonly count?: number
  readonly timeout?: number
  readonly expiry?: number
  readonly acceptUnhashed?: true
  readonly reports?: true
  readonly receiveBuffer?: number
  readonly json?: true
  readonly quiet?: true
}

type Ending = 'count' | 'timeout' | 'interrupt' | 'output'

class MessageListening {
  readonly #options: ListenOptions
  readonly #status: Status
  readonly #output: Output
  readonly #progress = new Progress('  {state}', 0)
  #received = 0
  #dropped = 0
  #timer: NodeJS.Timeout | undefined
  #end!: (ending: Ending) => void
  #fail!: (error: Error) => void
  readonly #ended = new Promise<Ending>((resolve, reject) => {
    this.#end = resolve
    this.#fail = reject
  })

  constructor(options: ListenOptions) {
    this.#options = options
    this.#status = new Status(options)
    if (options.directory !== undefined) mkdirSync(options.directory, { recursive: true })
    this.#output = new Output(
      options.output,
      () => undefined,
      () => this.#end('output'),
    )
  }

  async run(place: LocalPlace): Promise<ExitCode> {
    const options = this.#options
    interruptSignal().addEventListener('abort', () => this.#end('interrupt'))
    const common = messengerOptions(options)
    const local = place.address === undefined ? undefined : await findEndpoint(place.address, place.port, options)
    const socket = new UdpSocket({ ...socketTypeOf(local, options), ...given({ receiveBufferBytes: options.receiveBuffer }) })
    try {
      const messenger = new Messenger(socket, {
        ...common,
        ...given({ acceptUnhashed: options.acceptUnhashed, reports: options.reports, expiryMs: options.expiry }),
        ...(options.maxBytes === undefined ? {} : { maxStateBytes: 3 * options.maxBytes, maxPeerBytes: 3 * options.maxBytes }),
      })
      socket.on('error', this.#fail)
      socket.on('warning', (message) => this.#status.warn(message))
      const bound = await socket.bind({ port: place.port, ...given({ address: local?.address }) })
      messenger.on('message', (message) => this.#take(message))
      messenger.on('dropped', (dropped) => this.#tellDropped(dropped))
      socket.on('batch', () => this.#showProgress(messenger))
      this.#status.say('listening', `listening on ${bound.toString()}`, { address: bound.address, port: bound.port })
      this.#startTimer()
      return this.#report(await this.#ended, messenger, socket)
    } finally {
      clearTimeout(this.#timer)
      this.#progress.stop()
      socket.close()
      await this.#output.end()
    }
  }

  #take(message: ReceivedMessage): void {
    const { count, directory, json } = this.#options
    if (this.#received === count) return
    this.#received++
    if (directory !== undefined) writeFileSync(join(directory, message.id), message.bytes)
    else if (!json || this.#options.output !== undefined) this.#output.write(message.bytes)
    const { id, endpoint, bytes, hash, chunkCount, chunksRepaired, chunksDamaged, latencyMs } = message
    const from = { address: endpoint.address, port: endpoint.port }
    const fields = {
      id,
      from,
      bytes: bytes.length,
      hash,
      chunkCount,
      chunksRepaired,
      chunksDamaged,
      latencyMs: Number(latencyMs.toFixed(3)),
    }
    if (json) process.stdout.write(`${JSON.stringify(fields)}\n`)
    else {
      const repaired = chunksRepaired === 0 ? '' : `, ${counted(chunksRepaired, 'chunk')} repaired`
      const text = `${id} from ${plainEndpoint(endpoint)}: ${bytesText(bytes.length)} in ${counted(chunkCount, 'chunk')}${repaired}`
      this.#status.say('message', text)
    }
    this.#startTimer()
    if (this.#received === count) this.#end('count')
  }

  #tellDropped({ reason, id, endpoint, messageBytes, chunkCount, chunksReceived }: DroppedMessage): void {
    this.#dropped++
    const arrived = `${chunksReceived} of ${counted(chunkCount, 'chunk')} arrived`
    this.#status.warn(`${id} from ${plainEndpoint(endpoint)}, ${bytesText(messageBytes)}: ${reason}, ${arrived}`, {
      reason,
      id,
      messageBytes,
      chunkCount,
      chunksReceived,
    })
  }

  #showProgress(messenger: Messenger): void {
    if (!Progress.isPossible) return
    const { messagesPending, chunksUsed } = messenger.stats()
    const state = `${counted(this.#received, 'message')}, ${messagesPending} under way, ${counted(chunksUsed, 'chunk')}`
    this.#progress.update(this.#received, { state })
  }

  #startTimer(): void {
    const { timeout } = this.#options
    clearTimeout(this.#timer)
    if (timeout !== undefined) this.#timer = setTimeout(() => this.#end('timeout'), timeout)
  }

  #report(ending: Ending, messenger: Messenger, socket: UdpSocket): ExitCode {
    const { count } = this.#options
    const { kernelDrops } = socket.stats()
    const { chunksRejected } = messenger.stats()
    this.#progress.stop()
    if (kernelDrops > 0) {
      this.#status.warn(`the kernel dropped ${counted(kernelDrops, 'message')}: --receive-buffer makes its buffer larger`, {
        kernelDrops,
      })
    }
    const refused = Object.entries(chunksRejected).filter(([reason, number]) => number > 0 && !HARMLESS.has(reason))
    if (refused.length > 0) {
      const text = refused.map(([reason, number]) => `${number} ${reason}`).join(', ')
      this.#status.warn(`datagrams that were no chunks of a message wanted here: ${text}`, { chunksRejected })
    }
    if (ending === 'timeout' && (this.#received === 0 || (count !== undefined && this.#received < count))) {
      this.#status.warn(`timeout after ${counted(this.#received, 'message')}`)
      return EXIT.timeout
    }
    if (ending === 'interrupt' && count !== undefined) return EXIT.interrupted
    return this.#dropped > 0 ? EXIT.failure : EXIT.ok
  }
}

const EXAMPLES = `
Examples:
  geysir message listen 9000 > photo.jpg              what comes, to standard output
  geysir message listen 9000 -d inbox                 each message a file
  geysir message listen 9000 --count 1 --timeout 5000 wait five seconds for one`

const EXIT_NOTES = `
A message that was begun and did not arrive whole is 1. A timeout is 3 when nothing came, or less than --count.`

/** Rejections that belong to the ordinary course of things. */
const HARMLESS: ReadonlySet<string> = new Set(['repeated', 'surplus', 'late'])
const MAX_TIMEOUT_MS = 0x7fff_ffff
const MAX_BUFFER_BYTES = 0x3fff_ffff
