import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Option, type Command } from 'commander'
import { UdpSocket, type Endpoint, type PeerError, type UdpSocketOptions } from '../index.js'
import { byteSize, decodeHex, given, port, positiveNumber, rate, wholeNumber } from './arguments.js'
import { EXIT, EXIT_HELP, UsageError, type ExitCode } from './exit.js'
import { interfaceName } from './interface-text.js'
import { interruptSignal } from './interrupt.js'
import { bytes as bytesText, counted, perSecond } from './numbers.js'
import { Pacer } from './pacer.js'
import { FilePayloads, cut, linesOf, repeated, wholeOf, type PayloadGroups } from './payloads.js'
import { findEndpoint, plainEndpoint, type PlaceOptions } from './places.js'
import { Progress } from './progress.js'
import { Replies } from './replies.js'
import { statisticsLines } from './statistics-lines.js'
import { Status } from './status.js'

/** `geysir send`: netcat for datagrams, the sending side. */
export function addSend(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command('send')
    .description('Send datagrams: an argument, lines or all of standard input, or a file cut into pieces.')
    .argument('<host>', 'an address or a name')
    .argument('<port>', 'the port', port)
    .argument('[payload]', 'one datagram; without it and --file, every line of standard input is one')
    .option('--hex', 'the payload, or each line, is hexadecimal')
    .option('--whole', 'all of standard input is one datagram')
    .addOption(
      new Option('-f, --file <file>', 'send this file, cut into datagrams; - is standard input').conflicts(['hex', 'whole']),
    )
    .addOption(
      new Option('-b, --bytes <n>', `length of the datagrams of --file (default: ${DEFAULT_BYTES})`).argParser(
        byteSize(1, MAX_PAYLOAD_BYTES),
      ),
    )
    .option('-n, --count <n>', 'send the payload or the file so many times', wholeNumber(1))
    .option('-r, --rate <n>', 'at most so many datagrams a second', positiveNumber)
    .option('--bits-per-second <n>', 'at most so many payload bits a second: 500k, 10M', rate)
    .option('-w, --wait <ms>', 'print replies, until none has come for so long', wholeNumber(1, MAX_TIMEOUT_MS))
    .addOption(new Option('--replies <n>', 'with --wait: until so many replies have come').argParser(wholeNumber(1)))
    .option('--json', 'print replies as JSON objects; what is said on standard error is JSON too')
    .option('-v, --verbose', 'with --wait: put sender and length before each reply')
    .option('--source <address>', 'the local address to send from')
    .option('--source-port <port>', 'the local port to send from', port)
    .option('-i, --interface <name>', 'the interface to send by: its name, index or an address of it')
    .option('--ttl <hops>', 'time to live, or hop limit', wholeNumber(1, 255))
    .option('--multicast-ttl <hops>', 'the same for multicast, where it is 1 unless one of them is set', wholeNumber(0, 255))
    .option('--tos <byte>', 'TOS or traffic class byte: DSCP and ECN', wholeNumber(0, 255))
    .option('--broadcast', 'allow a broadcast address')
    .addOption(new Option('-4, --ipv4', 'resolve the name to IPv4').conflicts('ipv6'))
    .addOption(new Option('-6, --ipv6', 'resolve the name to IPv6'))
    .option('--send-buffer <bytes>', "the kernel's send buffer", byteSize(1, MAX_BUFFER_BYTES))
    .addOption(new Option('--stats', 'print all counters at the end').conflicts('quiet'))
    .option('-q, --quiet', 'say nothing but what goes wrong')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}${EXIT_NOTES}`)
    .action(async (host: string, peerPort: number, payload: string | undefined, options: SendOptions) => {
      exit(await new Sending(options).run(host, peerPort, payload))
    })
}

interface SendOptions extends PlaceOptions {
  readonly hex?: true
  readonly whole?: true
  readonly file?: string
  readonly bytes?: number
  readonly count?: number
  readonly rate?: number
  readonly bitsPerSecond?: number
  readonly wait?: number
  readonly replies?: number
  readonly json?: true
  readonly verbose?: true
  readonly source?: string
  readonly sourcePort?: number
  readonly ttl?: number
  readonly multicastTtl?: number
  readonly tos?: number
  readonly broadcast?: true
  readonly sendBuffer?: number
  readonly stats?: true
  readonly quiet?: true
}

class Sending {
  readonly #options: SendOptions
  readonly #status: Status
  readonly #interrupt = interruptSignal()
  readonly #pacer: Pacer | undefined
  readonly #warned = new Set<string>()
  #socket!: UdpSocket
  /** Given with each datagram, unless the socket is connected. */
  #target: Endpoint | undefined
  #peer!: Endpoint
  #readsStdin = false
  #totalBytes = 0
  #tooLong = 0
  #startMs = 0
  #replies: Replies | undefined

  constructor(options: SendOptions) {
    this.#options = options
    this.#status = new Status(options)
    if (options.replies !== undefined && options.wait === undefined) throw new UsageError('--replies needs --wait')
    if (options.verbose && options.wait === undefined) throw new UsageError('--verbose is for replies, and needs --wait')
    if (options.rate !== undefined || options.bitsPerSecond !== undefined) {
      this.#pacer = new Pacer(options.rate, options.bitsPerSecond)
    }
  }

  async run(host: string, peerPort: number, payload: string | undefined): Promise<ExitCode> {
    const groups = await this.#payloads(payload)
    this.#peer = await findEndpoint(host, peerPort, this.#options)
    if (this.#options.multicastTtl !== undefined && !this.#peer.isMulticast) {
      throw new UsageError(`--multicast-ttl is for a multicast group, which ${host} is not: give --ttl`)
    }
    const socket = new UdpSocket(this.#socketOptions())
    this.#socket = socket
    try {
      await this.#open()
      const failure = await this.#sendAll(groups).catch((error: unknown) => ({ error }))
      await this.#finish()
      const code = this.#report()
      if (failure !== undefined) throw failure.error
      return code
    } finally {
      socket.close()
      if (this.#readsStdin) process.stdin.destroy()
    }
  }

  async #payloads(payload: string | undefined): Promise<PayloadGroups> {
    const { file, whole, hex = false, bytes, count } = this.#options
    const fromFile = file !== undefined && file !== '-'
    if (payload !== undefined) {
      if (file !== undefined) throw new UsageError('give a payload or --file, not both')
      if (whole) throw new UsageError('--whole is for standard input')
      if (bytes !== undefined) throw new UsageError('--bytes is for --file')
      return repeated(checkLength(hex ? decodeHex(payload) : Buffer.from(payload)), count ?? 1)
    }
    if (fromFile) {
      const payloads = new FilePayloads(file, bytes ?? DEFAULT_BYTES, count ?? 1)
      const groups = await payloads.open()
      this.#totalBytes = payloads.size * (count ?? 1)
      return groups
    }
    if (count !== undefined) throw new UsageError('--count repeats a payload or --file; standard input comes only once')
    if (whole && bytes !== undefined) throw new UsageError('--whole and --bytes exclude each other')
    if (hex && bytes !== undefined) throw new UsageError('--hex and --bytes exclude each other')
    this.#readsStdin = true
    if (file === '-' || bytes !== undefined) return cut(process.stdin, bytes ?? DEFAULT_BYTES)
    if (process.stdin.isTTY) this.#status.say('stdin', 'every line is a datagram; Ctrl-D ends')
    return whole ? wholeOf(process.stdin, hex, MAX_PAYLOAD_BYTES) : linesOf(process.stdin, hex)
  }

  #socketOptions(): UdpSocketOptions {
    const options = this.#options
    const byInterface = options.interface
    return {
      type: this.#peer.family === 'IPv4' ? 'udp4' : 'udp6',
      receiveErrors: true,
      ...(byInterface === undefined ? {} : this.#interfaceOptions(byInterface)),
      ...given({
        ttl: options.ttl,
        tos: options.tos,
        broadcast: options.broadcast,
        multicastTtl: options.multicastTtl ?? options.ttl,
        sendBufferBytes: options.sendBuffer,
      }),
      ...(options.json ? { receiveTimestamp: true, receiveTtl: true, receiveTos: true, receivePacketInfo: true } : {}),
    }
  }

  #interfaceOptions(text: string): UdpSocketOptions {
    if (this.#peer.isMulticast) return { multicastInterface: /^\d+$/.test(text) ? Number(text) : text }
    return { bindToDevice: interfaceName(text) }
  }

  async #open(): Promise<void> {
    const { source, sourcePort, wait } = this.#options
    const socket = this.#socket
    socket.on('warning', (message) => this.#status.warn(message))
    socket.on('sendError', (error) => this.#warnOnce(error.code, error.message))
    socket.on('peerError', (error) => this.#warnOnce(error.code, peerErrorText(error, this.#peer)))
    if (source !== undefined || sourcePort !== undefined) await socket.bind(given({ address: source, port: sourcePort }))
    // A group or a broadcast is answered by others than whom it was sent to; everybody else is connected to, for ICMP errors.
    if (this.#peer.isMulticast || this.#options.broadcast) this.#target = this.#peer
    else await socket.connect({ address: this.#peer.address, port: this.#peer.port })
    if (wait !== undefined) this.#replies = new Replies(socket, this.#options, wait)
  }

  async #sendAll(groups: PayloadGroups): Promise<undefined> {
    this.#startMs = performance.now()
    const typed = this.#readsStdin && process.stdin.isTTY
    const shown = Progress.isPossible && this.#replies === undefined && !typed
    const progress = new Progress(PROGRESS_FORMAT[this.#totalBytes > 0 ? 'bar' : 'count'], this.#totalBytes, shown)
    try {
      for await (const group of untilAborted(groups, this.#interrupt)) {
        for (const payload of group) {
          if (this.#pacer !== undefined) await this.#pace(this.#pacer, payload.length)
          if (this.#interrupt.aborted) return
          if (!this.#fits(payload)) continue
          while (!this.#socket.send(payload, this.#target)) await once(this.#socket, 'drain', { signal: this.#interrupt })
        }
        this.#showProgress(progress)
      }
    } catch (error) {
      if (!this.#interrupt.aborted) throw error
    } finally {
      progress.stop()
    }
    return undefined
  }

  /** One line that is too long must not cost the others. */
  #fits(payload: Buffer): boolean {
    if (payload.length <= MAX_PAYLOAD_BYTES) return true
    this.#tooLong++
    this.#warnOnce('EMSGSIZE', `${tooLong(payload.length)}: not sent`)
    return false
  }

  async #pace(pacer: Pacer, lengthBytes: number): Promise<void> {
    let nowMs = performance.now()
    for (let waitMs = pacer.waitMs(nowMs); waitMs > 0; waitMs = pacer.waitMs(nowMs)) {
      await sleep(waitMs, undefined, { signal: this.#interrupt })
      nowMs = performance.now()
    }
    pacer.spend(lengthBytes, nowMs)
  }

  #showProgress(progress: Progress): void {
    const { datagramsQueued, bytesSent, queuedBytes } = this.#socket.stats()
    const seconds = (performance.now() - this.#startMs) / 1000
    progress.update(bytesSent + queuedBytes, {
      datagrams: counted(datagramsQueued, 'datagram'),
      rate: perSecond(datagramsQueued / seconds),
    })
  }

  /** Everything leaves, and what the network answers at once, or within `--wait`, is taken. */
  async #finish(): Promise<void> {
    if (!this.#socket.flush()) await once(this.#socket, 'drain')
    if (this.#replies !== undefined && !this.#interrupt.aborted) await this.#replies.finished(this.#interrupt)
    // An ICMP error from this host is here already: let the loop see it.
    for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve))
  }

  #report(): ExitCode {
    const statistics = this.#socket.stats()
    const { datagramsQueued, datagramsSent, bytesSent, peerErrors, kernelDrops } = statistics
    const failed = datagramsQueued - datagramsSent + this.#tooLong
    const replies = this.#replies === undefined ? '' : `, ${this.#replies.text}`
    this.#status.say(
      'sent',
      `sent ${counted(datagramsSent, 'datagram')}, ${bytesText(bytesSent)}, to ${plainEndpoint(this.#peer)}${replies}`,
      {
        datagrams: datagramsSent,
        bytes: bytesSent,
        failed,
        peerErrors,
        seconds: Number(((performance.now() - this.#startMs) / 1000).toFixed(3)),
        ...(this.#replies === undefined ? {} : { replies: this.#replies.count }),
      },
    )
    if (this.#options.stats) this.#status.say('stats', statisticsLines(statistics, 'send'), statistics)
    if (failed > 0) this.#status.warn(`${counted(failed, 'datagram')} failed`, { failed })
    if (this.#replies !== undefined && kernelDrops > 0) {
      this.#status.warn(`the kernel dropped ${counted(kernelDrops, 'message')} of replies`, { kernelDrops })
    }
    if (this.#interrupt.aborted) return EXIT.interrupted
    if (failed > 0 || peerErrors > 0) return EXIT.failure
    if (this.#replies === undefined || this.#replies.areEnough) return EXIT.ok
    this.#status.warn(this.#replies.count === 0 ? 'no reply' : `only ${this.#replies.text}`)
    return EXIT.timeout
  }

  #warnOnce(key: string, message: string): void {
    if (this.#warned.has(key)) return
    this.#warned.add(key)
    this.#status.warn(message, { code: key })
  }
}

/** The same groups, until the signal: also while the next one is waited for, as from a terminal. */
async function* untilAborted(groups: PayloadGroups, signal: AbortSignal): PayloadGroups {
  const aborted = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)))
  const iterator = groups[Symbol.asyncIterator]()
  while (!signal.aborted) {
    const step = await Promise.race([iterator.next(), aborted])
    if (step === undefined || step.done) return
    yield step.value
  }
}

function checkLength(payload: Buffer): Buffer {
  if (payload.length <= MAX_PAYLOAD_BYTES) return payload
  throw new UsageError(tooLong(payload.length))
}

function tooLong(bytes: number): string {
  return `the payload has ${bytes} bytes, and a datagram holds at most ${MAX_PAYLOAD_BYTES}`
}

function peerErrorText(error: PeerError, peer: Endpoint): string {
  const who = plainEndpoint(error.endpoint ?? peer)
  if (error.code === 'ECONNREFUSED') return `${who} refused: nothing listens on that port (ICMP port unreachable)`
  const mtu = error.mtuBytes === undefined ? '' : `, the next hop takes ${error.mtuBytes} bytes`
  const icmp = error.icmpType === undefined ? '' : ` (ICMP type ${error.icmpType}, code ${error.icmpCode})`
  return `${who} was not reached: ${error.code}${mtu}${icmp}`
}

const EXAMPLES = `
Examples:
  geysir send localhost 9000 hello                   one datagram
  geysir send localhost 9000 'de ad be ef' --hex     four bytes
  geysir send localhost 9000 ping --wait 1000        print what comes back within a second
  date | geysir send 192.0.2.7 9000                  every line a datagram
  geysir send -f movie.ts 239.1.2.3 9000 -b 1316 --bits-per-second 8M --multicast-ttl 4 -i eth0
  geysir send ::1 9000 tick --count 1000 --rate 100  a hundred a second
  geysir send 192.0.2.255 9000 anyone --broadcast --wait 500 -v`

const EXIT_NOTES = `
A datagram that the kernel refused, and an ICMP error such as 'port unreachable', are 1. With --wait, no reply, or fewer
than --replies, is 3.`

const PROGRESS_FORMAT = {
  bar: '  [{bar}] {percentage}%  {datagrams}, {rate} a second, {eta_formatted} to go',
  count: '  {datagrams}, {rate} a second',
} as const
const DEFAULT_BYTES = 1200
/** Over IPv4: 65 535 less 20 for IP and 8 for UDP. IPv6 would take 20 more. */
const MAX_PAYLOAD_BYTES = 65_507
const MAX_TIMEOUT_MS = 0x7fff_ffff
const MAX_BUFFER_BYTES = 0x3fff_ffff
