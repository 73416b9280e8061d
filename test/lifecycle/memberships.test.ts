import { expect, test } from 'vitest'
import { runProgram } from '../support/program.js'

test.each(['exit', 'unref'])('workers and a process end with memberships open (%s)', async (how) => {
  expect(await runProgram('memberships', [how])).toEqual({ code: 0, signal: null, stdout: 'heard\n', stderr: '' })
})
