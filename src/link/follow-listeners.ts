import { EventEmitter } from 'node:events'

/** Calls `follow` whenever a listener was added or removed. `once` and `prependOnceListener` come through these as well. */
export function followListeners<Emitter extends object>(prototype: Emitter, follow: (emitter: Emitter) => void): void {
  for (const name of ['on', 'addListener', 'prependListener', 'off', 'removeListener', 'removeAllListeners'] as const) {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its receiver below
    const inherited = EventEmitter.prototype[name] as (...args: unknown[]) => unknown
    const value = function (this: Emitter, ...args: unknown[]): unknown {
      const result = inherited.apply(this, args)
      follow(this)
      return result
    }
    Object.defineProperty(prototype, name, { value, configurable: true, writable: true })
  }
}
