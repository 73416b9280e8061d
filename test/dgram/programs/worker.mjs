// A worker thread does not inherit the loader of its parent's --import in every version of Node: register it here.
import { register } from 'tsx/esm/api'

register()
await import(new URL('run.ts', import.meta.url).href)
