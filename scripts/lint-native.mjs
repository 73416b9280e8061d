// clang-format and clang-tidy over native/, with the flags and headers of the build.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const require = createRequire(import.meta.url)
const files = readdirSync(join(root, 'native')).map((name) => join('native', name))
const sources = files.filter((name) => name.endsWith('.cpp'))
const uv = [resolve(process.execPath, '../../include/node'), '/usr/include/node', '/usr/include'].find((folder) =>
  existsSync(join(folder, 'uv.h')),
)
// prettier-ignore
const flags = [
  '-std=c++20', '-D_GNU_SOURCE', '-DNAPI_VERSION=8', '-DNAPI_DISABLE_CPP_EXCEPTIONS', '-DNODE_ADDON_API_DISABLE_DEPRECATED',
  '-isystem', require('node-api-headers').include_dir, '-isystem', dirname(require.resolve('node-addon-api')),
  ...(uv === undefined ? [] : ['-idirafter', uv]),
]

const passed =
  run('clang-format', ['--dry-run', '--Werror', ...files]) && run('clang-tidy', ['--quiet', ...sources, '--', ...flags])
process.exitCode = passed ? 0 : 1

/** @param {string} program @param {string[]} args */
function run(program, args) {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'ignore'] })
  if (error) console.error(`${program}: ${error.message}`)
  return status === 0
}
