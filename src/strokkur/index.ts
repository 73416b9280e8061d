/**
 * Messages that arrive whole and right, or not at all: two wire formats, state machines that put messages together from chunks, and a
 * messenger that runs them over any link.
 *
 * May import core, fec, and system for the real clock; `node:crypto` for digests, `node:events`. Codecs and machines are pure.
 */
export type { ChunkRejection, MessageFormat, MessageHash } from './chunk-header.js'
export { MessageReceiver } from './message-receiver.js'
export type { MessageReceiverOptions } from './receiver-context.js'
export { MessageSender, type MessageParameters, type MessageSenderOptions, type UnkeyedHash } from './message-sender.js'
export { Messenger, type MessengerEvents, type MessengerStatistics, type SendMessageOptions } from './messenger.js'
export type { MessengerOptions } from './messenger-options.js'
export { ReceivedMessage, type DroppedMessage, type MessageDropReason } from './received-message.js'
export type { Redundancy } from './redundancy.js'
export { MessageError } from './send-queue.js'
export { MemoryPool } from '../fec/index.js'
