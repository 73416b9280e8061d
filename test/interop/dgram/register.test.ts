import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DROP_IN, NODE, Running, type RunOptions } from './run.js'

const MAJOR = Number(process.versions.node.split('.')[0])

/** Ways to start a program, and whose handles its sockets have then. */
const STARTS: { how: string; options: RunOptions; handle: string }[] = [
  { how: 'under --import geysir/register', options: { register: true }, handle: DROP_IN },
  { how: 'by NODE_OPTIONS', options: { env: { NODE_OPTIONS: '--import geysir/register' } }, handle: DROP_IN },
  { how: 'without it', options: {}, handle: NODE },
  { how: 'with GEYSIR_DISABLE=1', options: { register: true, env: { GEYSIR_DISABLE: '1' } }, handle: NODE },
]

describe.each(STARTS)('$how', ({ options, handle }) => {
  test('every import of a module is one and the same dgram', async () => {
    const { handles, ...told } = await only<{ handles: Record<string, string> }>('esm.mjs', options)
    expect(Object.entries(handles)).toEqual(Object.keys(handles).map((way) => [way, handle]))
    const names = ['Socket', '_createSocketHandle', 'createSocket']
    expect(told).toEqual({
      same: true,
      instances: true,
      exported: [...names.slice(0, 2), 'createSocket', 'default'],
      keys: names,
    })
  })

  test('every require of CommonJS is one and the same dgram', async () => {
    expect(await only('common.cjs', options)).toEqual({ handle, same: true, message: 'hello' })
  })

  test('so is the dgram of packages that a module imports', async () => {
    expect(await only('dependency.mjs', options)).toEqual({ handles: [handle] })
  })

  test('a worker thread has the same', async () => {
    expect(await only('worker.mjs', options)).toEqual({ handle, worker: handle })
  })

  test('the workers of a cluster share a port on handles of Node, and have ports for themselves', async () => {
    expect(await only('cluster.mjs', options)).toEqual({
      samePort: true,
      handles: [
        [NODE, handle],
        [NODE, handle],
      ],
      answers: 50,
      exclusive: ['own', 'own'],
    })
  })

  test('a descriptor and a handle from elsewhere are bound by Node', async () => {
    expect(await only('descriptor.cjs', { ...options, nodeArgs: ['--no-deprecation'] })).toEqual({
      seen: [
        [NODE, 'fd', 'back'],
        [NODE, 'handle', 'back'],
      ],
    })
  })

  test('a socket is handed over to a child process', async () => {
    expect(await only('handed-over.mjs', options)).toMatchObject({
      error: null,
      answer: expect.stringMatching(/^who /) as string,
    })
  })
})

test('steps aside where the addon is missing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'geysir-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await cp(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true })
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'))
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const register = pathToFileURL(join(folder, 'dist/dgram/register.js')).href
  expect(await only('common.cjs', { nodeArgs: ['--import', register] })).toMatchObject({ handle: NODE, message: 'hello' })
})

test('steps aside under the permission model, whose questions its handle could not ask', async () => {
  const nodeArgs = [MAJOR >= 24 ? '--permission' : '--experimental-permission', '--allow-fs-read=*']
  for (const allowed of [[], ['--allow-worker', ...(MAJOR >= 22 ? ['--allow-addons'] : [])]]) {
    const running = new Running('common.cjs', { register: true, nodeArgs: [...nodeArgs, ...allowed] })
    expect(await running.read()).toMatchObject({ handle: NODE, message: 'hello' })
    expect(await running.end()).toMatchObject({ code: 0 }) // Node warns that the model is experimental
  }
})

/** The one line of a program that ends well by itself. */
async function only<T extends object>(name: string, options: RunOptions): Promise<T> {
  const running = new Running(name, options)
  const line = await running.read<T>()
  expect(await running.end()).toEqual({ code: 0, stderr: '' })
  return line
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
