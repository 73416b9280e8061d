import { expect, test } from 'vitest'
import { runProgram } from '../support/program.js'

test.each(['exit', 'unref'])('workers and a process end with monitors open (%s)', async (how) => {
  expect(await runProgram('monitors', [how])).toEqual({ code: 0, signal: null, stdout: 'interfaces true\n', stderr: '' })
})
