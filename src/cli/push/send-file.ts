import type { Peer } from '../../index.js'
import { CommandError } from '../exit.js'
import { Conversation, type Message } from './conversation.js'
import { SourceFile, type FileToSend } from './source-file.js'
import {
  COMPLETE,
  DATA,
  HAVE,
  OFFER,
  PUSH_LABEL,
  REFUSED,
  START,
  STORED,
  decodeHave,
  decodeRefusal,
  encodeOffer,
  encodeOffset,
  type Have,
  type RefusalName,
} from './wire.js'

/** What became of a file. */
export interface Sent {
  readonly digest: Buffer
  /** So much was there already: all of it, if the file was. */
  readonly resumedFrom: number
}

/** The receiver does not take a file. */
export class RefusedByReceiver extends CommandError {
  readonly reason: RefusalName | undefined

  constructor(reason: RefusalName | undefined, text: string) {
    super(text)
    this.reason = reason
  }
}

/**
 * Sends one file over a stream of its own, and waits until it is there.
 *
 * @param onProgress Called with how much of it has been sent.
 * @throws {RefusedByReceiver}; why the stream is over; what the system says of the file.
 */
export async function sendFile(peer: Peer, file: FileToSend, onProgress: (sent: number) => void): Promise<Sent> {
  const source = await SourceFile.open(file)
  try {
    if (peer.closed) throw Object.assign(new Error('the receiver has gone'), { code: 'ERR_PEER_LEFT' })
    const stream = peer.openStream({ label: PUSH_LABEL, allowHalfOpen: true })
    try {
      return await converse(new Conversation(stream), source, file, onProgress)
    } finally {
      stream.end()
      if (!stream.closed) void stream.close()
    }
  } finally {
    await source.close()
  }
}

async function converse(
  conversation: Conversation,
  source: SourceFile,
  file: FileToSend,
  onProgress: (sent: number) => void,
): Promise<Sent> {
  const have = await offerFile(conversation, file)
  // The beginning of something else is of no use.
  const isSame = (await source.digestTo(have.offset)).equals(have.digest)
  if (!isSame) source.rewind()
  let sent = isSame ? have.offset : 0
  onProgress(sent)
  const resumedFrom = sent
  await conversation.send(encodeOffset(sent), START)
  for (let pieces = await source.readPieces(); pieces.length > 0; pieces = await source.readPieces()) {
    for (const piece of pieces) {
      if (!(await conversation.send(piece, DATA))) break
      sent += piece.length
      onProgress(sent)
    }
    if (conversation.hasAnswer) break
  }
  const digest = await source.digest()
  await conversation.send(digest, COMPLETE)
  expectType(await conversation.answer(), STORED)
  return { digest, resumedFrom }
}

/** Offers a file, and returns what the receiver has of it. @throws What it says instead. */
export async function offerFile(conversation: Conversation, file: FileToSend): Promise<Have> {
  await conversation.send(encodeOffer(file), OFFER)
  const have = decodeHave(expectType(await conversation.answer(), HAVE))
  if (have === undefined || have.offset > file.size) throw new CommandError(NOT_THE_PROTOCOL)
  return have
}

/** @throws What a receiver says instead. */
export function expectType({ type, bytes }: Message, wanted: number): Buffer {
  if (type === wanted) return bytes
  if (type !== REFUSED) throw new CommandError(NOT_THE_PROTOCOL)
  const { reason, text } = decodeRefusal(bytes)
  throw new RefusedByReceiver(reason, text === '' ? 'the receiver refuses' : text)
}

const NOT_THE_PROTOCOL = 'the receiver does not follow the protocol'
