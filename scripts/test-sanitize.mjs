// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer and runs the tests that reach it.
//   npm run test:sanitize [-- vitest arguments]
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const built = spawnSync(process.execPath, [join(root, 'scripts', 'build-native.mjs'), '--sanitize'], { stdio: 'inherit' })
if (built.status !== 0) process.exit(built.status ?? 1)

// The sanitizer must be the first library of the process, and node was not linked with it.
const library = execFileSync(process.env.CXX ?? 'c++', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim()
if (!existsSync(library)) {
  console.error(`${library} was not found: install the compiler's AddressSanitizer runtime`)
  process.exit(1)
}

const chosen = process.argv.slice(2)
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const run = spawnSync(process.execPath, [vitest, 'run', ...(chosen.length > 0 ? chosen : ['test/kernel', 'test/lifecycle'])], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    LD_PRELOAD: library,
    // Node leaves what it allocated for its whole life to the end of the process, and V8 reserves address space by design.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:handle_segv=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    GEYSIR_PREBUILD: join(root, 'build-sanitize'),
    GEYSIR_SANITIZED: '1',
  },
})
process.exit(run.status ?? 1)
