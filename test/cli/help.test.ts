import { accessSync, constants, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MAIN, geysir } from './command.js'

const COMMANDS = ['listen', 'send', 'message', 'push', 'receive', 'proxy', 'doctor', 'interfaces', 'channel', 'bench']
const WITH_EXAMPLES = [...COMMANDS, 'channel pub', 'channel sub', 'channel list']

test('--version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  expect(await geysir(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
})

test('--help names every command, and none that is not for users', async () => {
  const { code, stdout } = await geysir(['--help'])
  expect(code).toBe(0)
  for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'))
  expect(stdout).not.toMatch(/bench-/)
})

test.each(WITH_EXAMPLES)('geysir %s --help has examples and exit statuses', async (command) => {
  const { code, stdout } = await geysir([...command.split(' '), '--help'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^Examples:\n {2}geysir /m)
  expect(stdout).toMatch(/^Exit status:\n {4}0 {2}done/m)
})

test('no line of a help is wider than 130 characters', async () => {
  for (const command of WITH_EXAMPLES) {
    const { stdout } = await geysir([...command.split(' '), '--help'])
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(130)
  }
})

test('the file that package.json names is a program', () => {
  accessSync(MAIN, constants.R_OK)
  expect(readFileSync(MAIN, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
})
