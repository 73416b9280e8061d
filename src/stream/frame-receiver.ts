import type { DatagramBatch, Endpoint } from '../core/index.js'
import { readUint32 } from './bytes.js'
import { decodeControl, type ControlFrame } from './control-frame.js'
import type { FrameSender } from './frame-sender.js'
import { GroupFrameReceiver } from './group-frame-receiver.js'
import { headerDefect, readReceiver, readSender } from './header.js'
import type { DropReason, StreamHost } from './host.js'
import type { Joiner } from './joiner.js'
import type { NodeId } from './node-id.js'
import type { PeerTable } from './peer-table.js'
import type { Peer } from './peer.js'
import { StreamError } from './stream-error.js'
import { TokenBucket } from './token-bucket.js'
import { DATA, DATA_HEADER_BYTES, FLAG, HEADER, PING, STRANGER, TYPE } from './wire.js'
import type { BatchReceiver } from './work-loop.js'

/** Checks the datagrams of a node's link, and hands each frame to whom it is for. What is not for anybody is counted. */
export class FrameReceiver implements BatchReceiver {
  framesReceived = 0
  readonly #host: StreamHost
  readonly #peers: PeerTable
  readonly #joiner: Joiner
  readonly #sender: FrameSender
  readonly #groups: GroupFrameReceiver
  readonly #strangers = new TokenBucket(MAX_STRANGERS_PER_SECOND)
  #isStopped = false

  constructor(host: StreamHost, peers: PeerTable, joiner: Joiner, sender: FrameSender) {
    this.#host = host
    this.#peers = peers
    this.#joiner = joiner
    this.#sender = sender
    this.#groups = new GroupFrameReceiver(host, peers)
  }

  receive(batch: DatagramBatch, nowMs: number): void {
    const { count } = batch
    for (let i = 0; i < count && !this.#isStopped; i++) {
      if (batch.truncated(i)) this.#countDrop('truncated')
      else this.#receiveFrame(batch.payload(i), batch.endpoint(i), nowMs)
    }
  }

  /** The node was closed: the rest of a batch is for nobody. */
  stop(): void {
    this.#isStopped = true
  }

  #receiveFrame(frame: Buffer, endpoint: Endpoint, nowMs: number): void {
    const { integrity, id } = this.#host
    const defect = headerDefect(frame, integrity.mode, integrity.trailerBytes)
    if (defect !== undefined) return this.#countDrop(defect)
    if (!integrity.verify(frame)) return this.#countDrop('integrity')
    this.framesReceived++
    const end = frame.length - integrity.trailerBytes
    if (readUint32(frame, HEADER.receiverLife) !== id.life || readUint32(frame, HEADER.receiverPlace) !== id.place) {
      return this.#receiveForOthers(frame, end, endpoint, nowMs)
    }
    const peer = this.#peers.find(readUint32(frame, HEADER.senderPlace), readUint32(frame, HEADER.senderLife))
    if (peer === undefined) return this.#receiveFromUnknown(frame, end, endpoint, nowMs)
    if (endpoint !== peer.endpoint && !endpoint.equals(peer.endpoint)) return this.#countDrop('wrongEndpoint')
    peer.alive.heardMs = nowMs
    const flags = frame[HEADER.flags]!
    if ((flags & FLAG.control) === 0) this.#receiveData(peer, frame, flags, end, nowMs)
    else this.#receiveControl(peer, frame, flags, end, nowMs)
  }

  #receiveData(peer: Peer, frame: Buffer, flags: number, end: number, nowMs: number): void {
    if (end < DATA_HEADER_BYTES) return this.#countDrop('short')
    if ((flags & FLAG.repair) !== 0) return this.#countDrop('malformed')
    if (frame.length > this.#host.pool.slotBytes) return this.#countDrop('tooLong')
    const stream = peer.find(readUint32(frame, DATA.stream), (flags & FLAG.opener) !== 0)
    if (stream === undefined) return this.#countDrop('unknownStream')
    const isNumbered = (flags & FLAG.numbered) !== 0
    if (isNumbered === (stream.kind === 'fireAndForget')) return this.#countDrop('wrongKind')
    if (!stream.isTouched) this.#host.touch(stream)
    stream.confirm()
    if (!isNumbered) {
      if ((flags & FLAG.piece) !== 0) return this.#countDrop('malformed')
      return stream.receiving.onUnnumbered(frame, end)
    }
    const packet = readUint32(frame, DATA.packet)
    const timestamp = readUint32(frame, DATA.timestamp)
    const transmission = frame[HEADER.type]!
    if ((flags & FLAG.waits) !== 0) stream.receiving.forceStatus()
    if ((flags & FLAG.piece) === 0) stream.receiving.onData(packet, transmission, timestamp, frame, end, nowMs)
    else stream.receiving.onPiece(packet, transmission, timestamp, frame, end, nowMs)
  }

  #receiveControl(peer: Peer, bytes: Buffer, flags: number, end: number, nowMs: number): void {
    const frame = this.#decode(bytes, end)
    if (frame === undefined) return
    switch (frame.type) {
      case TYPE.ping:
        if (frame.session !== peer.session.own) return this.#refusePing(bytes, end, peer, nowMs)
        return peer.sendControl({ type: TYPE.pong, timestamp: frame.timestamp })
      case TYPE.pong:
        return peer.survey.onAnswer(frame.timestamp, 0, nowMs)
      case TYPE.probe:
        // What has arrived is what counts, whatever it says.
        return peer.sendControl({ type: TYPE.probeAck, frameBytes: bytes.length })
      case TYPE.probeAck:
        return peer.onProbeAck(frame.frameBytes, nowMs)
      case TYPE.bye:
        if (frame.session !== peer.session.theirs) return this.#countDrop('otherSession')
        return peer.destroy(new StreamError('ERR_PEER_LEFT', `${peer.endpoint.toString()} has left`))
      case TYPE.stranger:
        return this.#onStranger(frame, readSender(bytes), peer.endpoint, nowMs)
      case TYPE.hello:
      case TYPE.challenge:
      case TYPE.welcome:
      case TYPE.refuse:
        return this.#onJoining(frame, readSender(bytes), peer.endpoint, nowMs)
      case TYPE.groupHeartbeat:
      case TYPE.nakEcho:
        return this.#countDrop('malformed')
      default:
        return peer.onStreamControl(frame, (flags & FLAG.opener) !== 0, nowMs)
    }
  }

  /** A frame to nobody is a hello, or to a group; one to another life of ours is told so. */
  #receiveForOthers(bytes: Buffer, end: number, endpoint: Endpoint, nowMs: number): void {
    const receiver = readReceiver(bytes)
    if (receiver.life === 0 && receiver.place === 0) {
      if ((bytes[HEADER.flags]! & FLAG.control) === 0) return this.#groups.onData(bytes, end, nowMs)
      const frame = this.#decode(bytes, end)
      if (frame === undefined) return
      if (frame.type === TYPE.hello) return this.#joiner.onHello(frame, readSender(bytes), endpoint, nowMs)
      if (frame.type === TYPE.groupHeartbeat || frame.type === TYPE.nakEcho) {
        return this.#groups.onControl(frame, bytes, nowMs)
      }
    }
    this.#countDrop('otherLife')
    this.#answerStranger(bytes, end, receiver, endpoint, nowMs)
  }

  #receiveFromUnknown(bytes: Buffer, end: number, endpoint: Endpoint, nowMs: number): void {
    if ((bytes[HEADER.flags]! & FLAG.control) !== 0) {
      const type = bytes[HEADER.type]!
      if (type === TYPE.challenge || type === TYPE.welcome || type === TYPE.refuse || type === TYPE.stranger) {
        const frame = this.#decode(bytes, end)
        if (frame === undefined) return
        if (frame.type === TYPE.stranger) return this.#onStranger(frame, readSender(bytes), endpoint, nowMs)
        return this.#onJoining(frame, readSender(bytes), endpoint, nowMs)
      }
      if (type === TYPE.bye) return this.#countDrop('unknownPeer')
    }
    this.#countDrop('unknownPeer')
    // It may have been admitted there by a hello of ours whose welcome is still under way.
    const session = sessionOf(bytes, end)
    if (session === 0 ? this.#joiner.isAsking(endpoint) : this.#joiner.isAskingFor(session)) return
    this.#answerStranger(bytes, end, this.#host.id, endpoint, nowMs)
  }

  #onJoining(frame: ControlFrame, sender: NodeId, endpoint: Endpoint, nowMs: number): void {
    if (frame.type === TYPE.hello) this.#joiner.onHello(frame, sender, endpoint, nowMs)
    else this.#joiner.onAnswer(frame, sender, endpoint, nowMs)
  }

  /** The peer asks after a session that is over: this one is another. */
  #refusePing(bytes: Buffer, end: number, peer: Peer, nowMs: number): void {
    this.#countDrop('otherSession')
    this.#answerStranger(bytes, end, this.#host.id, peer.endpoint, nowMs)
  }

  /** Whom we send to says that it is not, or no longer, joined with us. */
  #onStranger(frame: StrangerFrame, sender: NodeId, endpoint: Endpoint, nowMs: number): void {
    const peer = this.#peers.find(frame.place, frame.life)
    if (peer === undefined || !peer.endpoint.equals(endpoint)) return this.#countDrop('unexpectedAnswer')
    // It may be about what was sent before this session. The ping says which one is meant.
    if (frame.session === 0) return peer.survey.confirmSession(nowMs)
    if (frame.session !== peer.session.theirs) return this.#countDrop('otherSession')
    const isSame = sender.life === frame.life && sender.place === frame.place
    peer.destroy(
      isSame
        ? new StreamError('ERR_PEER_LEFT', `${endpoint.toString()} has left`)
        : new StreamError('ERR_PEER_RESTARTED', `${endpoint.toString()} has started anew`),
    )
  }

  #answerStranger(bytes: Buffer, end: number, meant: NodeId, endpoint: Endpoint, nowMs: number): void {
    // No answer to an answer, so that two strangers do not go on for ever.
    if ((bytes[HEADER.flags]! & FLAG.control) !== 0 && bytes[HEADER.type] === TYPE.stranger) return
    // Whoever forges a sender gets no longer frames sent there than his own are.
    if (bytes.length < STRANGER.bytes + this.#host.integrity.trailerBytes) return
    if (!this.#strangers.take(nowMs)) return
    this.#sender.sendControl(
      { type: TYPE.stranger, ...meant, session: sessionOf(bytes, end) },
      FLAG.control,
      readSender(bytes),
      endpoint,
    )
  }

  #decode(bytes: Buffer, end: number): ControlFrame | undefined {
    const type = bytes[HEADER.type]!
    const frame = decodeControl(bytes, type, end)
    if (frame === undefined) this.#countDrop(KNOWN_TYPES.has(type) ? 'malformed' : 'unknownType')
    return frame
  }

  #countDrop(reason: DropReason): void {
    this.#host.countDrop(reason)
  }
}

/** The session that a ping names; 0: it is another frame. */
function sessionOf(bytes: Buffer, end: number): number {
  const isPing = (bytes[HEADER.flags]! & FLAG.control) !== 0 && bytes[HEADER.type] === TYPE.ping && end >= PING.bytes
  return isPing ? readUint32(bytes, PING.session) : 0
}

type StrangerFrame = Extract<ControlFrame, { readonly type: typeof TYPE.stranger }>

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(TYPE))
/** Answers to frames of other lives: who forges senders gets no more than this from us. */
const MAX_STRANGERS_PER_SECOND = 1000
