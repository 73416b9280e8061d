import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacking, toolProblem } from '../support/capabilities.js'

/** node-gyp-build takes the libc from here: a file for musl is found, and does not load on glibc (nor the other way round). */
const NO_PREBUILD_LOADS = { LIBC: existsSync('/etc/alpine-release') ? 'glibc' : 'musl' }
const EXPECTED = [
  /^package\.json$/,
  /^(ARCHITECTURE|CHANGELOG|README)\.md$/,
  /^LICENSE$/,
  /^CMakeLists\.txt$/,
  /^dist\/(.+\/)?[a-z0-9-]+\.(js|d\.ts)$/,
  /^docs\/(wire\/)?[a-z0-9-]+\.md$/,
  /^native\/[a-z0-9_-]+\.(cpp|h)$/,
  /^prebuilds\/linux-(x64|arm64|arm)\/geysir\.(armv7\.)?(glibc|musl)\.node$/,
  /^prebuilds\/(manifest\.json|README\.md)$/,
  /^scripts\/(install|build-native)\.mjs$/,
]
const root = fileURLToPath(new URL('../..', import.meta.url))
const MAX_PACKED_BYTES = 2_000_000
const PROGRAM_TIMEOUT_MS = 10_000
const BUILD_TIMEOUT_MS = 180_000
const INSTALL_TIMEOUT_MS = 60_000

/** The tarball that `npm pack` makes, installed in empty folders as a user would. */
const work = mkdtempSync(join(tmpdir(), 'geysir-package-'))
let tarball = ''
let files: string[] = []

beforeAll(() => {
  // What `npm test` has built; prepack would build it again.
  const packed = npm(root, ['pack', '--ignore-scripts', '--json', '--pack-destination', work])
  const [description] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }]
  tarball = join(work, description.filename)
  files = description.files.map((file) => file.path)
}, INSTALL_TIMEOUT_MS)

afterAll(() => rmSync(work, { recursive: true, force: true }))

describe('the packed package', () => {
  it('is under 2 MB', () => {
    expect(statSync(tarball).size).toBeLessThan(MAX_PACKED_BYTES)
  })

  it('holds the compiled library with its types, the addons, what building takes, the documents, and nothing else', () => {
    const unexpected = files.filter((file) => !EXPECTED.some((pattern) => pattern.test(file)))
    expect(unexpected).toEqual([])
    const missing = EXPECTED.filter((pattern) => !files.some((file) => pattern.test(file)))
    expect(missing).toEqual([])
  })

  it('holds each addon of the manifest', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'prebuilds', 'manifest.json'), 'utf8')) as { files: { file: string }[] }
    expect(files.filter((file) => file.endsWith('.node')).sort()).toEqual(
      manifest.files.map(({ file }) => `prebuilds/${file}`).sort(),
    )
  })
})

describe('its installation in an empty folder', () => {
  it(
    'uses the prebuilt addon, runs no compiler even where there is one, and a program runs',
    () => {
      const folder = join(work, 'with-compiler')
      const { tools, ran } = toolsWith(folder, ['c++', 'cmake'])
      const installed = install(folder, { PATH: tools })
      expect(installed.stderr).not.toContain('geysir:')
      expect(ran()).toEqual([])
      expect(runProgram(folder, { PATH: tools })).toEqual({ received: 'hello', batches: true })
    },
    INSTALL_TIMEOUT_MS,
  )

  it(
    'says in one line what it means that no addon loads and that there is no compiler; a program still runs',
    () => {
      const folder = join(work, 'without-compiler')
      const { tools } = toolsWith(folder, [])
      const env = { PATH: tools, ...NO_PREBUILD_LOADS }
      const installed = install(folder, env)
      expect(installed.stderr.split('\n').filter((line) => line.startsWith('geysir:'))).toEqual([
        expect.stringMatching(/there is no cmake.*runs on node:dgram instead.*geysir doctor/),
      ])
      expect(runProgram(folder, env)).toEqual({ received: 'hello', batches: false })
    },
    INSTALL_TIMEOUT_MS,
  )

  it.skipIf(lacking('a compiler', toolProblem('c++', '--version') ?? toolProblem('cmake', '--version')))(
    'builds the addon where no prebuilt one loads and there is a compiler',
    () => {
      const folder = join(work, 'from-source')
      mkdirSync(folder)
      const installed = install(folder, NO_PREBUILD_LOADS)
      expect(installed.stderr).not.toContain('geysir:')
      expect(existsSync(join(folder, 'node_modules', 'geysir', 'build', 'Release', 'geysir.node'))).toBe(true)
      expect(runProgram(folder, NO_PREBUILD_LOADS)).toEqual({ received: 'hello', batches: true })
    },
    BUILD_TIMEOUT_MS,
  )
})

/** A PATH with what npm needs, and with tools that only note that they were run. */
function toolsWith(folder: string, fakes: string[]): { tools: string; ran: () => string[] } {
  const tools = join(folder, 'tools')
  const ran = join(folder, 'ran')
  mkdirSync(tools, { recursive: true })
  symlinkSync(process.execPath, join(tools, 'node'))
  symlinkSync('/bin/sh', join(tools, 'sh'))
  for (const fake of fakes) {
    const path = join(tools, fake)
    writeFileSync(path, `#!/bin/sh\necho ${fake} >>'${ran}'\n`)
    chmodSync(path, 0o755)
  }
  return { tools, ran: () => (existsSync(ran) ? readFileSync(ran, 'utf8').trim().split('\n') : []) }
}

function install(folder: string, env: NodeJS.ProcessEnv): SpawnSyncReturns<string> {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  writeFileSync(join(folder, 'program.mjs'), PROGRAM)
  return npm(folder, ['install', '--prefer-offline', '--foreground-scripts', '--no-audit', '--no-fund', tarball], env)
}

function npm(folder: string, args: string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  const program = process.env['npm_execpath'] ?? npmBeside(process.execPath)
  const result = spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...withoutNpm(process.env), ...env },
  })
  expect(result.error).toBeUndefined()
  expect(result.status, result.stderr).toBe(0)
  return result
}

/** npm's own program, for a run without npm: beside node, or where PATH has it. */
function npmBeside(node: string): string {
  const folders = [dirname(node), ...(process.env['PATH'] ?? '').split(delimiter)]
  const found = folders.map((folder) => join(folder, 'npm')).find((path) => existsSync(path))
  if (found === undefined) throw new Error('npm was not found')
  return found
}

/** This run may be npm's own, whose settings must not leak into the one that is tested; and it is no test build. */
function withoutNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const leaking = /^(npm_(?!config_(registry|cache|userconfig))|NODE_PATH$|GEYSIR_|VITEST)/
  return Object.fromEntries(Object.entries(env).filter(([name]) => !leaking.test(name)))
}

function runProgram(folder: string, env: NodeJS.ProcessEnv): unknown {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['program.mjs'], {
    cwd: folder,
    encoding: 'utf8',
    timeout: PROGRAM_TIMEOUT_MS,
    env: { ...withoutNpm(process.env), ...env },
  })
  expect(status, stderr).toBe(0)
  return JSON.parse(stdout)
}

const PROGRAM = `
import { UdpSocket, capabilities } from 'geysir'
const [receiver, sender] = [new UdpSocket({ type: 'udp4' }), new UdpSocket({ type: 'udp4' })]
receiver.on('datagram', (payload) => {
  console.log(JSON.stringify({ received: payload.toString(), batches: capabilities().backend === 'native' }))
  receiver.close()
  sender.close()
})
await receiver.bind({ address: '127.0.0.1' })
sender.send('hello', receiver.address())
`
