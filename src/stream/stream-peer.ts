import type { Endpoint } from '../core/index.js'
import type { ControlFrame } from './control-frame.js'
import type { FrameSlot } from './frame-pool.js'
import type { StreamHost } from './host.js'
import type { ReceivingContext } from './receiving.js'
import type { SendingContext } from './sending.js'
import type { StreamOptions, StreamTerms } from './stream-options.js'
import type { Sender } from './work-loop.js'

/** The peer of a stream, as the stream (an `S`) knows it: a `Peer`. */
export interface StreamPeer<S> extends Sender {
  readonly endpoint: Endpoint
  readonly name: string
  openStream(options?: StreamOptions): S
  close(options?: { deadlineMs?: number }): Promise<void>
  /** @internal */ readonly host: StreamHost
  /** The same object for the same terms. @internal */ shareTerms(terms: StreamTerms): StreamTerms
  /** What its streams share, to send and to receive. @internal */ readonly sending: SendingContext
  /** @internal */ readonly receiving: ReceivingContext
  /** @internal */ transmit(stream: S, slot: FrameSlot, packet: number, transmission: number): boolean
  /** @internal */ sendBurst(stream: S, packets: number): void
  /** @internal */ suspectPath(): void
  /** @internal */ refreshRoundTrip(nowMs: number): void
  /** @internal */ sendStreamControl(frame: ControlFrame, isOpener: boolean): void
  /** @internal */ sendReset(stream: S, reason: number): void
  /** @internal */ forget(stream: S, reason: number): void
}
