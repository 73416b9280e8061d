import type { Endpoint, EndpointLike } from '../core/index.js'
import { BaseLink } from './base-link.js'
import { addressedFraming } from './framing/addressed-framing.js'
import type { FrameCounters, Framing } from './framing/framing.js'
import { lengthFraming } from './framing/length-framing.js'
import { separatorFraming } from './framing/separator-framing.js'
import type { IncomingRequest } from './incoming-request.js'
import type { KindLinkStatistics } from './link-events.js'
import type { FramingName, ResolvedProxied } from './options/link-options.js'
import type { Surroundings } from './platform.js'
import { FramedStream } from './stream/framed-stream.js'
import { streamSource } from './stream/stream-sources.js'

/** What a proxied link counts besides. */
export interface ProxiedStatistics extends KindLinkStatistics, FrameCounters {
  /** Streams opened so far. */
  streams: number
  /** Streams that were ended because they could not be understood. */
  streamsRefused: number
}

/**
 * Datagrams over a byte stream. 'peer' and 'peerlost' tell of streams that open and end, 'peerError' of a stream that cannot be opened.
 * While there is none, datagrams wait in the queue.
 */
export class ProxiedLink extends BaseLink {
  /** Does every datagram need an endpoint? */
  readonly isAddressed: boolean
  readonly #frames: FramedStream

  /** @internal */
  constructor(options: ResolvedProxied, surroundings: Surroundings, frames: FramedStream) {
    super(options, surroundings, frames)
    this.isAddressed = options.framing === 'addressed'
    this.#frames = frames
    frames.on('up', (peer) => {
      this.tell('peer', peer)
      if (!this.closed) this.targetFound()
    })
    frames.on('down', (peer) => this.tell('peerlost', peer, 'disconnected'))
    frames.on('openError', (error) => this.tell('peerError', error))
    this.addInput(frames)
  }

  /** The other end of the stream; `0.0.0.0:0` where it has no address; undefined while there is no stream. */
  get peer(): Endpoint | undefined {
    return this.#frames.peer
  }

  /** Where a TCP server is connected to. */
  address(): Endpoint | undefined {
    this.checkOpen()
    return this.#frames.address()
  }

  override stats(): ProxiedStatistics {
    const { malformed, oversized, incomplete, skippedBytes, streams, streamsRefused } = this.#frames.stats()
    return { ...super.stats(), malformed, oversized, incomplete, skippedBytes, streams, streamsRefused }
  }

  protected target(endpoint: Endpoint | EndpointLike | undefined): Endpoint | undefined {
    // The stream below checks it.
    return endpoint as Endpoint | undefined
  }

  protected responseTarget(request: IncomingRequest): Endpoint | undefined {
    return this.isAddressed ? request.endpoint : undefined
  }
}

export async function openProxied(options: ResolvedProxied, surroundings: Surroundings): Promise<ProxiedLink> {
  const frames = new FramedStream(
    { ...options, framing: FRAMINGS[options.framing] },
    streamSource(options, surroundings),
    surroundings,
  )
  const link = new ProxiedLink(options, surroundings, frames)
  await frames.start()
  return link
}

const FRAMINGS: Readonly<Record<FramingName, Framing>> = {
  length: lengthFraming,
  separator: separatorFraming,
  addressed: addressedFraming,
}
