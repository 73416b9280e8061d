import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { featureUnavailable } from '../core/index.js'
import { RECORD_LAYOUT, type Addon, type NativeLayout } from './native.js'

/**
 * The addon of this process: a prebuilt one, or the one that was built from source.
 *
 * @throws `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM` where there is none, or one of another version.
 */
export function loadAddon(): Addon {
  loaded ??= load()
  return loaded
}

/** Is there an addon that {@link loadAddon} would return? The reason if not. */
export function addonProblem(): string | undefined {
  try {
    loadAddon()
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

let loaded: Addon | undefined

function load(): Addon {
  const require = createRequire(import.meta.url)
  const nodeGypBuild = require('node-gyp-build') as (root: string) => unknown
  let addon: Addon
  try {
    addon = nodeGypBuild(packageRoot) as Addon
  } catch (error) {
    throw featureUnavailable('The native addon', `${(error as Error).message}; npm run build:native makes one`)
  }
  checkLayout(addon.layout)
  return addon
}

function checkLayout(layout: NativeLayout): void {
  for (const [name, value] of Object.entries(RECORD_LAYOUT)) {
    const actual = layout[name as keyof NativeLayout]
    if (actual !== value) {
      throw featureUnavailable('The native addon', `it was built from other sources (${name} is ${actual}, not ${value})`)
    }
  }
}

const packageRoot = fileURLToPath(new URL('../..', import.meta.url))
