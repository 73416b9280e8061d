// prebuilds/manifest.json: what each prebuilt addon is, and the digest of the sources that all of them were built from.
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
export const prebuilds = join(root, 'prebuilds')

/**
 * @typedef {{ file: string, bytes: number, sha256: string }} ManifestEntry
 * @typedef {{ sources: string, files: ManifestEntry[] }} Manifest
 */

/** @returns {Manifest} */
export function readManifest() {
  return JSON.parse(readFileSync(join(prebuilds, 'manifest.json'), 'utf8'))
}

/** SHA-256 over everything that decides what the compiler is given: native/ and the files beside this one that describe the build. */
export function sourceDigest() {
  const native = readdirSync(join(root, 'native')).map((name) => `native/${name}`)
  const build = ['exports.map', 'runtime.cpp', 'targets.mjs'].map((name) => `scripts/prebuild/${name}`)
  const hash = createHash('sha256')
  for (const name of [...native, ...build].sort()) {
    const content = readFileSync(join(root, name))
    hash.update(`${name}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

/** @param {string} path @param {string} file @returns {ManifestEntry} */
export function describe(path, file) {
  const content = readFileSync(path)
  return { file, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }
}
