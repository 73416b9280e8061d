import type { Stream } from '../../index.js'
import {
  COMPLETE,
  DATA,
  HAVE,
  OFFER,
  REFUSED,
  START,
  START_GROUP,
  STORED,
  decodeGroupStart,
  decodeOffer,
  decodeOffset,
  encodeHave,
  encodeRefusal,
  type GroupStart,
  type Offer,
  type RefusalName,
} from '../push/wire.js'
import { RefusedError, type ReceiveDirectory } from './directory.js'
import { PartFile } from './part-file.js'

/** What became of a file. */
export interface Received {
  readonly name: string
  readonly size: number
  readonly digest: Buffer
  /** So much was there from an earlier time: all of it if the file was. */
  readonly resumedFrom: number
}

export interface ReceptionEvents {
  /** May another file be received? @throws {RefusedError} */
  admit(): void
  /** The stream of this number to a group that this one is in. @throws {RefusedError} */
  groupStream(number: number): Promise<Stream>
  /** So much of the file has come, in all. */
  onProgress(name: string, received: number, size: number): void
  onStored(file: Received): void
  /** It is over, and the file is not there. */
  onFailed(name: string | undefined, reason: string): void
  /** The last of them: nothing is held any longer. */
  onClosed(): void
}

/** What is to come next. `waiting`: nothing, something is being done. */
type Step = 'offer' | 'start' | 'data' | 'waiting' | 'over'

/** One file over one stream: the receiver's side. */
export class Reception {
  readonly #stream: Stream
  readonly #directory: ReceiveDirectory
  readonly #events: ReceptionEvents
  /** What brings the data: the file's own stream, or that of a group. */
  #source: Stream
  /** Bytes that it brings for others, which are here. */
  #skipBytes = 0
  #step: Step = 'offer'
  #offer: Offer | undefined
  #reservation: { missingBytes: number; release: () => void } | undefined
  #part: PartFile | undefined
  /** Of the file of the same length that is there already. */
  #existing: Buffer | undefined
  /** What the sender was told: so much is here. */
  #had = 0
  #resumedFrom = 0
  /** Why the sender has gone; undefined: it has not. */
  #gone: string | undefined

  constructor(stream: Stream, directory: ReceiveDirectory, events: ReceptionEvents) {
    this.#stream = stream
    this.#source = stream
    this.#directory = directory
    this.#events = events
    // Whoever ends early has not heard yet what became of the file.
    stream.allowHalfOpen = true
    stream.on('message', (message, type) => this.#onMessage(message, type))
    stream.on('end', () => this.#onGone('the sender stopped'))
    stream.on('close', (error) => this.#onGone(error?.message ?? 'the sender stopped'))
  }

  #onMessage(message: Buffer, type: number): void {
    if (this.#source === this.#stream && (type === DATA || type === COMPLETE)) return this.#onData(message, type)
    if (type === OFFER && this.#step === 'offer') {
      const offer = decodeOffer(message)
      return this.#do(() => this.#prepare(offer))
    }
    if (type === START && this.#step === 'start') {
      const offset = decodeOffset(message)
      return this.#do(() => this.#start(offset))
    }
    if (type === START_GROUP && this.#step === 'start') {
      const start = decodeGroupStart(message)
      return this.#do(() => this.#startGroup(start))
    }
    this.#refuseMessage(type)
  }

  #onData(message: Buffer, type: number): void {
    if (type === DATA && this.#step === 'data') return this.#take(message)
    if (type !== COMPLETE || this.#step !== 'data') return this.#refuseMessage(type)
    const digest = Buffer.from(message)
    this.#do(() => this.#complete(digest))
  }

  #refuseMessage(type: number): void {
    if (this.#step !== 'over') this.#refuse(new RefusedError('protocol', `message ${type} was not expected`))
  }

  async #prepare(offer: Offer | undefined): Promise<void> {
    if (offer === undefined) throw new RefusedError('protocol', 'the offer is malformed')
    const directory = this.#directory
    directory.checkName(offer.name)
    this.#offer = offer
    this.#events.admit()
    this.#reservation = directory.reserve(offer)
    this.#existing = await directory.existing(offer)
    if (this.#existing !== undefined) return this.#tellHave(offer.size, this.#existing)
    await this.#openPart(offer)
    await directory.checkSpace(this.#reservation, offer.size - this.#part!.length)
    this.#tellHave(this.#part!.length, this.#part!.digest())
  }

  async #start(offset: number | undefined): Promise<void> {
    await this.#begin(offset)
    this.#step = 'data'
  }

  async #startGroup(start: GroupStart | undefined): Promise<void> {
    await this.#begin(start?.offset)
    const { offset, groupOffset, number } = start!
    const source = await this.#events.groupStream(number)
    this.#source = source
    this.#skipBytes = offset - groupOffset
    this.#step = 'data'
    source.on('close', () => {
      if (this.#step === 'data') this.#refuse(new RefusedError('lost', "the group's stream ended"))
    })
    source.on('message', (message, type) => this.#onData(message, type))
  }

  async #begin(offset: number | undefined): Promise<void> {
    const offer = this.#offer!
    if (offset !== this.#had && offset !== 0) throw new RefusedError('protocol', 'a start elsewhere')
    this.#resumedFrom = offset
    if (this.#existing !== undefined) {
      // An empty file begins at its end; any other is the same if its sender says so.
      if (offset === offer.size) return
      this.#existing = undefined
      this.#directory.checkMayReplace()
      await this.#openPart(offer)
    }
    await this.#part!.begin(offset)
    await this.#directory.checkSpace(this.#reservation!, offer.size - offset)
  }

  #take(message: Buffer): void {
    const { name, size } = this.#offer!
    const part = this.#part
    const skipped = Math.min(this.#skipBytes, message.length)
    this.#skipBytes -= skipped
    if (skipped > 0 && skipped === message.length) return
    message = message.subarray(skipped)
    if (part === undefined || message.length === 0 || part.length + message.length > size) {
      return this.#refuse(new RefusedError('protocol', 'other data than was offered'))
    }
    // The view ends with this handler; the disk takes its time.
    part.write(Buffer.from(message))
    this.#reservation!.missingBytes = size - part.length
    this.#events.onProgress(name, part.length, size)
    if (part.isFull) this.#source.pause()
  }

  #onWritten(): void {
    const part = this.#part
    if (part === undefined || this.#step !== 'data') return
    if (part.failure !== undefined) this.#refuse(part.failure)
    else if (!part.isFull) this.#source.resume()
  }

  async #complete(digest: Buffer): Promise<void> {
    const { name, size } = this.#offer!
    const part = this.#part
    if (part !== undefined && part.length < size) throw new RefusedError('protocol', 'less than was offered')
    if (!digest.equals(part === undefined ? this.#existing! : part.digest())) {
      throw new RefusedError('digest', 'what arrived is not what was sent')
    }
    if (part !== undefined) await part.finish(this.#directory.limits.overwrite)
    this.#part = undefined
    this.#letGo()
    if (!this.#stream.closed) this.#stream.send(Buffer.alloc(0), STORED)
    this.#events.onStored({ name, size, digest, resumedFrom: this.#resumedFrom })
    this.#finish()
  }

  async #openPart({ name, size }: Offer): Promise<void> {
    this.#part = await PartFile.open(this.#directory.path, name, size, () => this.#onWritten())
  }

  #tellHave(offset: number, digest: Buffer): void {
    this.#had = offset
    this.#step = 'start'
    if (!this.#stream.closed) this.#stream.send(encodeHave({ offset, digest }), HAVE)
  }

  /** One thing after the other, so meanwhile nothing is read; whatever fails is told to the sender. */
  #do(work: () => Promise<void>): void {
    this.#step = 'waiting'
    this.#stream.pause()
    work().then(
      () => {
        if (this.#gone !== undefined) this.#onGone(this.#gone)
        else this.#stream.resume()
      },
      (error: NodeJS.ErrnoException) => this.#refuse(error),
    )
  }

  #refuse(error: NodeJS.ErrnoException): void {
    const reason = reasonOf(error)
    this.#fail(error.message, reason === 'digest', encodeRefusal(reason, error.message))
  }

  /** The sender has gone, or goes when it has read the refusal. What is being done comes to its end first. */
  #onGone(why: string): void {
    this.#gone = why
    if (this.#step !== 'over' && this.#step !== 'waiting') this.#fail(why, false)
  }

  /** Lets go of the file first, so that a sender who hears of it may offer it again. */
  #fail(why: string, isSpoilt: boolean, refusal?: Buffer): void {
    this.#step = 'over'
    // Others of the group need not wait for this one.
    if (this.#source !== this.#stream && !this.#source.closed) this.#source.reset()
    const part = this.#part
    this.#part = undefined
    this.#events.onFailed(this.#offer?.name, why)
    const closing = part === undefined ? Promise.resolve() : isSpoilt ? part.discard() : part.close()
    closing
      .catch((error: Error) => this.#events.onFailed(this.#offer?.name, error.message))
      .finally(() => {
        this.#letGo()
        if (refusal !== undefined && !this.#stream.closed) this.#stream.send(refusal, REFUSED)
        this.#finish()
      })
  }

  #letGo(): void {
    this.#reservation?.release()
    this.#reservation = undefined
  }

  /** Ends the stream; what the sender still says is thrown away. */
  #finish(): void {
    this.#step = 'over'
    void this.#stream.close().then(() => this.#events.onClosed())
  }
}

function reasonOf(error: NodeJS.ErrnoException): RefusalName {
  if (error instanceof RefusedError) return error.reason
  return error.code === 'EEXIST' ? 'exists' : 'disk'
}
