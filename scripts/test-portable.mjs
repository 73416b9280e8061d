// Compiles src/ and test/ to plain JavaScript and runs tests in runtimes that vitest does not run in.
//   node scripts/test-portable.mjs arm64|armv7|node [test file or folder...]
// arm64 and armv7 are Node from npm under qemu-user, with the prebuilt addon; they need Debian's qemu-user (or qemu-user-static) and the
// cross libraries libc6-, libstdc++6- and libgcc-s1-{arm64,armhf}-cross, and libatomic1-armhf-cross.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { toolFolder } from './tools/tools.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(root, 'build-portable')
const [runtime, ...chosen] = process.argv.slice(2)
/** What depends on the processor: sockets, addresses and records. The emulator has not what interfaces and links are made of. */
const KERNEL = [
  'accounting',
  'addresses',
  'ancillary',
  'arguments',
  'coalescing',
  'connect',
  'iteration',
  'layout',
  'lookup',
  'multicast',
]
const MORE_KERNEL = ['options', 'payloads', 'peer-errors', 'receive-buffer']
const DEFAULT = [
  ...[...KERNEL, ...MORE_KERNEL].map((name) => `test/kernel/${name}.test.ts`),
  'test/unit/binding',
  'test/unit/core',
  // NEON.
  'test/unit/fec/xor.test.ts',
]

/** What sockets on node:dgram cannot do, beside the tests that are skipped there. */
const DGRAM_LACKS = [
  ...['reusePort', 'bindToDevice', 'priority', 'mark', 'busyPollMicroseconds', 'maxPacingBytesPerSecond', 'freeBind', 'tos'],
  ...[
    'dontFragment',
    'pathMtuDiscovery',
    'pathMtuBytes',
    'multicastAll',
    'receiveErrors',
    'receivePacketInfo',
    'receiveTtl',
    'receiveTos',
  ],
  ...[
    'receiveTimestamp',
    'receiveOffload',
    'sendOffload',
    'Send options',
    'Sending elsewhere from a connected socket',
    'Group membership',
  ],
  // A discovery link that is closed in the turn in which it sends: docs/platforms.md.
  'it did not happen within 20000 turns: the farewell arrives',
]

/** What qemu-user 7.2 refuses, as real boards do not. */
const QEMU_LACKS = [
  ...['receiveTimestamp', 'multicastAll', 'multicastInterface', 'maxPacingBytesPerSecond', 'pathMtuBytes', 'receiveTtl'],
  ...['mark', 'busyPollMicroseconds', 'Group membership', 'Source-specific membership'],
  // It reads this option as a number.
  'getsockopt EINVAL \\(bindToDevice\\)',
  // The test that it is told for connected sockets only.
  'expected TypeError: Option pathMtuBytes is not ava.*',
  // A path MTU that is not told counts as Ethernet's, and the limit of memberships is not reached.
  'expected 1472 to be 65507.*',
  'expected TypeError: Group membership is not availa.*',
]

compile()
const files = (chosen.length > 0 ? chosen : DEFAULT).flatMap(testFiles).map((file) => file.replace(/\.ts$/, '.js'))
const isEmulated = runtime?.startsWith('arm')
const results = process.env.GEYSIR_TEST_RESULTS
const [command, ...args] = [...commandOf(runtime), ...(results === undefined ? [] : ['--json', results]), ...files]
const run = spawnSync(command, args, {
  cwd: out,
  stdio: 'inherit',
  // A hang is a failure of what is tested.
  timeout: 15 * 60_000,
  env: {
    ...process.env,
    GEYSIR_POISON: '1',
    ...lacks(),
  },
})
if (run.error) console.error(run.error.message)
process.exitCode = run.status ?? 1

function lacks() {
  if (isEmulated) return { PREBUILDS_ONLY: '1', GEYSIR_TEST_LACKS: QEMU_LACKS.join('|') }
  return process.env.GEYSIR_BACKEND === 'dgram' ? { GEYSIR_TEST_LACKS: DGRAM_LACKS.join('|') } : {}
}

/** @param {string | undefined} name @returns {[string, ...string[]]} */
function commandOf(name) {
  const runner = join('test', 'portable', 'run.mjs')
  switch (name) {
    case 'arm64':
      return [...emulator('aarch64', '/usr/aarch64-linux-gnu'), join(toolFolder('node-arm'), 'node-arm64', 'bin', 'node'), runner]
    case 'armv7':
      return [...emulator('arm', '/usr/arm-linux-gnueabihf'), join(toolFolder('node-arm'), 'node-armv7', 'bin', 'node'), runner]
    case 'node':
      return [process.execPath, runner]
    default:
      throw new Error('which runtime? arm64, armv7 or node')
  }
}

/** @param {string} processor @param {string} libraries @returns {[string, ...string[]]} */
function emulator(processor, libraries) {
  if (!existsSync(libraries)) throw new Error(`${libraries} is missing: see the packages that this script needs`)
  const names = [`qemu-${processor}`, `qemu-${processor}-static`]
  const found = names.find((name) => spawnSync(name, ['--version']).error === undefined)
  if (found === undefined) throw new Error(`neither ${names.join(' nor ')} was found: install qemu-user`)
  return [found, '-L', libraries]
}

/** The tree as it is, so that every relative path holds, with the shim as the package that tests import. */
function compile() {
  rmSync(out, { recursive: true, force: true })
  const ts = createRequire(import.meta.url)('typescript')
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (/** @type {string} */ path) => readFileSync(path, 'utf8'))
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, module: 'ESNext', moduleResolution: 'bundler', noEmit: false },
    root,
  )
  for (const path of ['src', 'test'].flatMap((folder) => listFiles(join(root, folder)))) {
    const target = join(out, relative(root, path))
    mkdirSync(dirname(target), { recursive: true })
    if (!path.endsWith('.ts')) cpSync(path, target)
    else {
      const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), { compilerOptions: options, fileName: path })
      writeFileSync(target.replace(/\.ts$/, '.js'), outputText)
    }
  }
  for (const name of ['package.json', 'prebuilds', 'build', 'dist']) symlinkSync(join(root, name), join(out, name))
  const shim = join(out, 'node_modules', 'vitest')
  mkdirSync(shim, { recursive: true })
  writeFileSync(join(shim, 'package.json'), '{ "type": "module", "exports": "./index.mjs" }')
  cpSync(join(root, 'test', 'portable', 'vitest.mjs'), join(shim, 'index.mjs'))
}

/** @param {string} name A file or a folder, from the root. @returns {string[]} */
function testFiles(name) {
  const path = join(root, name)
  if (!statSync(path).isDirectory()) return [name]
  return listFiles(path)
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => relative(root, file))
    .sort()
}

/** @param {string} folder @returns {string[]} */
function listFiles(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
