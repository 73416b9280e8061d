import type { Peer } from '../../index.js'
import { Conversation } from './conversation.js'
import { RefusedByReceiver, expectType, offerFile, type Sent } from './send-file.js'
import type { FileToSend } from './source-file.js'
import { COMPLETE, PUSH_LABEL, START, START_GROUP, STORED, encodeGroupStart, encodeOffset, type Have } from './wire.js'

/** What is said to one receiver of a group about one file. Whatever goes wrong with it is its own {@link failure}. */
export class GroupTalk {
  readonly peer: Peer
  have: Have | undefined
  /** From where on it needs data. */
  from = 0
  /** Set when it has the file. */
  sent: Sent | undefined
  failure: Error | undefined
  readonly #stream
  readonly #conversation: Conversation | undefined

  constructor(peer: Peer) {
    this.peer = peer
    if (peer.closed) {
      this.failure = Object.assign(new Error('it has gone'), { code: 'ERR_PEER_LEFT' })
      return
    }
    this.#stream = peer.openStream({ label: PUSH_LABEL, allowHalfOpen: true })
    this.#conversation = new Conversation(this.#stream)
  }

  /** Could it get the file by itself, since it was only the group that failed? */
  get mayHaveItAlone(): boolean {
    if (this.peer.closed || !(this.failure instanceof RefusedByReceiver)) return false
    return this.failure.reason === 'lost' || this.failure.reason === 'digest'
  }

  offer(file: FileToSend): Promise<void> {
    return this.#try(async (conversation) => {
      this.have = await offerFile(conversation, file)
    })
  }

  /** Compares the beginning that it has with ours. */
  agree(digest: Buffer): void {
    this.from = digest.equals(this.have!.digest) ? this.have!.offset : 0
  }

  startGroup(groupOffset: number, number: number): void {
    void this.#try(async (conversation) => {
      await conversation.send(encodeGroupStart({ offset: this.from, groupOffset, number }), START_GROUP)
    })
  }

  /** It has everything already. */
  confirm(size: number, digest: Buffer): Promise<void> {
    return this.#try(async (conversation) => {
      await conversation.send(encodeOffset(size), START)
      await conversation.send(digest, COMPLETE)
      await this.#takeStored(conversation, digest)
    })
  }

  /** Waits until it says that it has the file, which the group has brought. */
  finish(digest: Buffer): Promise<void> {
    return this.#try((conversation) => this.#takeStored(conversation, digest))
  }

  end(): void {
    if (this.#stream === undefined || this.#stream.closed) return
    this.#stream.end()
    void this.#stream.close()
  }

  async #takeStored(conversation: Conversation, digest: Buffer): Promise<void> {
    expectType(await conversation.answer(), STORED)
    this.sent = { digest, resumedFrom: this.from }
  }

  async #try(attempt: (conversation: Conversation) => Promise<void>): Promise<void> {
    if (this.failure !== undefined) return
    try {
      await attempt(this.#conversation!)
    } catch (error) {
      this.failure = error as Error
    }
  }
}
