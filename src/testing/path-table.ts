import type { Random } from '../core/index.js'
import {
  MAX_MTU_BYTES,
  PERFECT_PATH,
  Path,
  remembersNothing,
  resolvePathOptions,
  type PathOptions,
  type ResolvedPathOptions,
} from './path.js'

/** The paths between any two hosts of a network, by the hosts' indices: most are as by default, and those share one. */
export class PathTable {
  readonly #makeRandom: (fromIndex: number, toIndex: number) => Random
  /** Those that remember something and are in use, by {@link pairKey}. */
  readonly #paths = new Map<number, Path>()
  /** Stands for all that remember nothing. */
  readonly #shared = new Path(PERFECT_PATH, noChance)
  readonly #loopback = new Path(LOOPBACK_PATH, noChance)
  readonly #overrides = new Map<number, PathOptions>()
  #default: ResolvedPathOptions
  #isDefaultShared = true

  /**
   * @param makeRandom The chance of one path.
   * @throws Misuse, of `options.path`.
   */
  constructor(options: PathOptions, makeRandom: (fromIndex: number, toIndex: number) => Random) {
    this.#makeRandom = makeRandom
    this.#default = resolvePathOptions(options, PERFECT_PATH, 'options.path')
    this.#update()
  }

  /** Changes what is the default; what is not named stays. @throws Misuse. */
  setDefault(options: PathOptions): void {
    this.#default = resolvePathOptions(options, this.#default)
    this.#update()
  }

  /** Sets one direction; what is not named is as by default. @throws Misuse. */
  set(fromIndex: number, toIndex: number, options: PathOptions): void {
    resolvePathOptions(options, this.#default)
    this.#overrides.set(pairKey(fromIndex, toIndex), { ...options })
    this.#update()
  }

  get(fromIndex: number, toIndex: number): Path {
    const isLoopback = fromIndex === toIndex
    if (this.#paths.size === 0 && this.#overrides.size === 0 && !isLoopback && this.#isDefaultShared) return this.#shared
    const key = pairKey(fromIndex, toIndex)
    const known = this.#paths.get(key)
    if (known !== undefined) return known
    if (!this.#overrides.has(key)) {
      if (isLoopback) return this.#loopback
      if (this.#isDefaultShared) return this.#shared
    }
    const path = new Path(this.#optionsOf(key), () => this.#makeRandom(fromIndex, toIndex))
    this.#paths.set(key, path)
    return path
  }

  #optionsOf(key: number): ResolvedPathOptions {
    const base = Math.floor(key / MAX_HOSTS) === key % MAX_HOSTS ? LOOPBACK_PATH : this.#default
    const override = this.#overrides.get(key)
    return override === undefined ? base : resolvePathOptions(override, base)
  }

  #update(): void {
    this.#isDefaultShared = remembersNothing(this.#default)
    if (this.#isDefaultShared) this.#shared.options = this.#default
    for (const [key, path] of this.#paths) path.options = this.#optionsOf(key)
  }
}

function pairKey(fromIndex: number, toIndex: number): number {
  return fromIndex * MAX_HOSTS + toIndex
}

function noChance(): never {
  throw new Error('a path that remembers nothing needs no chance')
}

const LOOPBACK_PATH = Object.freeze({ ...PERFECT_PATH, latencyMs: 0, mtuBytes: MAX_MTU_BYTES })
/** What default addresses have room for. */
const MAX_HOSTS = 2 ** 24
