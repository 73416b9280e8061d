import { expect } from 'vitest'

/** Runs what must fail and returns its error, whose `code` and message are checked. */
export function failure(run: () => unknown, code?: string, message?: RegExp): Error & { code: string } {
  let thrown: unknown
  try {
    run()
  } catch (error) {
    thrown = error
  }
  expect(thrown, 'it throws an error').toBeInstanceOf(Error)
  return checked(thrown, code, message)
}

/** As {@link failure}, for a promise. */
export async function rejection(promise: Promise<unknown>, code?: string, message?: RegExp): Promise<Error & { code: string }> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(thrown, 'it rejects with an error').toBeInstanceOf(Error)
  return checked(thrown, code, message)
}

function checked(thrown: unknown, code: string | undefined, message: RegExp | undefined): Error & { code: string } {
  const error = thrown as Error & { code: string }
  if (code !== undefined) expect(error.code ?? error.message).toBe(code)
  if (message !== undefined) expect(error.message).toMatch(message)
  return error
}
