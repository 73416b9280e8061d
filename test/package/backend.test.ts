import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

/** What a process that sets GEYSIR_BACKEND so says of its sockets, or the code of what it throws. */
function backendOf(value: string | undefined): unknown {
  const program = `
    import { capabilities } from 'geysir'
    try {
      const { backend, fallbackReason } = capabilities()
      console.log(JSON.stringify({ backend, fallbackReason }))
    } catch (error) {
      console.log(JSON.stringify(error.code))
    }`
  const env = { ...process.env }
  delete env['GEYSIR_BACKEND']
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    encoding: 'utf8',
    env: value === undefined ? env : { ...env, GEYSIR_BACKEND: value },
  })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout)
}

test('sockets run on the addon where it loads, unless GEYSIR_BACKEND says otherwise', () => {
  expect(backendOf(undefined)).toEqual({ backend: 'native' })
  expect(backendOf('')).toEqual({ backend: 'native' })
  expect(backendOf('native')).toEqual({ backend: 'native' })
  expect(backendOf('dgram')).toEqual({ backend: 'dgram', fallbackReason: 'GEYSIR_BACKEND=dgram' })
  expect(backendOf('fast')).toEqual('ERR_INVALID_ARG_VALUE')
})
