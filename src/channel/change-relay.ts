import type { InterfaceChange, InterfaceSource, NetworkInterface } from '../net/index.js'

type Listener = (changes: readonly InterfaceChange[]) => void

/** Tells the sockets of all channels what one monitor tells, which so has one listener for them. */
export class ChangeRelay implements InterfaceSource {
  readonly #source: InterfaceSource
  readonly #listeners = new Set<Listener>()
  readonly #tell = (changes: readonly InterfaceChange[]): void => {
    for (const listener of [...this.#listeners]) listener(changes)
  }

  constructor(source: InterfaceSource) {
    this.#source = source
    source.on('change', this.#tell)
  }

  interfaces(): readonly NetworkInterface[] {
    return this.#source.interfaces()
  }

  on(_event: 'change', listener: Listener): this {
    this.#listeners.add(listener)
    return this
  }

  off(_event: 'change', listener: Listener): this {
    this.#listeners.delete(listener)
    return this
  }

  /** Tells nothing more. The source is its owner's. */
  close(): void {
    this.#source.off('change', this.#tell)
    this.#listeners.clear()
  }
}
