/** What a case of the suite found. With `actual` and `expected`, as test frameworks show them. */
export class LinkSuiteError extends Error {
  override readonly name = 'LinkSuiteError'

  constructor(
    message: string,
    readonly actual?: unknown,
    readonly expected?: unknown,
  ) {
    super(message)
  }
}

export function assertTrue(value: boolean, what: string): asserts value {
  if (!value) throw new LinkSuiteError(`it does not hold: ${what}`, value, true)
}

/** Numbers, strings, booleans, objects by identity. */
export function assertSame(actual: unknown, expected: unknown, what: string): void {
  if (!Object.is(actual, expected)) {
    throw new LinkSuiteError(`${what}: ${show(actual)} instead of ${show(expected)}`, actual, expected)
  }
}

/** Payloads, one by one. */
export function assertPayloads(actual: readonly Buffer[], expected: readonly Buffer[], what: string): void {
  assertSame(actual.length, expected.length, `${what}: the number of datagrams`)
  for (const [i, payload] of expected.entries()) {
    assertSame(actual[i]!.length, payload.length, `${what}: the length of datagram ${i}`)
    assertTrue(actual[i]!.equals(payload), `${what}: the bytes of datagram ${i} are those that were sent`)
  }
}

/** @param codes Any of them will do. */
export function assertThrows(call: () => unknown, what: string, ...codes: string[]): void {
  let result: unknown
  try {
    result = call()
  } catch (error) {
    const code = (error as { code?: unknown }).code
    if (!(error instanceof Error)) throw new LinkSuiteError(`${what}: throws something that is no Error`, error)
    if (codes.includes(code as string)) return
    throw new LinkSuiteError(`${what}: throws ${show(code)} (${error.message}) instead of ${codes.join(' or ')}`, code, codes)
  }
  throw new LinkSuiteError(`${what}: throws nothing, and returns ${show(result)}; ${codes.join(' or ')} is due`)
}

function show(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
