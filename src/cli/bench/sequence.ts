/**
 * Which numbers have come, of 0, 1, 2, …: in order as a rule, with gaps where the kernel dropped, and prepared for late and repeated
 * ones. What it remembers are the gaps.
 */
export class Sequence {
  /** Different numbers that have come. */
  received = 0
  duplicated = 0
  /** Numbers that came after a higher one. */
  late = 0
  /** One more than the highest number that has come. */
  next = 0
  /** `[from, to)` of every run of numbers that have not come, in order. */
  readonly #gaps: [from: number, to: number][] = []

  accept(number: number): void {
    if (number === this.next) {
      this.next++
      this.received++
    } else {
      this.#acceptOther(number)
    }
  }

  /** Numbers below `end` that have not come. */
  missing(end: number): number {
    return Math.max(end, this.next) - this.received
  }

  #acceptOther(number: number): void {
    if (number > this.next) {
      this.#gaps.push([this.next, number])
      this.next = number + 1
      this.received++
    } else if (this.#fill(number)) {
      this.received++
      this.late++
    } else {
      this.duplicated++
    }
  }

  #fill(number: number): boolean {
    // From the end: what is late is late by little.
    let i = this.#gaps.length - 1
    while (i >= 0 && this.#gaps[i]![0] > number) i--
    const gap = this.#gaps[i]
    if (gap === undefined || number >= gap[1]) return false
    const parts: [number, number][] = [
      [gap[0], number],
      [number + 1, gap[1]],
    ]
    this.#gaps.splice(i, 1, ...parts.filter(([from, to]) => from < to))
    return true
  }
}
