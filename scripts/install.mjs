// npm's install step. A prebuilt addon that loads is used; else it is built from source where there is a compiler; else the package still
// installs, runs on node:dgram, and this says so in one line. Never fails an installation.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

const BUILD_TOOLS = ['cmake-js', 'node-addon-api', 'node-api-headers']
/** What goes wrong is shown; what goes well is not. @type {{ stdio: import('node:child_process').StdioOptions }} */
const QUIET = { stdio: ['ignore', 'ignore', 'inherit'] }

const problem = loads() ? undefined : build()
if (problem !== undefined) {
  console.warn(
    `geysir: no prebuilt addon for ${process.platform}-${process.arch} loads here, and building it failed (${problem}); ` +
      'it runs on node:dgram instead, slower and with fewer features: npx geysir doctor',
  )
}

function loads() {
  if (process.env.npm_config_build_from_source) return false
  try {
    require('node-gyp-build')(root)
    return true
  } catch {
    return false
  }
}

/** Builds from source. @returns {string | undefined} Why that failed. */
function build() {
  if (process.platform !== 'linux') return 'it is for Linux'
  const missing = ['cmake', process.env.CXX ?? 'c++'].find((tool) => spawnSync(tool, ['--version']).error !== undefined)
  if (missing !== undefined) return `there is no ${missing}`
  if (isInstalled('cmake-js')) return buildIn(root)
  return buildApart()
}

/** The tools of the build are no dependencies of the package: they are fetched for it and removed again. */
function buildApart() {
  const folder = mkdtempSync(join(tmpdir(), 'geysir-build-'))
  try {
    for (const name of ['native', 'scripts', 'CMakeLists.txt']) cpSync(join(root, name), join(folder, name), { recursive: true })
    const { version, devDependencies, binary } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const dependencies = Object.fromEntries(BUILD_TOOLS.map((name) => [name, devDependencies[name]]))
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'geysir-build', version, private: true, dependencies, binary }),
    )
    const fetched = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, ...QUIET })
    if (fetched.status !== 0) return `npm could not fetch ${BUILD_TOOLS.join(', ')}`
    const failed = buildIn(folder)
    if (failed !== undefined) return failed
    mkdirSync(join(root, 'build', 'Release'), { recursive: true })
    cpSync(join(folder, 'build', 'Release', 'geysir.node'), join(root, 'build', 'Release', 'geysir.node'))
    return undefined
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @param {string} folder */
function buildIn(folder) {
  const { status } = spawnSync(process.execPath, [join(folder, 'scripts', 'build-native.mjs'), '--lenient'], {
    cwd: folder,
    ...QUIET,
  })
  return status === 0 ? undefined : 'see the messages of the compiler'
}

/** @param {string} name */
function isInstalled(name) {
  try {
    require.resolve(`${name}/package.json`)
    return true
  } catch {
    return false
  }
}
