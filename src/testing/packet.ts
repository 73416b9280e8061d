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

  constructor(
    readonly payload: Buffer,
    readonly source: Endpoint,
    readonly destination: Endpoint,
    readonly origin: PacketOrigin,
  ) {}

  /** A copy with memory of its own. */
  copy(payload: Buffer): Packet {
    this.payload.copy(payload)
    return new Packet(payload, this.source, this.destination, this.origin)
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
