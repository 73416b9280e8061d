/** Calls `follow` whenever a listener was added or removed. `once` and `prependOnceListener` come through these as well. */
export function followListeners<Emitter extends object>(prototype: Emitter, follow: (emitter: Emitter) => void): void {
  const methods = prototype as Record<string, unknown>
  for (const name of ['on', 'addListener', 'prependListener', 'off', 'removeListener', 'removeAllListeners']) {
    const inherited = methods[name] as (...args: unknown[]) => unknown
    const value = function (this: Emitter, ...args: unknown[]): unknown {
      const result = inherited.apply(this, args)
      follow(this)
      return result
    }
    Object.defineProperty(prototype, name, { value, configurable: true, writable: true })
  }
}
