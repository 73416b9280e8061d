/**
 * `node --import geysir/register app.js`: `dgram` and `node:dgram` are the drop-in for the whole program, its dependencies included, in
 * ESM and in CommonJS. What Node uses inside keeps Node's own. `GEYSIR_DISABLE=1` leaves everything as it is, and so do a platform
 * without the addon and Node's permission model, under which everything would be Node's anyway.
 */
import nodeModule from 'node:module'
import dropIn from './index.js'
import { addonIsUsable } from './usable-addon.js'

if (addonIsUsable()) {
  redirectRequire()
  redirectImport()
  redirectGetBuiltinModule()
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

function redirectGetBuiltinModule(): void {
  const { getBuiltinModule } = process as { getBuiltinModule?: (id: string) => unknown } // not in every Node 20
  if (getBuiltinModule === undefined) return
  Object.assign(process, { getBuiltinModule: (id: string): unknown => (isDgram(id) ? dropIn : getBuiltinModule(id)) })
}

function isDgram(request: string): boolean {
  return request === 'dgram' || request === 'node:dgram'
}
