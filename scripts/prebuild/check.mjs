// Are the prebuilt addons what they claim to be? They must have been built from the sources of now, be small and stripped, show Node what
// it looks for and nothing else, and ask the system for nothing but an old libc.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readSharedObject } from './elf.mjs'
import { describe, prebuilds, readManifest, sourceDigest } from './manifest.mjs'
import { GLIBC_MINIMUM, MAX_ADDON_BYTES, TARGETS } from './targets.mjs'

const X86_64 = 62
const LARGEST_PAGE = 65_536
const EXPORTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1']
const LIBRARIES = { glibc: /^(lib(c|m|pthread|dl|rt)\.so\.\d|ld-linux.*)/, musl: /^libc\.(so|musl-.*)/ }
const CXX_RUNTIME = /^(_Z|__cxa_(?!finalize|atexit)|__gxx_|_Unwind_)/

/** @type {string[]} */
const problems = []
if (existsSync(join(prebuilds, 'manifest.json'))) checkAll()
else problems.push('prebuilds/manifest.json is missing: npm run prebuild')
for (const problem of problems) console.error(problem)
process.exitCode = problems.length > 0 ? 1 : 0

function checkAll() {
  const manifest = readManifest()
  if (manifest.sources !== sourceDigest()) problems.push('native/ is not what prebuilds/ was built from: npm run prebuild')
  const wanted = TARGETS.map((target) => target.file).sort()
  const present = readdirSync(prebuilds, { recursive: true }).map(String)
  const extra = present.filter((name) => name.endsWith('.node') && !wanted.includes(name))
  for (const name of extra) problems.push(`${name}: belongs to no target`)
  for (const target of TARGETS) {
    const entry = manifest.files.find((candidate) => candidate.file === target.file)
    if (entry === undefined || !present.includes(target.file)) problems.push(`${target.file}: missing`)
    else checkFile(target, entry)
  }
}

/** @param {import('./targets.mjs').Target} target @param {import('./manifest.mjs').ManifestEntry} entry */
function checkFile(target, entry) {
  /** @param {boolean} holds @param {string} problem */
  const check = (holds, problem) => {
    if (!holds) problems.push(`${target.file}: ${problem}`)
  }
  const path = join(prebuilds, target.file)
  const actual = describe(path, target.file)
  check(actual.sha256 === entry.sha256 && actual.bytes === entry.bytes, 'is not the file of the manifest')
  check(actual.bytes < MAX_ADDON_BYTES, `has ${actual.bytes} bytes, more than ${MAX_ADDON_BYTES}`)

  const object = readSharedObject(path)
  check(object.bits === target.elf.bits && object.machine === target.elf.machine, 'is for another processor')
  check(object.stripped, 'is not stripped')
  check(object.bits === 32 || object.machine === X86_64 || object.pageBytes >= LARGEST_PAGE, 'does not load with pages of 64 KiB')
  check(object.exports.sort().join() === EXPORTS.join(), `exports ${object.exports.join(', ')}`)
  for (const library of object.needed) check(LIBRARIES[target.libc].test(library), `needs ${library}`)
  for (const version of object.versions) check(isOldEnough(version), `needs ${version}, newer than GLIBC_${GLIBC_MINIMUM}`)
  // Linking leaves to Node what nobody defines; a C++ runtime is not among what Node defines for addons.
  for (const name of object.imports) check(!CXX_RUNTIME.test(name), `needs ${name} from a C++ library`)
}

/** @param {string} version */
function isOldEnough(version) {
  const number = /^GLIBC_(\d+)\.(\d+)/.exec(version)
  const [major = 0, minor = 0] = GLIBC_MINIMUM.split('.').map(Number)
  return number !== null && (Number(number[1]) < major || (Number(number[1]) === major && Number(number[2]) <= minor))
}
