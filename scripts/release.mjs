// Everything that a release must pass, and then the tarball. Publishes nothing.
//   npm run release
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

checkTree()
checkChangelog()
run('.ci/run')
run('npm', 'run', '--silent', 'prebuild', '--', '--verify')
run('npm', 'run', '--silent', 'test:matrix')
run('npm', 'pack')
console.log(`${name}-${version}.tgz is ready. To publish it: git tag v${version} && npm publish ${name}-${version}.tgz`)

function checkTree() {
  const changes = execFileSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' })
  if (changes !== '') stop(`there are changes that are not committed:\n${changes}`)
}

/** The section of the version, with a date, and nothing left above it. */
function checkChangelog() {
  if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version)) stop(`${version} is not a semantic version`)
  const sections = readFileSync(join(root, 'CHANGELOG.md'), 'utf8').split(/^## /m).slice(1)
  const unreleased = sections.find((section) => section.startsWith('[Unreleased]')) ?? ''
  if (/^- /m.test(unreleased)) stop(`CHANGELOG.md has entries under [Unreleased]: move them under [${version}]`)
  const own = sections.find((section) => section.startsWith(`[${version}]`))
  if (own === undefined) stop(`CHANGELOG.md has no section [${version}]`)
  else if (!/^\[[^\]]+\] - \d{4}-\d{2}-\d{2}\n/.test(own)) stop(`the section [${version}] of CHANGELOG.md has no date`)
}

/** @param {string} command @param {string[]} args */
function run(command, ...args) {
  console.log(`\n=== ${[command, ...args].join(' ')}`)
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) stop(`${command} failed`)
}

/** @param {string} problem @returns {never} */
function stop(problem) {
  console.error(`not released: ${problem}`)
  process.exit(1)
}
