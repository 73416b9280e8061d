// npm's install step. A prebuilt addon that loads is used; else it is built from source where that is possible; else the package
// still installs and says in one line what that means.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const here = dirname(fileURLToPath(import.meta.url))

if (!loads() && !builds()) {
  console.warn(
    'geysir: no addon for this platform and none could be built (it needs cmake-js, CMake and a C++20 compiler); the package throws when it is used',
  )
}

function loads() {
  try {
    require('node-gyp-build')(resolve(here, '..'))
    return true
  } catch {
    return false
  }
}

function builds() {
  try {
    require.resolve('cmake-js/bin/cmake-js')
  } catch {
    return false
  }
  return spawnSync(process.execPath, [resolve(here, 'build-native.mjs')], { stdio: 'inherit' }).status === 0
}
