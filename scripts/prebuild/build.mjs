// Builds the addon for every target with the Zig toolchain from npm, and writes prebuilds/manifest.json.
//   npm run prebuild                       all targets
//   npm run prebuild -- --verify           builds elsewhere and compares with what prebuilds/ has: the same bytes
//   npm run prebuild -- --only linux-arm   the targets whose file begins so; with --verify only
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { toolFolder } from '../tools/tools.mjs'
import { describe, prebuilds, readManifest, root, sourceDigest } from './manifest.mjs'
import { FLAGS, TARGETS } from './targets.mjs'

const { values } = parseArgs({ options: { verify: { type: 'boolean', default: false }, only: { type: 'string', default: '' } } })
if (values.only !== '' && !values.verify)
  throw new Error('--only goes with --verify: the manifest describes one build of everything')
const chosen = TARGETS.filter((target) => target.file.startsWith(values.only))
if (chosen.length === 0) throw new Error(`no target begins with ${values.only}`)

const zig = join(toolFolder('zig'), '@oven', `zig-${process.platform}-${process.arch}`, 'zig')
const nodeHeaders = join(toolFolder('node'), 'node-20', 'include', 'node')
const cache = join(root, 'build-prebuild', 'cache')
const out = values.verify ? join(root, 'build-prebuild', 'verify') : prebuilds

const files = chosen.map((target) => {
  const path = join(out, target.file)
  const startedAt = performance.now()
  compile(target, path)
  const entry = describe(path, target.file)
  console.error(`${entry.file}: ${entry.bytes} bytes in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  return entry
})

if (values.verify) {
  const committed = readManifest().files
  const different = files.filter((entry) => committed.find((other) => other.file === entry.file)?.sha256 !== entry.sha256)
  for (const entry of different)
    console.error(`${entry.file}: built here it is ${entry.sha256}, which is not what the manifest says`)
  rmSync(out, { recursive: true })
  if (different.length > 0) process.exitCode = 1
} else {
  writeFileSync(join(prebuilds, 'manifest.json'), `${JSON.stringify({ sources: sourceDigest(), files }, undefined, 2)}\n`)
}

/** @param {import('./targets.mjs').Target} target @param {string} path */
function compile(target, path) {
  mkdirSync(dirname(path), { recursive: true })
  const require = createRequire(import.meta.url)
  const sources = readdirSync(join(root, 'native')).filter((name) => name.endsWith('.cpp'))
  const args = [
    ...['c++', '-target', target.zig, ...FLAGS, ...target.flags, '-Wl,--version-script=scripts/prebuild/exports.map'],
    // Third-party headers are system headers, so that our warnings stay ours; libuv's, from Node, come last.
    ...['-isystem', require('node-api-headers').include_dir, '-isystem', dirname(require.resolve('node-addon-api'))],
    ...['-idirafter', nodeHeaders],
    // Sorted, and by relative paths: the same bytes on every machine.
    ...[...sources.sort().map((name) => join('native', name)), join('scripts', 'prebuild', 'runtime.cpp')],
    ...['-o', path],
  ]
  const env = { ...process.env, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache, SOURCE_DATE_EPOCH: '0' }
  const { status, error } = spawnSync(zig, args, { cwd: root, env, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) throw new Error(`${target.file} could not be built`)
  // lld writes no time or path into the file; that it stays so is what --verify is for.
  if (readFileSync(path).includes(root)) throw new Error(`${target.file} holds the path of the folder that it was built in`)
}
