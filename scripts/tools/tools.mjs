// Tools that few commands need and that are large: each folder here is a package of its own, with its lock, installed at its first use.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/**
 * Installs the packages of `name` unless they are there, and returns their node_modules.
 *
 * @param {'zig' | 'node' | 'node-arm'} name
 */
export function toolFolder(name) {
  const folder = join(here, name)
  const modules = join(folder, 'node_modules')
  if (!isCurrent(folder)) {
    console.error(`installing scripts/tools/${name}`)
    // --force: Node for another processor is meant for this one.
    const args = ['ci', '--force', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    const { status, error } = spawnSync('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
    if (error) throw error
    if (status !== 0) throw new Error(`npm ${args.join(' ')} failed in scripts/tools/${name}`)
  }
  return modules
}

/** @param {string} folder */
function isCurrent(folder) {
  const installed = join(folder, 'node_modules', '.package-lock.json')
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(folder, 'package-lock.json')).mtimeMs
}
