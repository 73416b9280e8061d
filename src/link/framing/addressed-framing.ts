import { Endpoint } from '../../core/index.js'
import { PeerTable } from '../peer-table.js'
import type { DecoderLimits, FrameCounters, FrameDecoder, Framing, FrameSink } from './framing.js'
import { LENGTH_BYTES, LengthDecoder } from './length-framing.js'

/**
 * Two bytes of length, then a datagram with the UDP request header of SOCKS5 (RFC 1928 section 7): RSV, FRAG, ATYP, address, port,
 * payload. Towards the network the address is the destination, back from it the source.
 */
export const addressedFraming: Framing = {
  isAddressed: true,
  maxPayloadBytes: 65_507,
  maxFrameBytes: (lengthBytes) => LENGTH_BYTES + HEADER_BYTES_IPV6 + lengthBytes,
  payloadOffset: (endpoint) => LENGTH_BYTES + headerBytes(endpoint!),
  complete: (out, at, lengthBytes, endpoint) => {
    const header = headerBytes(endpoint!)
    out.writeUInt16BE(header + lengthBytes, at)
    writeSocksHeader(out, at + LENGTH_BYTES, endpoint!)
    return at + LENGTH_BYTES + header + lengthBytes
  },
  encode: (payload, endpoint, out, at) => {
    out.set(payload, at + LENGTH_BYTES + headerBytes(endpoint!))
    return addressedFraming.complete(out, at, payload.length, endpoint)
  },
  decoder: (sink, limits) => new AddressedDecoder(sink, limits),
}

class AddressedDecoder implements FrameDecoder {
  readonly counters: FrameCounters
  readonly #frames: LengthDecoder
  readonly #sink: FrameSink
  readonly #maxBytes: number
  /** So that the same peer is the same object. */
  readonly #peers: PeerTable

  constructor(sink: FrameSink, { maxDatagramBytes, seed }: DecoderLimits) {
    this.#sink = sink
    this.#maxBytes = maxDatagramBytes
    this.#peers = new PeerTable(MAX_INTERNED_PEERS, seed)
    this.#frames = new LengthDecoder((frame) => this.#read(frame), { maxDatagramBytes: maxDatagramBytes + HEADER_BYTES_IPV6 })
    this.counters = this.#frames.counters
  }

  push(chunk: Buffer): boolean {
    return this.#frames.push(chunk)
  }

  end(): void {
    this.#frames.end()
  }

  #read(frame: Buffer): void {
    const endpoint = readSocksHeader(frame)
    if (endpoint === undefined) {
      this.counters.malformed++
      this.counters.skippedBytes += frame.length
      return
    }
    const payload = frame.subarray(headerBytes(endpoint))
    if (payload.length > this.#maxBytes) {
      this.counters.oversized++
      this.counters.skippedBytes += frame.length
      return
    }
    this.#peers.heard(endpoint, 0)
    this.#sink(payload, this.#peers.newest)
  }
}

function headerBytes(endpoint: Endpoint): number {
  return endpoint.isIpv4 ? HEADER_BYTES_IPV4 : HEADER_BYTES_IPV6
}

function writeSocksHeader(out: Buffer, at: number, endpoint: Endpoint): void {
  const { isIpv4, words, port } = endpoint
  out.writeUInt16BE(0, at)
  out[at + 2] = 0
  out[at + 3] = isIpv4 ? ATYP_IPV4 : ATYP_IPV6
  let to = at + 4
  for (const word of isIpv4 ? [words[3]] : words) to = out.writeUInt32BE(word, to)
  out.writeUInt16BE(port, to)
}

/** Undefined for a fragment, a name instead of an address, or a header that is cut. */
function readSocksHeader(frame: Buffer): Endpoint | undefined {
  if (frame.length < HEADER_BYTES_IPV4 || frame.readUInt16BE(0) !== 0 || frame[2] !== 0) return undefined
  if (frame[3] === ATYP_IPV4) return new Endpoint('IPv4', [0, 0, 0, frame.readUInt32BE(4)], frame.readUInt16BE(8))
  if (frame[3] !== ATYP_IPV6 || frame.length < HEADER_BYTES_IPV6) return undefined
  const word = (i: number): number => frame.readUInt32BE(4 + 4 * i)
  return new Endpoint('IPv6', [word(0), word(1), word(2), word(3)], frame.readUInt16BE(20))
}

const ATYP_IPV4 = 1
const ATYP_IPV6 = 4
const HEADER_BYTES_IPV4 = 10
const HEADER_BYTES_IPV6 = 22
const MAX_INTERNED_PEERS = 4096
