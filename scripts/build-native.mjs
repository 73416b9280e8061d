// Builds the addon with cmake-js, if its sources are newer than what was built.
//   node scripts/build-native.mjs              build/Release/geysir.node
//   node scripts/build-native.mjs --sanitize   build-sanitize/build/Release/geysir.node (GEYSIR_PREBUILD=build-sanitize loads it)
//   node scripts/build-native.mjs --lenient    warnings are no errors, for compilers that nobody here has tried
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const sanitize = process.argv.includes('--sanitize')
const out = sanitize ? join(root, 'build-sanitize', 'build') : join(root, 'build')
const addon = join(out, 'Release', 'geysir.node')

if (isCurrent()) {
  console.error(`${addon} is up to date`)
} else {
  const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js')
  const options = [
    ...(sanitize ? ['--CDGEYSIR_SANITIZE=ON'] : []),
    ...(process.argv.includes('--lenient') ? [] : ['--CDGEYSIR_WARNINGS_ARE_ERRORS=ON']),
  ]
  const built = spawnSync(process.execPath, [cmakeJs, 'compile', '--out', out, '--log-level', 'warn', ...options], {
    cwd: root,
    stdio: 'inherit',
  })
  process.exitCode = built.status ?? 1
}

function isCurrent() {
  if (!existsSync(addon)) return false
  const builtAt = statSync(addon).mtimeMs
  const sources = [join(root, 'CMakeLists.txt'), ...readdirSync(join(root, 'native')).map((name) => join(root, 'native', name))]
  return sources.every((source) => statSync(source).mtimeMs < builtAt)
}
