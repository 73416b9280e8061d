import { readUint32 } from './bytes.js'
import type { GroupHeartbeatFrame, NakEchoFrame } from './group-frame.js'
import { readSender } from './header.js'
import type { StreamHost } from './host.js'
import type { NodeId } from './node-id.js'
import type { PeerTable } from './peer-table.js'
import type { Stream } from './stream.js'
import { DATA, DATA_HEADER_BYTES, FLAG, HEADER, HEARTBEAT_FLAG, TYPE } from './wire.js'

/**
 * Hands frames to a group to the stream of their sender's group. Where they come from is not compared with the peer's endpoint: it may
 * send to groups from another socket. Nobody is answered: a thousand receivers would answer.
 */
export class GroupFrameReceiver {
  readonly #host: StreamHost
  readonly #peers: PeerTable

  constructor(host: StreamHost, peers: PeerTable) {
    this.#host = host
    this.#peers = peers
  }

  onData(frame: Buffer, end: number, nowMs: number): void {
    const flags = frame[HEADER.flags]!
    if (end < DATA_HEADER_BYTES) return this.#host.countDrop('short')
    if (frame.length > this.#host.pool.slotBytes) return this.#host.countDrop('tooLong')
    if ((flags & FLAG.opener) === 0) return this.#host.countDrop('malformed')
    const stream = this.#find(readSender(frame), readUint32(frame, DATA.stream), nowMs)
    if (stream === undefined) return
    const isNumbered = (flags & FLAG.numbered) !== 0
    if (isNumbered === (stream.kind === 'fireAndForget')) return this.#host.countDrop('wrongKind')
    const variant = flags & (FLAG.piece | FLAG.repair)
    if (variant === VARIANTS || (variant !== 0 && !isNumbered)) return this.#host.countDrop('malformed')
    this.#host.touch(stream)
    if (!isNumbered) return stream.receiving.onUnnumbered(frame, end)
    const packet = readUint32(frame, DATA.packet)
    const timestamp = readUint32(frame, DATA.timestamp)
    const transmission = frame[HEADER.type]!
    if (variant === FLAG.repair) stream.group!.onRepair(packet, frame, end, nowMs)
    else if (variant === FLAG.piece) stream.group!.onPiece(packet, transmission, timestamp, frame, end, nowMs)
    else stream.group!.onData(packet, transmission, timestamp, frame, end, nowMs)
  }

  onControl(frame: GroupHeartbeatFrame | NakEchoFrame, sender: NodeId, nowMs: number): void {
    const stream = this.#find(sender, frame.group, nowMs)
    if (stream === undefined) return
    this.#host.touch(stream)
    if (frame.type === TYPE.nakEcho) return stream.group!.onEcho(frame, nowMs)
    stream.group!.onTerms(frame)
    const isFinal = (frame.flags & HEARTBEAT_FLAG.final) !== 0
    stream.receiving.onHeartbeat(frame.floor, frame.next, frame.timestamp, isFinal, nowMs)
  }

  #find(sender: NodeId, group: number, nowMs: number): Stream | undefined {
    const { id } = this.#host
    if (sender.life === id.life && sender.place === id.place) {
      this.#host.countDrop('ownFrame')
      return undefined
    }
    const peer = this.#peers.find(sender.place, sender.life)
    if (peer === undefined) {
      this.#host.countDrop('unknownPeer')
      return undefined
    }
    peer.lastHeardMs = nowMs
    const stream = peer.findGroup(group)
    if (stream === undefined) this.#host.countDrop('unknownStream')
    return stream
  }
}

const VARIANTS = FLAG.piece | FLAG.repair
