import { hostname } from 'node:os'
import { Option, type Command } from 'commander'
import type { Endpoint, Peer, Stream, StreamNode, UdpSocket } from '../index.js'
import { byteSize, given, localPlace, wholeNumber, type LocalPlace } from './arguments.js'
import { EXIT, EXIT_HELP, UsageError, type ExitCode } from './exit.js'
import { interruptSignal } from './interrupt.js'
import { bytes as bytesText, counted } from './numbers.js'
import { findEndpoint, plainEndpoint, socketTypeOf } from './places.js'
import { Progress } from './progress.js'
import { checkFamily, groupPlace } from './push/place.js'
import { DEFAULT_PORT, nodeOn, socketFor, withPushOptions, type PushOptions } from './push/options.js'
import { MAX_DATA_BYTES, PUSH_LABEL, isGroupLabel } from './push/wire.js'
import { ReceiveDirectory, RefusedError } from './receive/directory.js'
import { GroupStreams, joinAnnounced, openGroupSocket } from './receive/group.js'
import { Reception, type Received } from './receive/reception.js'
import { Status } from './status.js'

/** `geysir receive`: files that `geysir push` sends. */
export function addReceive(program: Command, exit: (code: ExitCode) => void): void {
  const command = program
    .command('receive')
    .description('Receive the files that geysir push sends.')
    .argument('<directory>', 'where files are put; it is made if need be')
    .argument('[[address:]port]', `where to listen (default: ${DEFAULT_PORT}, everywhere)`, localPlace)
  withPushOptions(command)
    .option('-g, --group <address:port>', 'take part in what geysir push --group sends there', groupPlace)
    .option('-i, --interface <name>', 'where to hear the group')
    .option('--overwrite', 'replace files that are there')
    .option('--max-bytes <n>', 'the longest file that is taken', byteSize(1, Number.MAX_SAFE_INTEGER))
    .option('-n, --count <n>', 'end after so many files', wholeNumber(1))
    .option('-t, --timeout <ms>', 'end when nothing has come for so long', wholeNumber(1, MAX_TIMEOUT_MS))
    .option('--json', 'print an object a file; what is said on standard error is JSON too')
    .addOption(new Option('-4, --ipv4', 'IPv4 only').conflicts('ipv6'))
    .addOption(new Option('-6, --ipv6', 'IPv6 only'))
    .option('-q, --quiet', 'say nothing but what goes wrong')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}${EXIT_NOTES}`)
    .action(async (directory: string, place: LocalPlace | undefined, options: ReceiveOptions) => {
      exit(await new Receiving(options).run(directory, place ?? defaultPlace(options)))
    })
}

interface ReceiveOptions extends PushOptions {
  readonly group?: Endpoint
  readonly overwrite?: true
  readonly maxBytes?: number
  readonly count?: number
  readonly timeout?: number
}

type Ending = 'count' | 'timeout' | 'interrupt'

class Receiving {
  readonly #options: ReceiveOptions
  readonly #status: Status
  readonly #progress = new Progress('  {state}', 0)
  readonly #receptions = new Set<Reception>()
  readonly #groupStreams = new GroupStreams()
  #received = 0
  #told = ''
  #timer: NodeJS.Timeout | undefined
  #onIdle: () => void = () => undefined
  #end!: (ending: Ending) => void
  #fail!: (error: Error) => void
  readonly #ended = new Promise<Ending>((resolve, reject) => {
    this.#end = resolve
    this.#fail = reject
  })

  constructor(options: ReceiveOptions) {
    this.#options = options
    this.#status = new Status(options)
  }

  async run(path: string, place: LocalPlace): Promise<ExitCode> {
    const options = this.#options
    interruptSignal().addEventListener('abort', () => this.#end('interrupt'))
    const local = place.address === undefined ? undefined : await findEndpoint(place.address, place.port, options)
    const limits = { maxBytes: options.maxBytes, overwrite: options.overwrite === true }
    const { group } = options
    if (options.interface !== undefined && group === undefined && !local?.scopeId) {
      throw new UsageError('--interface is where to hear a --group; to hear one interface alone, listen at an address of it')
    }
    if (group !== undefined) checkFamily(group, options)
    const socket = socketFor(socketTypeOf(local ?? group, options))
    let groupSocket: UdpSocket | undefined
    let directory: ReceiveDirectory | undefined
    try {
      groupSocket = group === undefined ? undefined : await openGroupSocket(group, options)
      const settings = { maxMessageBytes: MAX_DATA_BYTES, name: hostname(), ...given({ groupLink: groupSocket }) }
      const node = nodeOn(socket, options, settings)
      groupSocket?.on('error', this.#fail)
      // Behind all that can be wrong with the command line: it is made if need be.
      directory = await ReceiveDirectory.open(path, limits)
      if (groupSocket !== undefined) joinAnnounced(groupSocket, node, this.#status)
      return await this.#receive(node, socket, directory, { port: place.port, ...given({ address: local?.address }) })
    } finally {
      clearTimeout(this.#timer)
      this.#progress.stop()
      socket.close()
      groupSocket?.close()
      directory?.close()
    }
  }

  async #receive(
    node: StreamNode,
    socket: UdpSocket,
    directory: ReceiveDirectory,
    place: { port: number; address?: string },
  ): Promise<ExitCode> {
    socket.on('error', this.#fail)
    socket.on('warning', (message) => this.#status.warn(message))
    const bound = await socket.bind(place)
    node.on('stream', (stream, peer) => this.#accept(stream, peer, directory))
    this.#status.say('listening', `listening on ${bound.toString()}`, { address: bound.address, port: bound.port })
    this.#startTimer()
    try {
      const ending = await this.#ended
      // With --count, the last sender is yet to be told that its file is there.
      if (ending === 'count') await node.close({ deadlineMs: LAST_WORDS_MS })
      return this.#exitCode(ending)
    } finally {
      node.destroy()
      // What has come is written, so that it need not come again.
      if (this.#receptions.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    }
  }

  #accept(stream: Stream, peer: Peer, directory: ReceiveDirectory): void {
    if (stream.isGroup && isGroupLabel(stream.label) && this.#groupStreams.offer(peer, stream)) return
    if (stream.isGroup || stream.label !== PUSH_LABEL || stream.kind !== 'reliable') return stream.reset(REFUSED_STREAM)
    const startMs = performance.now()
    const reception = new Reception(stream, directory, {
      admit: () => this.#admit(),
      groupStream: (number) => this.#groupStreams.take(peer, number),
      onProgress: (name, received, size) => this.#onProgress(name, received, size),
      onStored: (file) => this.#tellStored(file, peer, startMs),
      onFailed: (name, reason) => this.#tellFailed(name, peer, reason),
      onClosed: () => {
        this.#receptions.delete(reception)
        if (this.#receptions.size === 0) this.#onIdle()
      },
    })
    this.#receptions.add(reception)
  }

  /** Not more than are waited for. */
  #admit(): void {
    const { count } = this.#options
    if (count === undefined) return
    if (this.#received >= count) throw new RefusedError('ending', 'no more files are taken')
    if (this.#received + this.#receptions.size > count) throw new RefusedError('busy', 'too many files are being received')
  }

  #onProgress(name: string, received: number, size: number): void {
    this.#timer?.refresh()
    if (!Progress.isPossible) return
    const percent = Math.floor((100 * received) / size)
    const others = this.#receptions.size > 1 ? ` and ${this.#receptions.size - 1} more` : ''
    this.#progress.update(this.#received, { state: `${counted(this.#received, 'file')}; ${name} ${percent}%${others}` })
  }

  #tellStored({ name, size, digest, resumedFrom }: Received, peer: Peer, startMs: number): void {
    this.#received++
    const sha256 = digest.toString('hex')
    const seconds = Number(((performance.now() - startMs) / 1000).toFixed(3))
    const from = { address: peer.endpoint.address, port: peer.endpoint.port }
    if (this.#options.json) {
      process.stdout.write(`${JSON.stringify({ name, bytes: size, sha256, resumedFrom, seconds, from })}\n`)
    } else {
      const resumed =
        resumedFrom === 0 ? '' : resumedFrom === size ? ', was there' : `, ${bytesText(resumedFrom)} of them earlier`
      this.#status.say('received', `${name} from ${plainEndpoint(peer.endpoint)}: ${bytesText(size)}${resumed}`)
    }
    this.#startTimer()
    if (this.#received === this.#options.count) this.#end('count')
  }

  #tellFailed(name: string | undefined, peer: Peer, reason: string): void {
    const what = name ?? 'something'
    // A sender that tries again and again is told of once.
    const told = `${what} ${plainEndpoint(peer.endpoint)} ${reason}`
    if (told === this.#told) return
    this.#told = told
    this.#status.warn(`${what} from ${plainEndpoint(peer.endpoint)} was not received: ${reason}`, { name, reason })
  }

  #startTimer(): void {
    const { timeout } = this.#options
    clearTimeout(this.#timer)
    if (timeout !== undefined) this.#timer = setTimeout(() => this.#end('timeout'), timeout)
  }

  #exitCode(ending: Ending): ExitCode {
    const { count } = this.#options
    if (ending === 'timeout' && (this.#received === 0 || count !== undefined)) {
      this.#status.warn(`timeout after ${counted(this.#received, 'file')}`)
      return EXIT.timeout
    }
    if (ending === 'interrupt' && count !== undefined) return EXIT.interrupted
    return EXIT.ok
  }
}

/** With a group, senders are gone to: any port will do, so that several of one host can take part. */
function defaultPlace({ group }: ReceiveOptions): LocalPlace {
  return { address: undefined, port: group === undefined ? DEFAULT_PORT : 0 }
}

const EXAMPLES = `
Examples:
  geysir receive inbox                              files to ./inbox, from whoever pushes
  geysir receive inbox 9000 --secret-file secret    only from those who have the secret
  geysir receive inbox --count 1 --timeout 60000    wait a minute for one file
  geysir receive inbox --group 239.1.2.3:7497       what geysir push --group sends to many`

const EXIT_NOTES = `
A file that did not arrive whole stays beside its place, as .NAME.geysir-part, and is gone on with when it is pushed again.
Ctrl-C ends with 0, unless --count was given. A timeout is 3 when nothing came, or less than --count.`

const MAX_TIMEOUT_MS = 0x7fff_ffff
/** RESET_REASON.refused of docs/wire/stream.md. */
const REFUSED_STREAM = 2
const LAST_WORDS_MS = 2000
