import type { ReceiveBatch, UdpSocket } from '../index.js'
import { formatBatch, type Format } from './datagram-format.js'
import { counted } from './numbers.js'
import { Output } from './output.js'

export interface ReplyOptions {
  readonly hex?: true
  readonly json?: true
  readonly verbose?: true
  /** So many are enough. */
  readonly replies?: number
}

/** Prints what comes back. */
export class Replies {
  count = 0
  readonly #socket: UdpSocket
  readonly #options: ReplyOptions
  readonly #waitMs: number
  readonly #output: Output
  #refresh: () => void = () => {}
  #enough: () => void = () => {}

  constructor(socket: UdpSocket, options: ReplyOptions, waitMs: number) {
    this.#socket = socket
    this.#options = options
    this.#waitMs = waitMs
    this.#output = new Output(
      undefined,
      () => socket.resume(),
      () => this.#enough(),
    )
    socket.on('batch', (batch) => this.#take(batch))
  }

  /** `2 replies`. */
  get text(): string {
    return this.count === 1 ? '1 reply' : counted(this.count, 'replie')
  }

  get areEnough(): boolean {
    return this.count >= (this.#options.replies ?? 1)
  }

  /** Waits until enough have come, none has for the time that `--wait` gives, or Ctrl-C. */
  async finished(interrupt: AbortSignal): Promise<void> {
    const { replies } = this.#options
    if (replies !== undefined && this.count >= replies) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#waitMs)
      this.#refresh = () => void timer.refresh()
      this.#enough = () => {
        clearTimeout(timer)
        resolve()
      }
      interrupt.addEventListener('abort', this.#enough)
    })
  }

  #take(batch: ReceiveBatch): void {
    const count = Math.min(batch.count, (this.#options.replies ?? Infinity) - this.count)
    const format: Format = this.#options.json ? 'json' : this.#options.hex ? 'hex' : 'text'
    const context = { verbose: this.#options.verbose === true, localPort: this.#socket.address().port }
    this.count += count
    if (!this.#output.write(formatBatch(batch, count, format, context))) this.#socket.pause()
    this.#refresh()
    if (this.count === this.#options.replies) this.#enough()
  }
}
