import { invalidArgType } from './errors.js'

/** An `AbortSignal`, or nothing. @throws `ERR_INVALID_ARG_TYPE`, also for what merely looks like one. */
export function checkSignal(name: string, value: AbortSignal | undefined): AbortSignal | undefined {
  if (value !== undefined && !(value instanceof AbortSignal)) throw invalidArgType(name, 'an instance of AbortSignal', value)
  return value
}

/**
 * Calls `obey` once, when the signal is aborted. If it is aborted already, then as soon as the running code has returned, that whoever
 * makes an object has time to listen to it.
 *
 * @returns Lets go of the signal: `obey` is not called any more. Harmless to repeat.
 */
export function obeySignal(signal: AbortSignal | undefined, obey: () => void): () => void {
  if (signal === undefined) return nothingToLetGo
  if (!signal.aborted) {
    const onAbort = (): void => obey()
    signal.addEventListener('abort', onAbort, { once: true })
    return () => signal.removeEventListener('abort', onAbort)
  }
  let isHeld = true
  queueMicrotask(() => {
    if (isHeld) obey()
  })
  return () => {
    isHeld = false
  }
}

function nothingToLetGo(): void {}
