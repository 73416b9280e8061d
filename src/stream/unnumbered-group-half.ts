import { emptyGroupSendCounters, type GroupSendCounters, type GroupSending, type GroupSendingOwner } from './group-sending.js'
import { emptySendCounters, type SendingContext, type SendingOwner } from './sending.js'
import { UnnumberedSendHalf } from './unnumbered-send-half.js'

/** A fire-and-forget stream to many: as to one, and nobody asks for anything. */
export class UnnumberedGroupHalf extends UnnumberedSendHalf implements GroupSending {
  declare readonly counters: GroupSendCounters
  answerDelayMs = 0
  readonly hasRepairs = false
  readonly base = 0
  readonly next = 0
  readonly filled = 0

  constructor(options: { readonly windowPackets: number }, context: SendingContext, owner: GroupSendingOwner) {
    const toAll: SendingOwner = {
      transmit: (slot, packet, transmission) => owner.transmit(slot, packet, transmission, undefined),
      onDrain: () => owner.onDrain(),
      onStubborn: () => undefined,
    }
    super(options, context, toAll, undefined, emptyGroupSendCounters(emptySendCounters()))
  }

  fromWire(): number {
    return 0
  }

  toWire(): number {
    return 0
  }

  onProgress(): void {
    // Nothing is kept that could be acknowledged.
  }

  override onNak(): void {
    this.counters.naksReceived++
  }

  onTime(): void {
    // Nothing is gathered.
  }
}
