import type { Clock, EndpointLike, Timer } from '../../../src/core/index.js'
import type { SimulatedLink } from '../../../src/testing/index.js'

/**
 * Other people's traffic: a bulk transfer as TCP does it, written apart from the streams and after other documents. Slow start and
 * congestion avoidance of RFC 5681, the loss recovery of RFC 6675 with its pipe, the timer of RFC 6298, acknowledgements of every second
 * segment, and CUBIC as in RFC 8312 (its cwnd counted in segments) or plain Reno. No pacing, no appropriate byte counting, no HyStart.
 *
 * A segment is its number and padding; an acknowledgement is the first missing number and the ranges beyond.
 */
export class TcpLikeSender {
  readonly #link: SimulatedLink
  readonly #clock: Clock
  readonly #to: EndpointLike
  readonly #segment: Buffer
  readonly #isCubic: boolean
  window = 10
  threshold = Infinity
  retransmitted = 0
  timeouts = 0
  #next = 0
  #una = 0
  readonly #sacked = new Set<number>()
  #highestSacked = -1
  readonly #lost = new Set<number>()
  readonly #sentMs = new Map<number, number>()
  readonly #again = new Set<number>()
  #recoverUntil = -1
  #smoothed = 0
  #variation = 0
  #timeoutMs = 1000
  #timer: Timer | undefined
  #windowMax = 0
  #epochMs = -1
  #k = 0
  #origin = 0
  #renoWindow = 0

  constructor(link: SimulatedLink, clock: Clock, to: EndpointLike, options: { segmentBytes?: number; isCubic?: boolean } = {}) {
    this.#link = link
    this.#clock = clock
    this.#to = to
    // With the 28 bytes of IP and UDP as long as 1448 bytes with those of IP and TCP.
    this.#segment = Buffer.alloc(options.segmentBytes ?? 1472)
    this.#isCubic = options.isCubic ?? true
    link.on('batch', (batch) => {
      for (let i = 0; i < batch.count; i++) this.#onAcknowledgement(batch.payload(i))
      this.#fill()
    })
  }

  start(): void {
    this.#fill()
  }

  #onAcknowledgement(payload: Buffer): void {
    const nowMs = this.#clock.nowMs()
    const una = payload.readUInt32LE(0)
    let delivered = 0
    if (una > this.#una) {
      for (let segment = this.#una; segment < una; segment++) {
        if (!this.#sacked.delete(segment)) delivered++
        this.#lost.delete(segment)
        // Karn: not of one that was sent again.
        if (segment === una - 1 && !this.#again.has(segment)) this.#sample(nowMs - this.#sentMs.get(segment)!)
        this.#again.delete(segment)
        this.#sentMs.delete(segment)
      }
      this.#una = una
      this.#setTimer()
    }
    for (let at = 4; at < payload.length; at += 8) {
      for (let segment = Math.max(payload.readUInt32LE(at), this.#una); segment < payload.readUInt32LE(at + 4); segment++) {
        if (this.#sacked.has(segment)) continue
        this.#sacked.add(segment)
        this.#lost.delete(segment)
        this.#highestSacked = Math.max(this.#highestSacked, segment)
        delivered++
      }
    }
    this.#noticeLost(nowMs)
    if (delivered > 0 && this.#una > this.#recoverUntil) this.#grow(delivered, nowMs)
  }

  /** RFC 6675: lost is what three later ones have overtaken. */
  #noticeLost(nowMs: number): void {
    let overtaken = 0
    for (let segment = this.#highestSacked; segment >= this.#una; segment--) {
      if (this.#sacked.has(segment)) overtaken++
      else if (overtaken >= 3 && !this.#again.has(segment) && !this.#lost.has(segment)) {
        this.#lost.add(segment)
        if (segment > this.#recoverUntil) this.#shrink(nowMs)
      }
    }
  }

  #shrink(_nowMs: number): void {
    this.#recoverUntil = this.#next - 1
    if (!this.#isCubic) this.window = this.threshold = Math.max(2, this.#pipe() / 2)
    else {
      this.#windowMax = this.window < this.#windowMax ? this.window * 0.85 : this.window
      this.window = this.threshold = Math.max(2, this.window * 0.7)
      this.#epochMs = -1
    }
  }

  #grow(delivered: number, nowMs: number): void {
    if (this.window < this.threshold) {
      this.window += delivered
      return
    }
    if (!this.#isCubic) {
      this.window += delivered / this.window
      return
    }
    if (this.#epochMs < 0) {
      this.#epochMs = nowMs
      this.#k = this.window < this.#windowMax ? Math.cbrt((this.#windowMax - this.window) / 0.4) : 0
      this.#origin = Math.max(this.#windowMax, this.window)
      this.#renoWindow = this.window
    }
    const seconds = (nowMs - this.#epochMs + this.#smoothed) / 1000
    const target = this.#origin + 0.4 * (seconds - this.#k) ** 3
    this.#renoWindow += ((3 * 0.3) / 1.7) * (delivered / this.window)
    if (target > this.window) this.window += (Math.min(target - this.window, this.window / 2) * delivered) / this.window
    else this.window += (0.01 * delivered) / this.window
    if (this.#renoWindow > this.window) this.window = this.#renoWindow
  }

  #pipe(): number {
    return this.#next - this.#una - this.#sacked.size - this.#lost.size
  }

  #fill(): void {
    for (let pipe = this.#pipe(); pipe < Math.floor(this.window); pipe++) {
      const lost = this.#firstLost()
      this.#send(lost ?? this.#next++, lost !== undefined)
    }
  }

  #firstLost(): number | undefined {
    let first: number | undefined
    for (const segment of this.#lost) if (first === undefined || segment < first) first = segment
    return first
  }

  #send(segment: number, isAgain: boolean): void {
    if (isAgain) {
      this.#lost.delete(segment)
      this.#again.add(segment)
      this.retransmitted++
    }
    this.#sentMs.set(segment, this.#clock.nowMs())
    this.#segment.writeUInt32LE(segment)
    this.#link.send(this.#segment, this.#to)
    if (this.#timer === undefined) this.#setTimer()
  }

  #sample(roundTripMs: number): void {
    if (this.#smoothed === 0) {
      this.#smoothed = roundTripMs
      this.#variation = roundTripMs / 2
    } else {
      this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - roundTripMs)
      this.#smoothed = 0.875 * this.#smoothed + 0.125 * roundTripMs
    }
    // 200 ms as in Linux; the RFC has a second.
    this.#timeoutMs = Math.max(200, this.#smoothed + 4 * this.#variation)
  }

  #setTimer(): void {
    this.#timer?.cancel()
    this.#timer = this.#clock.setTimer(() => this.#onTimeout(), this.#timeoutMs)
  }

  #onTimeout(): void {
    this.timeouts++
    this.#shrink(this.#clock.nowMs())
    this.window = 1
    for (let segment = this.#una; segment < this.#next; segment++) if (!this.#sacked.has(segment)) this.#lost.add(segment)
    this.#again.clear()
    this.#timeoutMs = Math.min(60_000, 2 * this.#timeoutMs)
    this.#setTimer()
    this.#fill()
  }
}

/** The other end: takes everything, in any order, and acknowledges every second segment, and at once what is out of order. */
export class TcpLikeReceiver {
  /** Segments that are there with all before them. */
  next = 0
  readonly #beyond = new Set<number>()
  #ranges: [from: number, to: number][] = []
  #unsaid = 0
  #timer: Timer | undefined

  constructor(link: SimulatedLink, clock: Clock) {
    link.on('batch', (batch) => {
      for (let i = 0; i < batch.count; i++) {
        const isInOrder = this.#take(batch.payload(i).readUInt32LE(0))
        const to = batch.endpoint(i)
        const say = (): void => {
          this.#timer?.cancel()
          this.#timer = undefined
          this.#unsaid = 0
          link.send(this.#acknowledgement(), to)
        }
        if (!isInOrder || ++this.#unsaid >= 2) say()
        else this.#timer ??= clock.setTimer(say, 40)
      }
    })
  }

  #take(segment: number): boolean {
    if (segment < this.next || this.#beyond.has(segment)) return false
    if (segment > this.next) {
      this.#beyond.add(segment)
      this.#addRange(segment)
      return false
    }
    this.next++
    while (this.#beyond.delete(this.next)) this.next++
    this.#ranges = this.#ranges.filter(([, to]) => to > this.next)
    return this.#beyond.size === 0
  }

  #addRange(segment: number): void {
    const before = this.#ranges.find(([, to]) => to === segment)
    const behind = this.#ranges.find(([from]) => from === segment + 1)
    if (before !== undefined && behind !== undefined) {
      before[1] = behind[1]
      this.#ranges.splice(this.#ranges.indexOf(behind), 1)
    } else if (before !== undefined) before[1]++
    else if (behind !== undefined) behind[0]--
    else this.#ranges.push([segment, segment + 1])
  }

  #acknowledgement(): Buffer {
    // More ranges than the three of TCP's option, sent once instead of three times.
    const ranges = this.#ranges.slice(-MAX_RANGES)
    const payload = Buffer.alloc(4 + 8 * ranges.length)
    payload.writeUInt32LE(this.next)
    for (const [i, [from, to]] of ranges.entries()) {
      payload.writeUInt32LE(from, 4 + 8 * i)
      payload.writeUInt32LE(to, 8 + 8 * i)
    }
    return payload
  }
}

const MAX_RANGES = 64
