// What tests import as `vitest` where vitest itself does not run: the same runner, assertions and spies, which are plain JavaScript,
// without the bundler and its binaries around them.
import * as chai from 'chai'
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  customMatchers,
  getState,
  setState,
} from '@vitest/expect'
import { fn, restoreAllMocks, spyOn } from '@vitest/spy'

export {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  it,
  onTestFailed,
  onTestFinished,
  suite,
  test,
} from '@vitest/runner'

export const vi = { fn, spyOn, restoreAllMocks }

chai.use(JestExtend)
chai.use(JestChaiExpect)
chai.use(JestAsymmetricMatchers)

// vitest puts its `expect` together in the same way; the types are of the finished thing.
/** @type {any} */
const expect = (/** @type {unknown} */ value, /** @type {string} */ message) => chai.expect(value, message)
/** @type {any} */
const shared = globalThis
/** @type {any} */
const extendable = chai.expect
Object.assign(expect, chai.expect, shared[ASYMMETRIC_MATCHERS_OBJECT], {
  extend: (/** @type {object} */ matchers) => extendable.extend(expect, matchers),
  getState: () => getState(expect),
  setState: (/** @type {object} */ state) => setState(state, expect),
  poll,
  unreachable: (/** @type {string} */ message) => chai.assert.fail(`expected${message ? ` ${message}` : ''} not to be reached`),
})
setState(
  { assertionCalls: 0, isExpectingAssertions: false, isExpectingAssertionsError: null, expectedAssertionsNumber: null },
  expect,
)
/** Tries again until the matcher passes, as vitest's does. @param {() => unknown} read @param {{ timeout?: number, interval?: number }} options */
function poll(read, { timeout = 1000, interval = 50 } = {}) {
  const matchers = (/** @type {boolean} */ isNot) =>
    new Proxy(
      {},
      {
        get(_, name) {
          if (name === 'not') return matchers(!isNot)
          return async (/** @type {unknown[]} */ ...args) => {
            for (const until = performance.now() + timeout; ; await new Promise((resolve) => setTimeout(resolve, interval))) {
              try {
                const assertion = /** @type {any} */ (expect)(await read())
                return (isNot ? assertion.not : assertion)[name](...args)
              } catch (error) {
                if (performance.now() >= until) throw error
              }
            }
          }
        },
      },
    )
  return matchers(false)
}

shared[GLOBAL_EXPECT] = expect
expect.extend(customMatchers)
export { expect }
