/**
 * `node --import geysir/register app.js`: `dgram` and `node:dgram` are the drop-in for the whole program, its dependencies included, in
 * ESM and in CommonJS. What Node uses inside keeps Node's own. `GEYSIR_DISABLE=1` leaves everything as it is, and so does a platform
 * without the addon.
 */
import nodeModule from 'node:module'
import { addonProblem } from '../binding/index.js'
import dropIn from './index.js'

if (process.env['GEYSIR_DISABLE'] !== '1' && addonProblem() === undefined) {
  redirectRequire()
  redirectImport()
}

/** CommonJS asks `Module._load`, which every tool that replaces modules wraps. */
function redirectRequire(): void {
  const loader = nodeModule as unknown as { _load: (request: string, ...rest: unknown[]) => unknown }
  const load = loader._load
  loader._load = function (request, ...rest): unknown {
    return isDgram(request) ? dropIn : load.call(this, request, ...rest)
  }
}

/** ESM asks the customization hooks; ours runs on the loader's own thread, so it is a module of its own. */
function redirectImport(): void {
  nodeModule.register('./register-hooks.js', {
    parentURL: import.meta.url,
    data: { url: new URL('index.js', import.meta.url).href },
  })
}

function isDgram(request: string): boolean {
  return request === 'dgram' || request === 'node:dgram'
}
