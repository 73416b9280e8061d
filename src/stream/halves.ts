import { ReceiveHalf, type ReceivingSchedules } from './receive-half.js'
import {
  emptyReceiveCounters,
  type IdleReceiving,
  type ReceiveCounters,
  type ReceivingContext,
  type ReceivingOwner,
} from './receiving.js'
import { SendHalf } from './send-half.js'
import { emptySendCounters, type SendCounters, type Sending, type SendingContext, type SendingOwner } from './sending.js'
import type { ResolvedStreamOptions } from './stream-options.js'
import { UnnumberedSendHalf } from './unnumbered-send-half.js'

/** The two directions of a stream. Each is made when it is needed, and given up while nothing happens: most of many streams are idle. */
export class Halves {
  sending: Sending | undefined
  receiving: ReceiveHalf | undefined
  #idleSending: Pick<Sending, 'counters' | 'position'> | undefined
  #idleReceiving: IdleReceiving | undefined

  sender(options: ResolvedStreamOptions, context: SendingContext, owner: SendingOwner): Sending {
    const Half = options.kind === 'fireAndForget' ? UnnumberedSendHalf : SendHalf
    return (this.sending ??= new Half(options, context, owner, this.#idleSending?.position, this.#idleSending?.counters))
  }

  receiver(
    options: ResolvedStreamOptions,
    context: ReceivingContext,
    owner: ReceivingOwner,
    schedules?: ReceivingSchedules,
  ): ReceiveHalf {
    return (this.receiving ??= new ReceiveHalf(options, context, owner, schedules, this.#idleReceiving))
  }

  /** What was counted so far; a copy. */
  counters(): SendCounters & ReceiveCounters {
    return {
      ...((this.sending ?? this.#idleSending)?.counters ?? emptySendCounters()),
      ...((this.receiving ?? this.#idleReceiving)?.counters ?? emptyReceiveCounters()),
    }
  }

  /** Gives back what is not needed now. */
  trim(): void {
    this.sending?.trim()
    if (this.sending?.isIdle) {
      this.#idleSending = { counters: this.sending.counters, position: this.sending.position }
      this.sending = undefined
    }
    this.receiving?.trim()
    const idle = this.receiving?.whenIdle()
    if (idle === undefined) return
    this.#idleReceiving = idle
    this.receiving = undefined
  }

  /** Gives all memory back. */
  dispose(): void {
    this.sending?.dispose()
    this.receiving?.dispose()
  }
}
