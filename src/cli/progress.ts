import cliProgress from 'cli-progress'

/**
 * The progress of long work, on standard error and only where that is a terminal. Short work shows none: the bar appears after
 * {@link SHOWN_AFTER_MS}.
 */
export class Progress {
  readonly #bar: cliProgress.SingleBar | undefined
  readonly #startMs = performance.now()
  readonly #total: number
  #started = false

  /**
   * @param format Of cli-progress, with the fields that {@link update} is given.
   * @param total What `update` counts up to; 0 where that is not known.
   */
  constructor(format: string, total: number, shown: boolean = Progress.isPossible) {
    this.#total = total
    if (shown) {
      this.#bar = new cliProgress.SingleBar(
        {
          format,
          stream: process.stderr,
          hideCursor: true,
          clearOnComplete: true,
          barsize: 24,
          gracefulExit: false,
        },
        cliProgress.Presets.shades_classic,
      )
    }
  }

  static get isPossible(): boolean {
    return process.stderr.isTTY
  }

  update(value: number, fields: object = {}): void {
    if (this.#bar === undefined) return
    if (this.#started) this.#bar.update(value, fields)
    else if (performance.now() - this.#startMs >= SHOWN_AFTER_MS) {
      this.#started = true
      this.#bar.start(this.#total, value, fields)
    }
  }

  stop(): void {
    if (this.#started) this.#bar?.stop()
    this.#started = false
  }
}

const SHOWN_AFTER_MS = 400
