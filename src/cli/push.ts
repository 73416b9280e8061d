import { setTimeout as delay } from 'node:timers/promises'
import { Option, type Command } from 'commander'
import type { Endpoint, Peer, StreamNode, UdpSocket, UdpSocketOptions } from '../index.js'
import { given, wholeNumber } from './arguments.js'
import { EXIT, EXIT_HELP, UsageError, describeError, type ExitCode } from './exit.js'
import { interfaceOf } from './interface-text.js'
import { interruptSignal } from './interrupt.js'
import { bytes as bytesText } from './numbers.js'
import { findEndpoint, plainEndpoint } from './places.js'
import { Progress } from './progress.js'
import { GroupPushing } from './push/group-push.js'
import { DEFAULT_PORT, nodeOn, socketFor, withPushOptions, withRate, type PushOptions } from './push/options.js'
import { checkFamily, groupPlace, remotePlace } from './push/place.js'
import { RefusedByReceiver, sendFile, type Sent } from './push/send-file.js'
import { examineFile, type FileToSend } from './push/source-file.js'
import { MAX_DATA_BYTES } from './push/wire.js'
import { Status } from './status.js'

/** `geysir push`: files to a `geysir receive`. */
export function addPush(program: Command, exit: (code: ExitCode) => void): void {
  const command = program
    .command('push')
    .description('Send files to a geysir receive: checked, and gone on with after an interruption.')
    .usage('[options] <file...> <host[:port]> | --group <address:port> <file...>')
    .argument('<file...>', `files, and last where to: a host, port ${DEFAULT_PORT} unless given`)
  withRate(withPushOptions(command))
    .option('--retry <ms>', 'go on trying for so long while nobody can be reached (default: 30000)', wholeNumber(0, MAX_RETRY_MS))
    .option('-g, --group <address:port>', 'by multicast, to all who run geysir receive --group', groupPlace)
    .option('-n, --receivers <n>', 'of a group: wait for so many of them', wholeNumber(1))
    .option('--settle <ms>', 'of a group: begin when no other has come for so long (default: 2000)', wholeNumber(0, MAX_RETRY_MS))
    .option('-i, --interface <name>', 'of a group: where to send')
    .option('--multicast-ttl <hops>', 'of a group: how many routers may pass it on (default: none, 1)', wholeNumber(1, 255))
    .option('--json', 'print an object a file; what is said on standard error is JSON too')
    .addOption(new Option('-4, --ipv4', 'resolve the name to IPv4').conflicts('ipv6'))
    .addOption(new Option('-6, --ipv6', 'resolve the name to IPv6'))
    .option('-q, --quiet', 'say nothing but what goes wrong')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}${EXIT_NOTES}`)
    .action(async (words: string[], options: SendOptions) => {
      exit(await push(words, options))
    })
}

interface SendOptions extends PushOptions {
  readonly retry?: number
  readonly group?: Endpoint
  readonly receivers?: number
  readonly settle?: number
  readonly multicastTtl?: number
}

async function push(words: readonly string[], options: SendOptions): Promise<ExitCode> {
  const { group } = options
  if (group !== undefined) return pushToGroup(words, group, options)
  for (const name of ['receivers', 'settle', 'interface', 'multicastTtl'] as const) {
    if (options[name] !== undefined)
      throw new UsageError(`--${name === 'multicastTtl' ? 'multicast-ttl' : name} is for a --group`)
  }
  const signal = interruptSignal()
  const [paths, place] = [words.slice(0, -1), words.at(-1)!]
  if (paths.length === 0) throw new UsageError(`where to? After the files comes a host, such as server or server:${DEFAULT_PORT}`)
  const { host, port } = remotePlace(place, DEFAULT_PORT)
  const files = await examineAll(paths)
  const endpoint = await findEndpoint(host, port, options)
  if (endpoint.isMulticast)
    throw new UsageError(`${host} is a multicast group: files go there with --group ${plainEndpoint(endpoint)}`)
  return withNode(endpoint, {}, options, (node) => new Pushing(node, endpoint, files, options, signal).run())
}

async function pushToGroup(paths: readonly string[], group: Endpoint, options: SendOptions): Promise<ExitCode> {
  checkFamily(group, options)
  const signal = interruptSignal()
  const files = await examineAll(paths)
  const { receivers, settle, retry, json = false, multicastTtl } = options
  const settings = { receivers, settleMs: settle ?? DEFAULT_SETTLE_MS, retryMs: retry ?? DEFAULT_RETRY_MS, json }
  const multicast = given({ multicastInterface: interfaceOf(options.interface), multicastTtl })
  return withNode(group, multicast, options, (node, socket) =>
    new GroupPushing(node, socket, group, settings, new Status(options), signal).run(files),
  )
}

/** Runs something on a node that reaches `to`, until it is done or the socket fails. */
async function withNode(
  to: Endpoint,
  socketOptions: UdpSocketOptions,
  options: SendOptions,
  run: (node: StreamNode, socket: UdpSocket) => Promise<ExitCode>,
): Promise<ExitCode> {
  const socket = socketFor({ type: to.family === 'IPv4' ? 'udp4' : 'udp6', ...socketOptions })
  try {
    const node = nodeOn(socket, options, { maxMessageBytes: MAX_DATA_BYTES })
    await socket.bind()
    const failure = new Promise<never>((_, reject) => socket.on('error', reject))
    return await Promise.race([failure, run(node, socket)])
  } finally {
    socket.close()
  }
}

/** Everything is looked at before anything leaves: a file that cannot be read is an error, not half of the work. */
async function examineAll(paths: readonly string[]): Promise<FileToSend[]> {
  const files = new Map<string, FileToSend>()
  for (const path of paths) {
    const file = await examineFile(path)
    const other = files.get(file.name)
    if (other !== undefined) throw new UsageError(`${other.path} and ${path} would be one file over there`)
    files.set(file.name, file)
  }
  return [...files.values()]
}

/** Files on their way to one receiver, however often it goes and comes again. */
class Pushing {
  readonly #node: StreamNode
  readonly #endpoint: Endpoint
  readonly #options: SendOptions
  readonly #signal: AbortSignal
  readonly #status: Status
  readonly #progress: Progress
  readonly #waiting: FileToSend[]
  /** How much of each file is there, or on its way. */
  readonly #sent = new Map<string, number>()
  /** The most of each file that has got through at any time. */
  readonly #best = new Map<string, number>()
  readonly #repeated = new Set<FileToSend>()
  #failed = 0
  /** When it is too late; undefined while all goes well. */
  #giveUpMs: number | undefined
  /** What was said last about trying again: once is enough. */
  #told = ''

  constructor(node: StreamNode, endpoint: Endpoint, files: FileToSend[], options: SendOptions, signal: AbortSignal) {
    this.#node = node
    this.#endpoint = endpoint
    this.#options = options
    this.#signal = signal
    this.#status = new Status(options)
    this.#waiting = files
    this.#progress = new Progress(
      '  {bar} {percentage}%  {file}',
      files.reduce((sum, { size }) => sum + size, 0),
    )
  }

  async run(): Promise<ExitCode> {
    this.#signal.addEventListener('abort', () => this.#node.destroy())
    try {
      while (this.#waiting.length > 0 && !this.#signal.aborted) {
        const code = await this.#attempt()
        if (code !== undefined) return code
      }
      if (this.#signal.aborted) return EXIT.interrupted
      await this.#node.close({ deadlineMs: LAST_WORDS_MS })
      return this.#failed > 0 ? EXIT.failure : EXIT.ok
    } finally {
      this.#progress.stop()
      this.#node.destroy()
    }
  }

  /** Undefined: go on. */
  async #attempt(): Promise<ExitCode | undefined> {
    const retryMs = this.#options.retry ?? DEFAULT_RETRY_MS
    this.#giveUpMs ??= performance.now() + retryMs
    try {
      const timeoutMs = Math.min(CONNECT_MS, Math.max(MIN_CONNECT_MS, Math.ceil(this.#giveUpMs - performance.now())))
      const peer = await this.#node.connect(this.#endpoint, { timeoutMs, signal: this.#signal })
      await this.#pushAll(peer)
      return undefined
    } catch (error) {
      if (this.#signal.aborted) return EXIT.interrupted
      if (!mayHelpLater(error)) throw error
      // What went well until now has its time from now on.
      this.#giveUpMs ??= performance.now() + retryMs
      const text = describeError(error) ?? String(error)
      if (performance.now() >= this.#giveUpMs) {
        this.#status.warn(`given up: ${text}`, { code: (error as NodeJS.ErrnoException).code })
        return EXIT.timeout
      }
      if (text !== this.#told) this.#status.say('retry', `${text}; trying again`, { message: text })
      this.#told = text
      await delay(RETRY_DELAY_MS, undefined, { signal: this.#signal }).catch(() => undefined)
      return undefined
    }
  }

  /** Several at a time, so that small files do not wait for each other's round trips. */
  async #pushAll(peer: Peer): Promise<void> {
    const workers = Array.from({ length: FILES_AT_A_TIME }, () => this.#pushSome(peer))
    const failure = (await Promise.allSettled(workers)).find((result) => result.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }

  async #pushSome(peer: Peer): Promise<void> {
    for (let file = this.#waiting.shift(); file !== undefined; file = this.#waiting.shift()) {
      const startMs = performance.now()
      try {
        this.#tellSent(file, await sendFile(peer, file, (sent) => this.#onProgress(file, sent)), startMs)
      } catch (error) {
        if (this.#signal.aborted || this.#mayRepeat(file, error)) {
          this.#waiting.unshift(file)
          throw error
        }
        this.#tellFailed(file, error)
      }
    }
  }

  /** The receiver may come again, or be free; what arrived damaged gets one more chance. */
  #mayRepeat(file: FileToSend, error: unknown): boolean {
    if (!mayHelpLater(error)) return false
    if (!(error instanceof RefusedByReceiver) || error.reason !== 'digest') return true
    if (this.#repeated.has(file)) return false
    this.#repeated.add(file)
    return true
  }

  #onProgress({ name }: FileToSend, sent: number): void {
    this.#sent.set(name, sent)
    const best = this.#best.get(name)
    // More than fits between here and the other disk: something stays there, so this is no going round in circles.
    if (best === undefined || sent > best + BYTES_ON_THE_WAY) {
      this.#best.set(name, sent)
      this.#giveUpMs = undefined
    }
    if (!Progress.isPossible) return
    let all = 0
    for (const bytes of this.#sent.values()) all += bytes
    this.#progress.update(all, { file: name })
  }

  #tellSent({ path, name, size }: FileToSend, { digest, resumedFrom }: Sent, startMs: number): void {
    this.#giveUpMs = undefined
    const sha256 = digest.toString('hex')
    const seconds = Number(((performance.now() - startMs) / 1000).toFixed(3))
    if (this.#options.json) {
      const to = { address: this.#endpoint.address, port: this.#endpoint.port }
      process.stdout.write(`${JSON.stringify({ path, name, bytes: size, sha256, resumedFrom, seconds, to })}\n`)
      return
    }
    const resumed = resumedFrom === 0 ? '' : resumedFrom === size ? ', was there' : `, ${bytesText(resumedFrom)} were there`
    this.#status.say('sent', `${path} to ${plainEndpoint(this.#endpoint)}: ${bytesText(size)}${resumed}`)
  }

  #tellFailed({ path, name }: FileToSend, error: unknown): void {
    // Nobody foresaw it: its stack is wanted.
    const text = describeError(error)
    if (text === undefined) throw error
    this.#failed++
    const reason = error instanceof RefusedByReceiver ? error.reason : (error as NodeJS.ErrnoException).code
    this.#status.warn(`${path} was not sent: ${text}`, { path, name, reason })
  }
}

/** The receiver has gone, or cannot be reached, or is busy: not for ever. */
function mayHelpLater(error: unknown): boolean {
  if (error instanceof RefusedByReceiver) return error.reason === 'busy' || error.reason === 'digest'
  return LATER.has((error as NodeJS.ErrnoException).code!)
}

const LATER: ReadonlySet<string> = new Set(['ERR_CONNECT_TIMEOUT', 'ERR_PEER_RESTARTED', 'ERR_PEER_SILENT', 'ERR_PEER_LEFT'])

const EXAMPLES = `
Examples:
  geysir push photo.jpg server                    to the geysir receive that runs there
  geysir push *.iso server:9000 --rate 100M       at 100 million bytes a second, on a path of your own
  geysir push backup.tar server --retry 3600000   go on for an hour while the receiver is away
  geysir push --group 239.1.2.3:7497 image.iso --receivers 12 --rate 50M
                                                  to twelve hosts, each byte once`

const EXIT_NOTES = `
0 says that every file is there, its SHA-256 checked. 3: the receiver could not be reached, or not any longer.
Pushed again, what arrived of a file need not be sent again.`

const FILES_AT_A_TIME = 4
const DEFAULT_RETRY_MS = 30_000
const DEFAULT_SETTLE_MS = 2000
const MAX_RETRY_MS = 0x7fff_ffff
const CONNECT_MS = 5000
/** Who is not to try again tries once. */
const MIN_CONNECT_MS = 1000
const RETRY_DELAY_MS = 250
const LAST_WORDS_MS = 2000
/** The window of a stream, and what a receiver has waiting for its disk. */
const BYTES_ON_THE_WAY = 8 << 20
