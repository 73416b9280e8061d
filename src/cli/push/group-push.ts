import { setTimeout as delay } from 'node:timers/promises'
import type { Endpoint, Peer, Publication, StreamNode, UdpSocket } from '../../index.js'
import { CommandError, EXIT, describeError, type ExitCode } from '../exit.js'
import { bytes as bytesText, counted } from '../numbers.js'
import { plainEndpoint } from '../places.js'
import { Progress } from '../progress.js'
import type { Status } from '../status.js'
import { GroupTalk } from './group-talk.js'
import { sendFile, type Sent } from './send-file.js'
import { SourceFile, type FileToSend } from './source-file.js'
import { ANNOUNCEMENT, COMPLETE, DATA, groupLabel } from './wire.js'

export interface GroupPushOptions {
  /** How many receivers are waited for; undefined: until none has come for `settleMs`. */
  readonly receivers: number | undefined
  readonly settleMs: number
  /** How long they are waited for at all. */
  readonly retryMs: number
  readonly json: boolean
}

/** Files to all who hear a group: each byte leaves once, and each receiver checks what it has. */
export class GroupPushing {
  readonly #node: StreamNode
  readonly #socket: UdpSocket
  readonly #group: Endpoint
  readonly #options: GroupPushOptions
  readonly #status: Status
  readonly #signal: AbortSignal
  readonly #receivers: Peer[] = []
  #progress: Progress | undefined
  #doneBytes = 0
  #number = 0
  #failed = 0

  constructor(
    node: StreamNode,
    socket: UdpSocket,
    group: Endpoint,
    options: GroupPushOptions,
    status: Status,
    signal: AbortSignal,
  ) {
    this.#node = node
    this.#socket = socket
    this.#group = group
    this.#options = options
    this.#status = status
    this.#signal = signal
  }

  async run(files: readonly FileToSend[]): Promise<ExitCode> {
    this.#signal.addEventListener('abort', () => this.#node.destroy())
    this.#progress = new Progress(
      '  {bar} {percentage}%  {file} to {receivers}',
      files.reduce((sum, { size }) => sum + size, 0),
    )
    try {
      const enough = await this.#gather()
      if (this.#signal.aborted) return EXIT.interrupted
      if (!enough) return EXIT.timeout
      for (const file of files) {
        await this.#push(file)
        if (this.#signal.aborted) return EXIT.interrupted
        this.#doneBytes += file.size
      }
      await this.#node.close({ deadlineMs: LAST_WORDS_MS })
      return this.#failed > 0 ? EXIT.failure : EXIT.ok
    } finally {
      this.#progress.stop()
      this.#node.destroy()
    }
  }

  /** Calls until there are enough receivers. */
  async #gather(): Promise<boolean> {
    const { receivers: wanted, settleMs, retryMs } = this.#options
    const startMs = performance.now()
    let lastMs = startMs
    const onPeer = (peer: Peer): void => {
      lastMs = performance.now()
      this.#receivers.push(peer)
      this.#status.say('receiver', `${nameOf(peer)} takes part`, placeOf(peer))
    }
    this.#node.on('peer', onPeer)
    this.#status.say('calling', `calling receivers of ${this.#group.toString()}`, placeOf({ endpoint: this.#group }))
    const isComplete = (): boolean => {
      if (wanted !== undefined) return this.#receivers.length >= wanted
      return this.#receivers.length > 0 && performance.now() - lastMs >= settleMs
    }
    while (!isComplete() && !this.#signal.aborted) {
      if (performance.now() - startMs >= retryMs) {
        const missing = wanted === undefined ? 'no receiver' : `only ${counted(this.#receivers.length, 'receiver')} of ${wanted}`
        this.#status.warn(`given up: ${missing} came`, { receivers: this.#receivers.length })
        return false
      }
      this.#socket.send(ANNOUNCEMENT, this.#group)
      this.#socket.flush()
      await delay(CALL_MS, undefined, { signal: this.#signal }).catch(() => undefined)
    }
    this.#node.off('peer', onPeer)
    return true
  }

  async #push(file: FileToSend): Promise<void> {
    const startMs = performance.now()
    let talks: GroupTalk[] = []
    try {
      const source = await SourceFile.open(file)
      try {
        talks = this.#receivers.map((peer) => new GroupTalk(peer))
        await this.#pushTo(talks, source, file)
      } finally {
        await source.close()
      }
    } catch (error) {
      if (this.#signal.aborted) return
      const text = describeError(error)
      if (text === undefined) throw error
      this.#failed++
      this.#status.warn(`${file.path} was not sent: ${text}`, { path: file.path, name: file.name })
      return
    } finally {
      for (const talk of talks) talk.end()
    }
    await this.#finish(talks, file, startMs)
  }

  async #pushTo(talks: readonly GroupTalk[], source: SourceFile, file: FileToSend): Promise<void> {
    await Promise.all(talks.map((talk) => talk.offer(file)))
    const ready = talks.filter((talk) => talk.have !== undefined).sort((a, b) => a.have!.offset - b.have!.offset)
    if (ready.length === 0) return
    // Ascending, so that the file is read once.
    for (const talk of ready) talk.agree(await source.digestTo(talk.have!.offset))
    const [there, needing] = [ready.filter(({ from }) => from === file.size), ready.filter(({ from }) => from < file.size)]
    source.rewind()
    const offset = Math.min(file.size, ...needing.map(({ from }) => from))
    await source.digestTo(offset)
    const publication = needing.length === 0 ? undefined : this.#open(needing, offset)
    try {
      if (publication !== undefined) await this.#sendData(publication, source, file, offset)
      await source.digestTo(file.size)
      const digest = await source.digest()
      if (publication !== undefined) await sendToAll(publication, digest, COMPLETE)
      publication?.end()
      await Promise.all([...there.map((talk) => talk.confirm(file.size, digest)), ...needing.map((talk) => talk.finish(digest))])
    } finally {
      if (publication !== undefined && !publication.closed) void publication.close({ deadlineMs: LAST_WORDS_MS })
    }
  }

  #open(talks: readonly GroupTalk[], offset: number): Publication {
    const number = this.#number++
    const publication = this.#node.openGroup({
      label: groupLabel(number),
      group: this.#group,
      slowReceivers: 'drop',
      stallMs: STALL_MS,
    })
    for (const talk of talks) {
      if (talk.peer.closed) continue
      publication.add(talk.peer)
      talk.startGroup(offset, number)
    }
    return publication
  }

  async #sendData(publication: Publication, source: SourceFile, { name }: FileToSend, offset: number): Promise<void> {
    let sent = offset
    for (let pieces = await source.readPieces(); pieces.length > 0; pieces = await source.readPieces()) {
      for (const piece of pieces) {
        if (!(await sendToAll(publication, piece, DATA))) return
        sent += piece.length
      }
      const receivers = counted(publication.receivers.length, 'receiver')
      this.#progress!.update(this.#doneBytes + sent, { file: name, receivers })
    }
  }

  /** Who missed it in the group gets it alone: what has come need not come again. */
  async #finish(talks: readonly GroupTalk[], file: FileToSend, startMs: number): Promise<void> {
    let have = 0
    for (const talk of talks) {
      const sent = talk.sent ?? (talk.mayHaveItAlone && !this.#signal.aborted ? await this.#pushAlone(talk, file) : undefined)
      if (this.#signal.aborted) return
      if (sent !== undefined) {
        have++
        this.#tellSent(talk.peer, file, sent, startMs)
        continue
      }
      this.#failed++
      const text = describeError(talk.failure) ?? String(talk.failure)
      this.#status.warn(`${nameOf(talk.peer)} does not have ${file.path}: ${text}`, {
        path: file.path,
        name: file.name,
        ...placeOf(talk.peer),
      })
    }
    const resumed = Math.min(...talks.map(({ sent }) => sent?.resumedFrom ?? 0))
    const were = resumed === 0 ? '' : `, ${bytesText(resumed)} were there`
    this.#status.say(
      'sent',
      `${file.path}: ${bytesText(file.size)}, ${have} of ${counted(talks.length, 'receiver')} have it${were}`,
      {
        path: file.path,
        name: file.name,
        receivers: talks.length,
        have,
      },
    )
  }

  async #pushAlone(talk: GroupTalk, file: FileToSend): Promise<Sent | undefined> {
    const reason = describeError(talk.failure) ?? String(talk.failure)
    this.#status.say('alone', `${nameOf(talk.peer)} gets ${file.path} alone: ${reason}`, {
      name: file.name,
      ...placeOf(talk.peer),
    })
    try {
      return await sendFile(talk.peer, file, () => undefined)
    } catch (error) {
      talk.failure = error as Error
      return undefined
    }
  }

  #tellSent(peer: Peer, { path, name, size }: FileToSend, { digest, resumedFrom }: Sent, startMs: number): void {
    if (!this.#options.json) return
    const seconds = Number(((performance.now() - startMs) / 1000).toFixed(3))
    const about = { path, name, bytes: size, sha256: digest.toString('hex'), resumedFrom, seconds, to: placeOf(peer) }
    process.stdout.write(`${JSON.stringify(about)}\n`)
  }
}

/** Sends as soon as there is room. False: nobody is left who would get it. */
async function sendToAll(publication: Publication, bytes: Uint8Array, type: number): Promise<boolean> {
  while (!publication.closed && publication.receivers.length > 0) {
    if (publication.send(bytes, type)) return true
    await new Promise<void>((resolve) => {
      const done = (): void => {
        for (const event of ['drain', 'receiverGone', 'close'] as const) publication.off(event, done)
        resolve()
      }
      for (const event of ['drain', 'receiverGone', 'close'] as const) publication.on(event, done)
    })
  }
  if (publication.error !== undefined) throw new CommandError(publication.error.message)
  return false
}

function nameOf({ endpoint, name }: Peer): string {
  return name === '' ? plainEndpoint(endpoint) : `${plainEndpoint(endpoint)} (${name.replace(/\p{Cc}/gu, '')})`
}

function placeOf({ endpoint }: { readonly endpoint: Endpoint }): { address: string; port: number } {
  return { address: endpoint.address, port: endpoint.port }
}

const CALL_MS = 200
/** Who holds the others up for so long gets the file alone. */
const STALL_MS = 5000
const LAST_WORDS_MS = 2000
