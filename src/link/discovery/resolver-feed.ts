import { Endpoint, type Timer } from '../../core/index.js'
import { backoffMs } from '../backoff.js'
import type { LinkPlatform } from '../platform.js'
import type { DiscoveredServer, ResolvedServer, Resolver } from './server-list.js'

/** Asks a resolver again and again, and looks up the names that it gives. */
export class ResolverFeed {
  readonly #resolver: Resolver
  readonly #everyMs: number
  readonly #platform: LinkPlatform
  readonly #onServers: (servers: readonly DiscoveredServer[]) => void
  readonly #onError: (error: Error) => void
  readonly #ending = new AbortController()
  #failures = 0
  #timer: Timer | undefined

  constructor(
    resolver: Resolver,
    everyMs: number,
    platform: LinkPlatform,
    onServers: (servers: readonly DiscoveredServer[]) => void,
    onError: (error: Error) => void,
  ) {
    this.#resolver = resolver
    this.#everyMs = everyMs
    this.#platform = platform
    this.#onServers = onServers
    this.#onError = onError
  }

  start(): void {
    this.#ask().then(
      (servers) => {
        if (this.#ending.signal.aborted) return
        this.#failures = 0
        this.#onServers(servers)
        this.#wait(this.#everyMs)
      },
      (error: unknown) => {
        if (this.#ending.signal.aborted) return
        this.#onError(error as Error)
        this.#wait(backoffMs(this.#failures++, Math.min(FIRST_RETRY_MS, this.#everyMs), this.#everyMs, this.#platform.random))
      },
    )
  }

  stop(): void {
    this.#ending.abort()
    this.#timer?.cancel()
  }

  async #ask(): Promise<DiscoveredServer[]> {
    const answer = await this.#resolver.resolve(this.#ending.signal)
    const found = await Promise.allSettled(answer.slice(0, MAX_SERVERS).map((server) => this.#lookUp(server)))
    const servers = found.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const failed = found.find((result) => result.status === 'rejected')
    // One name that is not found does not cost the others.
    if (failed !== undefined && servers.length === 0) throw failed.reason
    if (failed !== undefined) this.#onError(failed.reason as Error)
    return servers.filter(({ endpoint }, i) => servers.findIndex((other) => other.endpoint.equals(endpoint)) === i)
  }

  async #lookUp({ host, port, name = '', priority = 0, weight = 0 }: ResolvedServer): Promise<DiscoveredServer> {
    const endpoint = await this.#platform.resolve(host, port)
    return { endpoint: endpoint instanceof Endpoint ? endpoint : Endpoint.from(endpoint), name, priority, weight }
  }

  #wait(delayMs: number): void {
    this.#timer = this.#platform.clock.setTimer(() => this.start(), delayMs)
    this.#timer.unref()
  }
}

const FIRST_RETRY_MS = 1000
const MAX_SERVERS = 1000
