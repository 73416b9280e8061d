import { InvalidArgumentError, Option, type Command } from 'commander'
import {
  ProxiedLink,
  ResponderServerLink,
  drained,
  openLink,
  parseLinkUrl,
  resolveLinkOptions,
  type AnyLink,
  type DatagramBatch,
  type Endpoint,
  type FramingName,
  type LinkOptions,
} from '../index.js'
import { localPlace } from './arguments.js'
import { EXIT, EXIT_HELP, UsageError, type ExitCode } from './exit.js'
import { interruptSignal } from './interrupt.js'
import { bytes as bytesText, counted } from './numbers.js'
import { plainEndpoint } from './places.js'
import { Status } from './status.js'

/** `geysir proxy`: joins two links, so that datagrams get through where only a byte stream does, or the other way round. */
export function addProxy(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command('proxy')
    .description('Pass datagrams between two links: UDP here, a byte stream there.')
    .argument('<one>', 'a link: see below')
    .argument('<other>', 'another one')
    .addOption(new Option('-f, --framing <name>', 'how datagrams are marked off in a stream (default: length)').choices(FRAMINGS))
    .option('--json', 'say what is said on standard error as JSON objects')
    .addOption(new Option('--stats', 'print the counters at the end').conflicts('quiet'))
    .option('-q, --quiet', 'say nothing but what goes wrong')
    .addHelpText('after', `${HELP}\n${EXIT_HELP}`)
    .action(async (one: string, other: string, options: ProxyOptions) => {
      exit(await new Proxy(options).run(one, other))
    })
}

interface ProxyOptions {
  readonly framing?: FramingName
  readonly json?: true
  readonly stats?: true
  readonly quiet?: true
}

class Proxy {
  readonly #options: ProxyOptions
  readonly #status: Status
  readonly #interrupt = interruptSignal()
  readonly #told = new Set<string>()
  #undeliverable = 0

  constructor(options: ProxyOptions) {
    this.#options = options
    this.#status = new Status(options)
  }

  async run(oneText: string, otherText: string): Promise<ExitCode> {
    const texts = [oneText, otherText]
    const { framing } = this.#options
    const options = texts.map((text) => readLink(text, framing ?? 'length'))
    if (framing !== undefined && texts.every((text) => !isStream(text))) {
      throw new UsageError('--framing is for streams, and neither link is one that it says something about')
    }
    if (options.every(isStdio)) throw new UsageError('standard input and output are one link, and can be given once')
    const links: AnyLink[] = []
    try {
      for (const [i, one] of options.entries()) links.push(await this.#open(texts[i]!, one))
      const [one, other] = links as [AnyLink, AnyLink]
      // When one ends, the other has nobody to talk to.
      await Promise.race([this.#pass(one, other), this.#pass(other, one)])
    } finally {
      await Promise.all(links.map((link) => link[Symbol.asyncDispose]()))
    }
    this.#report(texts, links)
    return EXIT.ok
  }

  async #open(text: string, options: LinkOptions): Promise<AnyLink> {
    const link = await openLink(options, { signal: this.#interrupt })
    const local = 'address' in link ? link.address() : undefined
    const where = local === undefined ? '' : ` at ${plainEndpoint(local)}`
    this.#status.say('open', `${text} is open${where}`, { link: text, ...(local === undefined ? {} : { local }) })
    link.on('peer', (peer) => this.#status.say('peer', `${text}: ${nameOf(peer)} is there`, { link: text, peer }))
    link.on('peerlost', (peer, reason) =>
      this.#status.say('peerlost', `${text}: ${nameOf(peer)} is no longer there (${reason})`, {
        link: text,
        peer,
        reason,
      }),
    )
    for (const event of ['peerError', 'sendError'] as const) {
      link.on(event, (error: Error) => this.#warnOnce(`${text}: ${error.message}`))
    }
    link.on('error', (error) => this.#status.warn(`${text}: ${error.message}`))
    return link
  }

  /** Hands on everything that comes, no faster than it is taken: what waits meanwhile waits in the kernel. */
  async #pass(from: AnyLink, to: AnyLink): Promise<void> {
    for await (const batch of from) {
      for (let i = 0; i < batch.count; i++) {
        while (!to.closed && !this.#send(batch, i, to)) await drained(to).catch(() => undefined)
        if (to.closed) return
      }
    }
  }

  /** False when the queue is full. */
  #send(batch: DatagramBatch, i: number, to: AnyLink): boolean {
    // One stream that carries many peers says for whom a datagram is, and is told from whom.
    const endpoint = needsEndpoint(to) || this.#options.framing === 'addressed' ? addressOf(batch, i, to) : undefined
    try {
      return to.send(batch.payload(i), endpoint)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      // Too long, or for an address that this link cannot reach: what came by the network is no reason to end.
      if (code === undefined || !/^ERR_(INVALID_ARG|OUT_OF_RANGE)/.test(code)) throw error
      this.#undeliverable++
      this.#warnOnce(`not passed on: ${message}`)
      return true
    }
  }

  #warnOnce(text: string): void {
    if (this.#told.size >= MAX_WARNINGS || this.#told.has(text)) return
    this.#told.add(text)
    this.#status.warn(text)
  }

  #report(texts: readonly string[], links: readonly AnyLink[]): void {
    if (this.#undeliverable > 0) this.#status.warn(`${counted(this.#undeliverable, 'datagram')} could not be passed on`)
    if (!this.#options.stats) return
    for (const [i, link] of links.entries()) {
      const stats = link.stats()
      const received = `received ${counted(stats.datagramsReceived, 'datagram')}, ${bytesText(stats.bytesReceived)}`
      const sent = `sent ${counted(stats.datagramsSent, 'datagram')}, ${bytesText(stats.bytesSent)}`
      this.#status.say('stats', `${texts[i]}: ${received}; ${sent}`, { link: texts[i], stats })
    }
  }
}

/** The other end of a pipe has no address. */
function nameOf(peer: Endpoint): string {
  return peer.port === 0 ? 'the other end' : plainEndpoint(peer)
}

function needsEndpoint(link: AnyLink): boolean {
  return link instanceof ProxiedLink && link.isAddressed
}

/** Where a datagram goes that came with an address, if the other side can send to addresses. */
function addressOf(batch: DatagramBatch, i: number, to: AnyLink): ReturnType<DatagramBatch['endpoint']> | undefined {
  return needsEndpoint(to) || to instanceof ResponderServerLink ? batch.endpoint(i) : undefined
}

/** A URL, or one of the short forms. */
function readLink(text: string, framing: FramingName): LinkOptions {
  if (text.includes('://')) return parseLinkUrl(text)
  const colon = text.indexOf(':')
  const [form, rest] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  const options = shortForm(form, rest, framing)
  if (options === undefined) throw new UsageError(`'${text}' is no link (add --help to see what is)`)
  resolveLinkOptions(options)
  return options
}

function shortForm(form: string, rest: string, framing: FramingName): LinkOptions | undefined {
  const client = { kind: 'proxied', role: 'client', framing } as const
  const server = { kind: 'proxied', role: 'server', framing } as const
  switch (form) {
    case 'stdio':
      return { ...client, transport: 'stdio' }
    case 'tcp':
      return { ...client, transport: 'tcp', ...place(rest) }
    case 'tcp-listen':
      return { ...server, transport: 'tcp', ...place(rest) }
    case 'unix':
      return { ...client, transport: 'unix', path: rest }
    case 'unix-listen':
      return { ...server, transport: 'unix', path: rest }
    case 'command':
      return { ...client, transport: 'command', command: rest.split(/ +/).filter((word) => word !== '') }
    case 'udp': {
      const { host, port } = place(rest)
      return { kind: 'responder', role: 'client', serverHost: host ?? '', serverPort: port }
    }
    case 'udp-listen': {
      const { host, port } = place(rest)
      return {
        kind: 'responder',
        role: 'server',
        localPort: port,
        announceTo: 'last',
        ...(host === undefined ? {} : { localAddress: host }),
      }
    }
    default:
      return undefined
  }
}

function place(text: string): { port: number; host?: string } {
  try {
    const { address, port } = localPlace(text)
    return address === undefined ? { port } : { port, host: address }
  } catch (error) {
    throw error instanceof InvalidArgumentError ? new UsageError(`'${text}': ${error.message}`) : error
  }
}

/** One of the short forms for a stream: a URL says its framing itself. */
function isStream(text: string): boolean {
  return !text.includes('://') && !/^udp(-listen)?:/.test(text)
}

function isStdio(options: LinkOptions): boolean {
  return options.kind === 'proxied' && options.transport === 'stdio'
}

const FRAMINGS: readonly FramingName[] = ['length', 'separator', 'addressed']
/** The same trouble again and again is told once, and much different trouble not at all. */
const MAX_WARNINGS = 20

const HELP = `
Links:
  udp:HOST:PORT               to and from that place
  udp-listen:[ADDRESS:]PORT   from whoever sends there; answers go to who was heard last
  tcp:HOST:PORT, unix:PATH    a stream to there, opened again when it ends
  tcp-listen:[HOST:]PORT, unix-listen:PATH
                              a stream from whoever connects; the newest counts
  stdio                       a stream of standard input and output
  command:PROGRAM ARGUMENTS   a stream of a child's input and output
  KIND://ROLE@HOST:PORT?…     any other, see docs/links.md

With --framing addressed, a stream carries many peers: each datagram brings the address that it goes to, or comes from.

Examples:
  geysir proxy udp-listen:5000 'command:ssh radio.example geysir proxy stdio udp:10.0.0.9:5000'
                              port 5000 here is that of 10.0.0.9, as the other host sees it
  geysir proxy tcp-listen:7000 udp-listen:5000 --framing addressed
                              a program that connects to port 7000 sends and receives datagrams by port 5000`
