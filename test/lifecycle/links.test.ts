import { expect, test } from 'vitest'
import { fallbackProblem, lacking } from '../support/capabilities.js'
import { runProgram } from '../support/program.js'

// A service needs to know what a datagram was sent to.
test.skipIf(lacking('the addon', fallbackProblem())).each(['close', 'unref'])(
  'links and services let the process end: %s',
  async (how) => {
    expect(await runProgram('links', [how])).toMatchObject({ code: 0, stdout: 'the end\n', stderr: '' })
  },
)
