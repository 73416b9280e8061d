import { ReceiveHalf } from './receive-half.js'
import type { ReceivingSchedules } from './receiving-schedules.js'
import { emptyReceiveCounters, type ReceiveCounters, type ReceivingContext, type ReceivingOwner } from './receiving.js'
import { SendHalf } from './send-half.js'
import { emptySendCounters, type SendCounters, type Sending, type SendingContext, type SendingOwner } from './sending.js'
import type { StreamTerms } from './stream-options.js'
import { UnnumberedSendHalf } from './unnumbered-send-half.js'

/**
 * The two directions of a stream. Each is made when it is needed, and given up while nothing happens, but for what it counted and the
 * number of its next packet: most of many streams are idle.
 */
export class Halves {
  sending: Sending | undefined
  receiving: ReceiveHalf | undefined
  #sendPosition: number
  #sendCounters: SendCounters | undefined
  #receivePosition: number
  #receiveCounters: ReceiveCounters | undefined
  #isPaused = true

  constructor(initialPacket: number) {
    this.#sendPosition = initialPacket
    this.#receivePosition = initialPacket
  }

  sender(terms: StreamTerms, context: SendingContext, owner: SendingOwner): Sending {
    const Half = terms.kind === 'fireAndForget' ? UnnumberedSendHalf : SendHalf
    return (this.sending ??= new Half(terms, context, owner, this.#sendPosition, this.#sendCounters))
  }

  receiver(terms: StreamTerms, context: ReceivingContext, owner: ReceivingOwner, schedules?: ReceivingSchedules): ReceiveHalf {
    if (this.receiving !== undefined) return this.receiving
    const before = { position: this.#receivePosition, counters: this.#receiveCounters, isPaused: this.#isPaused }
    return (this.receiving = new ReceiveHalf(terms, context, owner, before, schedules))
  }

  /** What was counted so far; a copy. */
  counted(): SendCounters & ReceiveCounters {
    return {
      ...(this.sending?.counters ?? this.#sendCounters ?? emptySendCounters()),
      ...(this.receiving?.counters ?? this.#receiveCounters ?? emptyReceiveCounters()),
    }
  }

  /** Gives back what is not needed now. */
  trim(): void {
    this.sending?.trim()
    if (this.sending?.isIdle) {
      this.#sendPosition = this.sending.position
      this.#sendCounters = this.sending.counters
      this.sending = undefined
    }
    this.receiving?.trim()
    const idle = this.receiving?.whenIdle()
    if (idle === undefined) return
    this.receiving = undefined
    this.#receivePosition = idle.position
    this.#receiveCounters = idle.counters
    this.#isPaused = idle.isPaused
  }

  /** Gives all memory back. */
  dispose(): void {
    this.sending?.dispose()
    this.receiving?.dispose()
  }
}
