import type { Endpoint } from '../core/index.js'
import type { ScheduledEvent } from './event-queue.js'

/** Where a packet arrives at its time. */
export interface PacketSink {
  arrive(packet: Packet): void
}

/** Who sent a packet. */
export interface PacketOrigin {
  readonly multicastLoopback: boolean
  /** No packet to `endpoint` with more than `payloadBytes` bytes of payload passes. */
  onTooBig(endpoint: Endpoint, payloadBytes: number): void
}

/** A datagram from the moment that `send` takes it. In flight it is an event: its own arrival. */
export class Packet implements ScheduledEvent {
  sink: PacketSink | undefined
  /** The index of the host that it comes from. */
  fromIndex = -1

  constructor(
    readonly payload: Buffer,
    readonly source: Endpoint,
    readonly destination: Endpoint,
    readonly origin: PacketOrigin,
  ) {}

  /** A copy with memory of its own. */
  copy(payload: Buffer): Packet {
    this.payload.copy(payload)
    const copy = new Packet(payload, this.source, this.destination, this.origin)
    copy.sink = this.sink
    copy.fromIndex = this.fromIndex
    return copy
  }

  get keepsBusy(): boolean {
    return true
  }

  get isCancelled(): boolean {
    return false
  }

  fire(): void {
    this.sink!.arrive(this)
  }
}
