import { describe, expect, test } from 'vitest'
import { addonProblem } from '../../../src/binding/index.js'
import { endpoint } from '../../../src/socket/index.js'
import { failure } from '../support/errors.js'

describe('endpoint()', () => {
  test.each([
    ['127.0.0.1', 53, '127.0.0.1:53'],
    ['0:0::1', 53, '[::1]:53'],
    ['fe80::1%3', 0, '[fe80::1%3]:0'],
    ['::ffff:192.0.2.1', 65_535, '[::ffff:192.0.2.1]:65535'],
  ])('makes an endpoint of %j and %i', (address, port, text) => {
    expect(String(endpoint(address, port))).toBe(text)
  })

  test('refuses what is no address or no port', () => {
    failure(() => endpoint('localhost', 53), 'ERR_INVALID_ARG_VALUE', /'address' must be an IPv4 or IPv6 literal/)
    failure(() => endpoint(undefined as never, 53), 'ERR_INVALID_ARG_TYPE', /"address"/)
    failure(() => endpoint('::1', 65_536), 'ERR_OUT_OF_RANGE', /"port"/)
    failure(() => endpoint('::1', '53' as never), 'ERR_INVALID_ARG_TYPE', /"port"/)
  })

  const problem = addonProblem()
  test.skipIf(problem !== undefined)(`takes the name of an interface as a zone (${problem ?? 'this machine has lo'})`, () => {
    expect(endpoint('fe80::1%lo', 53).scopeId).toBe(1)
    failure(() => endpoint('fe80::1%no-such-device', 53), 'ENODEV')
  })
})
