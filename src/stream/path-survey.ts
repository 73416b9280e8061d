import type { Endpoint } from '../core/index.js'
import type { ControlFrame } from './control-frame.js'
import type { FrameWriter } from './frame-writer.js'
import type { StreamHost } from './host.js'
import type { NodeId } from './node-id.js'
import { PathMtu } from './path-mtu.js'
import type { Path } from './path.js'
import type { Session } from './session.js'
import { TYPE } from './wire.js'

/** At the other end of a path: a `Peer`. */
export interface Surveyed {
  readonly host: StreamHost
  readonly id: NodeId
  readonly endpoint: Endpoint
  readonly session: Session
  sendControl(frame: ControlFrame): void
}

/** Asks how long the way to a peer is, and how long frames may be; path and writer know as soon as it does. */
export class PathSurvey {
  readonly #peer: Surveyed
  readonly #path: Path
  readonly #writer: FrameWriter
  readonly #mtu: PathMtu
  /** When the round trip was measured, or asked for, last. */
  #sampledMs = -Infinity
  /** When it was asked whether the session still is, and whether frames of this length pass. */
  #sessionAskedMs = -Infinity
  #lengthAskedMs = -Infinity

  /** @param maxBytes The longest frames that both ends take. */
  constructor(peer: Surveyed, path: Path, writer: FrameWriter, maxBytes: number, nowMs: number) {
    this.#peer = peer
    this.#path = path
    this.#writer = writer
    this.#mtu = new PathMtu(path.frameBytes, maxBytes, nowMs)
  }

  /** When {@link probe} has something to do. */
  get deadlineMs(): number {
    return this.#mtu.deadlineMs
  }

  /** Asks whether the peer is there, and how far. */
  ping(nowMs: number): void {
    this.#sampledMs = nowMs
    const { host, session } = this.#peer
    this.#peer.sendControl({ type: TYPE.ping, timestamp: host.timestamp(nowMs), session: session.theirs })
  }

  /** Asks whether this session is still one for the peer: something says that it is not, and may be old or a lie. */
  confirmSession(nowMs: number): void {
    if (nowMs - this.#sessionAskedMs < SESSION_INTERVAL_MS) return
    this.#sessionAskedMs = nowMs
    this.ping(nowMs)
  }

  /** Who only receives learns the round trip by asking. */
  refresh(nowMs: number): void {
    if (nowMs - this.#sampledMs >= SAMPLE_INTERVAL_MS) this.ping(nowMs)
  }

  /** A frame that left at `timestamp` is answered; the answer had waited. */
  onAnswer(timestamp: number, delayMicroseconds: number, nowMs: number): void {
    const isTaken = this.#path.roundTrip.sample(timestamp, delayMicroseconds, this.#peer.host.timestamp(nowMs))
    if (isTaken) this.#sampledMs = nowMs
  }

  onProbeAck(frameBytes: number, nowMs: number): void {
    this.#mtu.onAcknowledged(frameBytes, nowMs)
    this.#useFrameBytes()
    this.probe(nowMs)
  }

  /** Now and then, while long frames leave of which nobody says whether they arrive: do they? */
  confirmLength(nowMs: number): void {
    if (!this.#path.hasUnconfirmed || nowMs - this.#lengthAskedMs < LENGTH_INTERVAL_MS) return
    this.#path.hasUnconfirmed = false
    this.#lengthAskedMs = nowMs
    this.#mtu.suspect(nowMs)
  }

  /** Long frames seem to vanish. */
  suspect(nowMs: number): void {
    this.#mtu.suspect(nowMs)
  }

  /** Sends a probe if one is due. */
  probe(nowMs: number): void {
    const { host, id, endpoint } = this.#peer
    const probeBytes = this.#mtu.takeProbe(nowMs, this.#path.roundTrip.probeTimeoutMs(0))
    if (probeBytes > 0) host.sendProbe(probeBytes, id, endpoint)
    this.#useFrameBytes()
  }

  #useFrameBytes(): void {
    const { frameBytes } = this.#mtu
    if (frameBytes === this.#path.frameBytes) return
    this.#path.frameBytes = frameBytes
    this.#writer.setFrameBytes(frameBytes)
  }
}

/** While data comes, the round trip is known at least so well. */
const SAMPLE_INTERVAL_MS = 100
/** A flood of what says so costs no more than this. */
const SESSION_INTERVAL_MS = 10
/** A probe in so long is next to nothing beside what leaves. */
const LENGTH_INTERVAL_MS = 3000
