import { expect, test } from 'vitest'
import { runProgram } from '../support/program.js'

test.each(['close', 'unref'])('links and services let the process end: %s', async (how) => {
  expect(await runProgram('links', [how])).toMatchObject({ code: 0, stdout: 'the end\n', stderr: '' })
})
