// Lays the addon that was built here out as node-gyp-build looks for it, so that the packed package runs on this platform without a
// compiler. The libc stands in the file's name: a musl build under the same name would be loaded on glibc.
import { copyFileSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport())
const libc = report.header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`)
const file = join(folder, `geysir.${libc}.node`)
mkdirSync(folder, { recursive: true })
copyFileSync(join(root, 'build', 'Release', 'geysir.node'), file)
console.error(`packed ${file}`)
