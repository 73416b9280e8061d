/** Keeps the last keys that were added: at least half of `limit`, never more than `limit`. */
export class Remembered {
  readonly #half: number
  #current = new Set<string>()
  #previous = new Set<string>()

  constructor(limit: number) {
    this.#half = Math.ceil(limit / 2)
  }

  has(key: string): boolean {
    return this.#current.has(key) || this.#previous.has(key)
  }

  add(key: string): void {
    if (this.#half === 0) return
    if (this.#current.size >= this.#half) {
      this.#previous = this.#current
      this.#current = new Set()
    }
    this.#current.add(key)
  }
}
