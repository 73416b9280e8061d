import { expect, test } from 'vitest'
import { addonProblem, loadAddon } from '../../src/binding/index.js'
import { lacking } from '../support/capabilities.js'

/** What a C compiler makes of `struct group_req` and `group_source_req` (RFC 3678), whose first member is padded to a pointer's size. */
const POINTER_BYTES: Readonly<Record<string, number>> = { x64: 8, arm64: 8, arm: 4 }
const SOCKADDR_STORAGE_BYTES = 128

test.skipIf(lacking('the addon', addonProblem()))('the group requests are laid out as this processor has them', () => {
  const pointerBytes = POINTER_BYTES[process.arch]!
  expect(loadAddon().layout).toMatchObject({
    pointerBytes,
    groupRequestAddressOffset: pointerBytes,
    groupSourceRequestSourceOffset: pointerBytes + SOCKADDR_STORAGE_BYTES,
    groupSourceRequestBytes: pointerBytes + 2 * SOCKADDR_STORAGE_BYTES,
  })
})
