import { once } from 'node:events'
import { Option, type Command } from 'commander'
import { UdpSocket, endpoint, type Endpoint, type ReceiveBatch, type SocketError, type UdpSocketOptions } from '../index.js'
import { byteSize, collect, given, localPlace, wholeNumber, type LocalPlace } from './arguments.js'
import { formatBatch, type Format } from './datagram-format.js'
import { EXIT, EXIT_HELP, UsageError, type ExitCode } from './exit.js'
import { interruptSignal } from './interrupt.js'
import { bytes as bytesText, counted, perSecond } from './numbers.js'
import { Output } from './output.js'
import { findEndpoint, socketTypeOf, type PlaceOptions } from './places.js'
import { Progress } from './progress.js'
import { statisticsLines } from './statistics-lines.js'
import { Status } from './status.js'

/** `geysir listen`: netcat for datagrams, the receiving side. */
export function addListen(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command('listen')
    .description('Receive datagrams and print them: one line each, or as they are.')
    .argument('<[address:]port>', 'where to listen; port 0 lets the kernel choose one', localPlace)
    .addOption(new Option('--hex', 'print payloads in hexadecimal').conflicts(['raw', 'json']))
    .addOption(new Option('--raw', 'write payloads as they are, one behind the other').conflicts(['hex', 'json']))
    .addOption(new Option('--json', 'print one JSON object a datagram; what is said on standard error is JSON too'))
    .addOption(new Option('-v, --verbose', 'put sender and length before each line').conflicts(['raw', 'output']))
    .addOption(new Option('-o, --output <file>', 'write payloads as they are to this file').conflicts(['hex', 'json']))
    .option('-n, --count <n>', 'end after so many datagrams', wholeNumber(1))
    .option('-t, --timeout <ms>', 'end when none has come for so long', wholeNumber(1, MAX_TIMEOUT_MS))
    .option('--echo', 'send every datagram back to its sender')
    .option('-g, --group <address>', 'join this multicast group; may be repeated', collect)
    .option('-i, --interface <name>', 'join on this interface: its name, index or an address of it')
    .option('--source <address>', 'receive only what this host sends to the groups')
    .option('--reuse-address', 'share the port with others that say so too: every one gets multicast datagrams')
    .option('--reuse-port', 'share the port with others that say so too: the kernel spreads senders over them')
    .addOption(new Option('-4, --ipv4', 'IPv4 only').conflicts('ipv6'))
    .addOption(new Option('-6, --ipv6', 'IPv6 only'))
    .option('--receive-buffer <bytes>', "the kernel's receive buffer", byteSize(1, MAX_BUFFER_BYTES))
    .option('--send-buffer <bytes>', "with --echo: the kernel's send buffer", byteSize(1, MAX_BUFFER_BYTES))
    .addOption(new Option('--stats', 'print the counters at the end').conflicts('quiet'))
    .option('-q, --quiet', 'say nothing but what goes wrong')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}${EXIT_NOTES}`)
    .action(async (place: LocalPlace, options: ListenOptions) => {
      exit(await new Listening(options).run(place))
    })
}

interface ListenOptions extends PlaceOptions {
  readonly hex?: true
  readonly raw?: true
  readonly json?: true
  readonly verbose?: true
  readonly output?: string
  readonly count?: number
  readonly timeout?: number
  readonly echo?: true
  readonly group?: string[]
  readonly source?: string
  readonly reuseAddress?: true
  readonly reusePort?: true
  readonly receiveBuffer?: number
  readonly sendBuffer?: number
  readonly stats?: true
  readonly quiet?: true
}

type Ending = 'count' | 'timeout' | 'interrupt' | 'output' | 'closed'

class Listening {
  readonly #options: ListenOptions
  readonly #status: Status
  readonly #format: Format
  readonly #output: Output
  readonly #progress: Progress
  #socket!: UdpSocket
  #localPort = 0
  #received = 0
  #receivedBytes = 0
  /** Came in one batch with the last one that was wanted. */
  #surplus = 0
  #unanswered = 0
  #startMs = 0
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
    this.#format = options.json ? 'json' : options.hex ? 'hex' : options.raw || options.output !== undefined ? 'raw' : 'text'
    this.#output = new Output(
      options.output,
      () => this.#goOn(),
      () => this.#end('output'),
    )
    this.#progress = new Progress('  {datagrams}, {size}, {rate} a second', 0, this.#output.isFile && Progress.isPossible)
  }

  async run(place: LocalPlace): Promise<ExitCode> {
    interruptSignal().addEventListener('abort', () => this.#end('interrupt'))
    try {
      await this.#open(place)
      const ending = await this.#ended
      await this.#finishReplies()
      return this.#report(ending)
    } finally {
      clearTimeout(this.#timer)
      this.#progress.stop()
      this.#socket?.close()
      await this.#output.end()
    }
  }

  async #open(place: LocalPlace): Promise<void> {
    const options = this.#options
    const local = place.address === undefined ? undefined : await findEndpoint(place.address, place.port, options)
    const groups = [...(options.group ?? [])]
    // Its zone, if it has one, is the interface to join on.
    if (local?.isMulticast && !groups.includes(local.address)) groups.unshift(local.address)
    this.#checkUseful(local, groups)
    const socket = new UdpSocket(this.#socketOptions(local, groups))
    this.#socket = socket
    socket.on('error', this.#fail)
    socket.on('warning', (message) => this.#status.warn(message))
    socket.on('sendError', (error) => this.#warnOnce(error))
    const bound = await socket.bind({ port: place.port, ...given({ address: local?.address }) })
    this.#localPort = bound.port
    const where = given({ interface: interfaceOf(options.interface), source: options.source })
    for (const group of groups) socket.joinGroup(group, where)

    this.#startTimer()
    this.#startMs = performance.now()
    socket.on('batch', (batch) => this.#take(batch))
    this.#sayListening(bound, groups)
  }

  /** What would do nothing is refused: nobody should rely on it. */
  #checkUseful(local: Endpoint | undefined, groups: readonly string[]): void {
    const { source, interface: name, sendBuffer, echo } = this.#options
    if (source !== undefined && groups.length === 0) throw new UsageError('--source is for multicast: give --group, too')
    if (name !== undefined && groups.length === 0 && !local?.scopeId) {
      throw new UsageError(`--interface is where to join a --group; to hear ${name} alone, listen at an address of it`)
    }
    if (sendBuffer !== undefined && !echo) throw new UsageError('--send-buffer is for what --echo sends')
  }

  #socketOptions(local: Endpoint | undefined, groups: readonly string[]): UdpSocketOptions {
    const options = this.#options
    const families = new Set(groups.map((group) => endpoint(group, 0).family))
    const onlyIpv4 = local === undefined && !options.ipv6 && families.size === 1 && families.has('IPv4')
    const detailed = this.#format === 'json'
    return {
      ...(onlyIpv4 ? { type: 'udp4' } : socketTypeOf(local, options)),
      // What another program of this host joined is not ours to print.
      ...(groups.length > 0 ? { multicastAll: false } : {}),
      ...given({
        reuseAddress: options.reuseAddress,
        reusePort: options.reusePort,
        receiveBufferBytes: options.receiveBuffer,
        sendBufferBytes: options.sendBuffer,
      }),
      ...(detailed ? { receiveTimestamp: true, receiveTtl: true, receiveTos: true } : {}),
      receivePacketInfo: detailed || options.echo === true,
    }
  }

  #sayListening(bound: Endpoint, groups: readonly string[]): void {
    const both = bound.family === 'IPv6' && bound.isAny && !this.#options.ipv6 ? ' (IPv6 and IPv4)' : ''
    const joined = groups.length === 0 ? '' : `, group ${groups.join(', ')}`
    this.#status.say('listening', `listening on ${bound.toString()}${both}${joined}`, {
      address: bound.address,
      port: bound.port,
      ...(groups.length === 0 ? {} : { groups }),
    })
  }

  #take(batch: ReceiveBatch): void {
    const count = Math.min(batch.count, (this.#options.count ?? Infinity) - this.#received)
    this.#surplus += batch.count - count
    if (count === 0) return
    this.#received += count
    for (let i = 0; i < count; i++) this.#receivedBytes += batch.length(i)
    this.#timer?.refresh()
    if (!this.#output.write(formatBatch(batch, count, this.#format, this.#context()))) this.#holdOn()
    if (this.#options.echo) this.#answer(batch, count)
    this.#showProgress()
    if (this.#received === this.#options.count) this.#end('count')
  }

  #answer(batch: ReceiveBatch, count: number): void {
    for (let i = 0; i < count; i++) {
      if (!this.#socket.reply(batch, i, batch.payload(i))) this.#unanswered++
    }
  }

  #context(): { verbose: boolean; localPort: number } {
    return { verbose: this.#options.verbose === true, localPort: this.#localPort }
  }

  /** The output takes no more for now: the kernel's buffer is the queue, and counts what it drops. */
  #holdOn(): void {
    clearTimeout(this.#timer)
    this.#socket.pause()
  }

  #goOn(): void {
    if (this.#socket.closed) return
    this.#socket.resume()
    this.#startTimer()
  }

  /** After a pause of this process the timer is late, and datagrams may wait in the kernel: they have come in time. */
  #onTimeout(): void {
    const received = this.#received
    setImmediate(() => {
      if (this.#received === received) this.#end('timeout')
    })
  }

  #startTimer(): void {
    const { timeout } = this.#options
    clearTimeout(this.#timer)
    if (timeout !== undefined) this.#timer = setTimeout(() => this.#onTimeout(), timeout)
  }

  #showProgress(): void {
    this.#progress.update(this.#received, {
      datagrams: counted(this.#received, 'datagram'),
      size: bytesText(this.#receivedBytes),
      rate: perSecond((this.#received * 1000) / (performance.now() - this.#startMs)),
    })
  }

  readonly #warned = new Set<string>()
  #warnOnce(error: SocketError): void {
    if (!this.#warned.has(error.code)) this.#status.warn(`a reply was not sent: ${error.message}`)
    this.#warned.add(error.code)
  }

  /** Answers that wait for room in the kernel's buffer still leave. */
  async #finishReplies(): Promise<void> {
    this.#socket.pause()
    if (!this.#socket.flush()) await once(this.#socket, 'drain')
  }

  #report(ending: Ending): ExitCode {
    const { count } = this.#options
    const statistics = this.#socket.stats()
    this.#progress.stop()
    if (this.#options.stats) {
      this.#status.say('stats', statisticsLines(statistics, 'receive'), {
        ...statistics,
        printed: this.#received,
        surplus: this.#surplus,
      })
    }
    if (this.#surplus > 0)
      this.#status.warn(`${counted(this.#surplus, 'datagram')} beyond --count came with the last one: not printed`)
    const lost = this.#warnOfLosses(statistics.kernelDrops)
    const failed = statistics.datagramsFailed + this.#unanswered
    if (failed > 0) this.#status.warn(`${counted(failed, 'datagram')} could not be sent back`, { unanswered: failed })
    if (ending === 'timeout' && (this.#received === 0 || (count !== undefined && this.#received < count))) {
      const wanted = count === undefined ? '' : ` of ${count}`
      this.#status.warn(`timeout after ${counted(this.#received, 'datagram')}${wanted}`)
      return EXIT.timeout
    }
    if (ending === 'interrupt' && count !== undefined) return EXIT.interrupted
    return lost || failed > 0 ? EXIT.failure : EXIT.ok
  }

  #warnOfLosses(kernelDrops: number): boolean {
    if (kernelDrops === 0) return false
    this.#status.warn(
      `the kernel dropped ${counted(kernelDrops, 'message')}, each one datagram or several that it had coalesced, because the ` +
        'receive buffer was full; --receive-buffer makes it larger, geysir doctor shows the limit',
      { kernelDrops },
    )
    return true
  }
}

/** An interface index is written in digits. */
function interfaceOf(text: string | undefined): string | number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : text
}

const EXAMPLES = `
Examples:
  geysir listen 9000                                every datagram a line, IPv4 and IPv6
  geysir listen 127.0.0.1:9000 --echo               an echo service for this host
  geysir listen [::1]:9000 --hex -v                 with sender and length
  geysir listen 9000 --json | jq .from              time, sender, TTL, TOS, payload
  geysir listen 9000 --count 1 --timeout 2000       wait two seconds for one datagram
  geysir listen 9000 --output capture.bin --stats   payloads to a file, counters at the end
  geysir listen 239.1.2.3:9000 --interface eth0     a multicast group
  geysir listen 9000 --group ff15::42 -i eth0       the same for IPv6`

const EXIT_NOTES = `
Ctrl-C ends listening with 0, unless --count was given. A timeout is 3 when nothing came, or less than --count.
Drops that the kernel counted are 1: what was printed is not all that was sent.`

const MAX_TIMEOUT_MS = 0x7fff_ffff
const MAX_BUFFER_BYTES = 0x3fff_ffff
