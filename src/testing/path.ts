import {
  checkInteger,
  checkOneOf,
  checkOptions,
  invalidArgType,
  outOfRange,
  randomBelow,
  randomFraction,
  type Random,
} from '../core/index.js'

/** What datagrams meet on their way from one host to another; each direction has its own. All defaults make a perfect path of 1 ms. */
export interface PathOptions {
  /** How long every datagram takes, besides {@link bytesPerSecond}. Default 1. */
  latencyMs?: number
  /** A datagram takes up to this much longer, evenly distributed, but does not overtake the one before it. Default 0. */
  jitterMs?: number
  /** The share of datagrams that are lost, each by itself. Default 0. */
  lossProbability?: number
  /** Loss in bursts, besides {@link lossProbability}. Default: none. */
  burstLoss?: BurstLoss | undefined
  /** The share of datagrams that arrive twice. Default 0. */
  duplicateProbability?: number
  /** The share of datagrams that others may overtake. Default 0. */
  reorderProbability?: number
  /** How much later, at most, such a datagram arrives, evenly distributed. Default 10. */
  reorderMs?: number
  /** The share of datagrams that arrive with a bit turned over, which a checksum did not notice. Default 0. */
  corruptProbability?: number
  /** What the path carries, in bytes of IP: payload and 28 (IPv4) or 48 (IPv6) bytes of headers a packet. Default: no limit. */
  bytesPerSecond?: number
  /** Bytes of IP that may wait for their turn where {@link bytesPerSecond} is limited; what does not fit is dropped. Default 256 KiB. */
  queueBytes?: number
  /** The longest packet of IP that passes in one piece, 576 to 65 575. Default 1500. */
  mtuBytes?: number
  /**
   * What becomes of a longer one. 'fragment', the default: it is cut, and lost if a fragment is lost. 'drop': it vanishes (a black hole).
   * 'error': it is dropped, and the sender learns what would pass, a latency later, as from ICMP.
   */
  tooBig?: TooBig
}

/** A path that turns bad and good again (Gilbert-Elliott), looked at once a datagram. A burst has 1 / `leaveProbability` on average. */
export interface BurstLoss {
  /** How likely a good path turns bad at a datagram. */
  enterProbability: number
  /** How likely a bad path turns good at a datagram. */
  leaveProbability: number
  /** The share of datagrams that a bad path loses. Default 1. */
  lossProbability?: number
}

export type TooBig = 'fragment' | 'drop' | 'error'

/** {@link PathOptions} with every default filled in. */
export interface ResolvedPathOptions {
  readonly latencyMs: number
  readonly jitterMs: number
  readonly lossProbability: number
  readonly burstLoss: Required<BurstLoss> | undefined
  readonly duplicateProbability: number
  readonly reorderProbability: number
  readonly reorderMs: number
  readonly corruptProbability: number
  readonly bytesPerSecond: number
  readonly queueBytes: number
  readonly mtuBytes: number
  readonly tooBig: TooBig
}

/** Why a path dropped a datagram. */
export type PathDrop = 'lost' | 'lostInBurst' | 'queueFull' | 'tooBig'

/**
 * One direction between two hosts, with what it remembers from datagram to datagram. One that {@link remembersNothing} can stand for any
 * number of them.
 */
export class Path {
  #options: ResolvedPathOptions
  #remembersNothing: boolean
  readonly #makeRandom: () => Random
  #random: Random | undefined
  #isBad = false
  #freeAtMs = 0
  #lastArrivalMs = 0

  /** @param makeRandom Called when the path needs chance: most never do. */
  constructor(options: ResolvedPathOptions, makeRandom: () => Random) {
    this.#options = options
    this.#remembersNothing = remembersNothing(options)
    this.#makeRandom = makeRandom
  }

  get options(): ResolvedPathOptions {
    return this.#options
  }

  set options(options: ResolvedPathOptions) {
    this.#options = options
    this.#remembersNothing = remembersNothing(options)
  }

  /**
   * Takes a datagram at `nowMs`.
   *
   * @returns When it is through with the queue and on its way; or why it is not.
   */
  enter(nowMs: number, payloadBytes: number, headerBytes: number): number | PathDrop {
    const { mtuBytes, tooBig, bytesPerSecond } = this.#options
    const packets = packetCount(payloadBytes, headerBytes, mtuBytes)
    if (packets > 1 && tooBig !== 'fragment') return 'tooBig'
    if (this.#remembersNothing) return nowMs
    const leavesMs = bytesPerSecond === Infinity ? nowMs : this.#queue(nowMs, payloadBytes + packets * headerBytes)
    if (leavesMs < 0) return 'queueFull'
    if (this.#isLostInBurst()) return 'lostInBurst'
    for (let i = 0; i < packets; i++) {
      if (this.#happens(this.#options.lossProbability)) return 'lost'
    }
    return leavesMs
  }

  /** When a datagram that left the queue at `leavesMs` arrives. Twice for one that is duplicated. */
  arrival(leavesMs: number): number {
    const { latencyMs, jitterMs, reorderProbability, reorderMs } = this.#options
    if (this.#remembersNothing) return leavesMs + latencyMs
    const delayMs = jitterMs === 0 ? latencyMs : latencyMs + jitterMs * randomFraction(this.random)
    const arrivesMs = Math.max(leavesMs + delayMs, this.#lastArrivalMs)
    if (this.#happens(reorderProbability)) return arrivesMs + reorderMs * randomFraction(this.random)
    this.#lastArrivalMs = arrivesMs
    return arrivesMs
  }

  isDuplicated(): boolean {
    return this.#happens(this.#options.duplicateProbability)
  }

  /** The bit to turn over; -1 for a datagram that arrives as it was sent. */
  corruptedBit(payloadBytes: number): number {
    if (payloadBytes === 0 || !this.#happens(this.#options.corruptProbability)) return -1
    return randomBelow(this.random, payloadBytes * 8)
  }

  get random(): Random {
    return (this.#random ??= this.#makeRandom())
  }

  /** When the last byte is on the wire; -1 if there is no room to wait. An idle path takes one packet of any size. */
  #queue(nowMs: number, bytes: number): number {
    const { bytesPerSecond, queueBytes } = this.#options
    const startMs = Math.max(nowMs, this.#freeAtMs)
    const waitingBytes = ((startMs - nowMs) * bytesPerSecond) / 1000
    if (waitingBytes > 0 && waitingBytes + bytes > queueBytes) return -1
    this.#freeAtMs = startMs + (bytes * 1000) / bytesPerSecond
    return this.#freeAtMs
  }

  #isLostInBurst(): boolean {
    const { burstLoss } = this.#options
    if (burstLoss === undefined) return false
    if (this.#happens(this.#isBad ? burstLoss.leaveProbability : burstLoss.enterProbability)) this.#isBad = !this.#isBad
    return this.#isBad && this.#happens(burstLoss.lossProbability)
  }

  #happens(probability: number): boolean {
    return probability > 0 && (probability >= 1 || randomFraction(this.random) < probability)
  }
}

/** No chance, no queue: what such a path does to a datagram depends on nothing that came before. */
export function remembersNothing(options: ResolvedPathOptions): boolean {
  const { jitterMs, burstLoss, bytesPerSecond } = options
  const { lossProbability, duplicateProbability, reorderProbability, corruptProbability } = options
  const chance = jitterMs + lossProbability + duplicateProbability + reorderProbability + corruptProbability
  return chance === 0 && burstLoss === undefined && bytesPerSecond === Infinity
}

/** The packets of IP that a datagram takes. Each fragment has the headers again; UDP's stand in the first only, which is as long here. */
function packetCount(payloadBytes: number, headerBytes: number, mtuBytes: number): number {
  const room = mtuBytes - headerBytes
  return payloadBytes <= room ? 1 : Math.ceil(payloadBytes / room)
}

/** Checks options and lays them over `base`. @throws Misuse. */
export function resolvePathOptions(options: PathOptions, base: ResolvedPathOptions, name = 'options'): ResolvedPathOptions {
  checkOptions(name, options, PATH_OPTIONS)
  const number = (key: NumberKey, max: number, min = 0): number => {
    const value = options[key]
    return value === undefined ? base[key] : checkNumber(`${name}.${key}`, value, min, max)
  }
  const { burstLoss, mtuBytes, tooBig } = options
  return Object.freeze({
    latencyMs: number('latencyMs', MAX_MS),
    jitterMs: number('jitterMs', MAX_MS),
    lossProbability: number('lossProbability', 1),
    burstLoss: 'burstLoss' in options ? resolveBurstLoss(`${name}.burstLoss`, burstLoss) : base.burstLoss,
    duplicateProbability: number('duplicateProbability', 1),
    reorderProbability: number('reorderProbability', 1),
    reorderMs: number('reorderMs', MAX_MS),
    corruptProbability: number('corruptProbability', 1),
    bytesPerSecond: number('bytesPerSecond', Infinity, 1),
    queueBytes: number('queueBytes', Infinity),
    mtuBytes: mtuBytes === undefined ? base.mtuBytes : checkInteger(`${name}.mtuBytes`, mtuBytes, MIN_MTU_BYTES, MAX_MTU_BYTES),
    tooBig: tooBig === undefined ? base.tooBig : checkOneOf(`${name}.tooBig`, tooBig, ['fragment', 'drop', 'error']),
  })
}

function resolveBurstLoss(name: string, burst: BurstLoss | undefined): Required<BurstLoss> | undefined {
  if (burst === undefined) return undefined
  checkOptions(name, burst, BURST_OPTIONS)
  return Object.freeze({
    enterProbability: checkNumber(`${name}.enterProbability`, burst.enterProbability, 0, 1),
    leaveProbability: checkNumber(`${name}.leaveProbability`, burst.leaveProbability, 0, 1),
    lossProbability: checkNumber(`${name}.lossProbability`, burst.lossProbability ?? 1, 0, 1),
  })
}

/** A number, with fractions, from `min` to `max`. */
export function checkNumber(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!(value >= min && value <= max)) throw outOfRange(name, `>= ${min} && <= ${max}`, value)
  return value
}

type NumberKey = Exclude<keyof ResolvedPathOptions, 'burstLoss' | 'tooBig' | 'mtuBytes'>

/** A day. */
const MAX_MS = 86_400_000
/** What every IPv4 host takes (RFC 791), near enough. */
const MIN_MTU_BYTES = 576
/** The longest UDP payload with the headers of IPv6 and UDP. */
export const MAX_MTU_BYTES = 65_575
export const PERFECT_PATH: ResolvedPathOptions = Object.freeze({
  latencyMs: 1,
  jitterMs: 0,
  lossProbability: 0,
  burstLoss: undefined,
  duplicateProbability: 0,
  reorderProbability: 0,
  reorderMs: 10,
  corruptProbability: 0,
  bytesPerSecond: Infinity,
  queueBytes: 256 * 1024,
  mtuBytes: 1500,
  tooBig: 'fragment',
})
const PATH_OPTIONS: ReadonlySet<string> = new Set(Object.keys(PERFECT_PATH))
const BURST_OPTIONS: ReadonlySet<string> = new Set(['enterProbability', 'leaveProbability', 'lossProbability'])
