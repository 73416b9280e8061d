import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** The compiled package as programs of others see it: its types, and each of its entries. */

const root = fileURLToPath(new URL('../..', import.meta.url))
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: Record<string, unknown> }
const entries = Object.keys(exports).map((path) => path.replace(/^\./, 'geysir'))
const work = mkdtempSync(join(tmpdir(), 'geysir-types-'))
const COMPILER_TIMEOUT_MS = 120_000

const STRICT: ts.CompilerOptions = {
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  // The declarations have to be right by themselves: not every program skips them.
  skipLibCheck: false,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  types: ['node'],
  typeRoots: [join(root, 'node_modules', '@types')],
}

beforeAll(() => {
  mkdirSync(join(work, 'node_modules'))
  symlinkSync(root, join(work, 'node_modules', 'geysir'))
  writeFileSync(join(work, 'package.json'), '{ "private": true }')
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(work, name), text)
})

afterAll(() => rmSync(work, { recursive: true, force: true }))

describe('the types of the package', () => {
  it.each<[string, ts.ModuleKind, ts.ModuleResolutionKind, string[]]>([
    ['node16', ts.ModuleKind.Node16, ts.ModuleResolutionKind.Node16, ['module.mts', 'common.cts']],
    ['nodenext, where require takes modules', ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext, ['required.cts']],
    ['bundler', ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler, ['bundled.ts']],
  ])(
    'are right for a strict program: %s',
    (_name, module, moduleResolution, files) => {
      const paths = files.map((file) => join(work, file))
      const program = ts.createProgram(paths, { ...STRICT, module, moduleResolution })
      expect(problemsOf(program)).toEqual([])
    },
    COMPILER_TIMEOUT_MS,
  )

  it(
    'refuse what is none',
    () => {
      const options = { ...STRICT, module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 }
      const program = ts.createProgram([join(work, 'wrong.mts')], options)
      expect(problemsOf(program)).toHaveLength(3)
    },
    COMPILER_TIMEOUT_MS,
  )
})

describe('each entry of the package', () => {
  // Node 20.19 and 22.12 were the first whose require takes modules.
  const ways = 'require_module' in process.features ? (['import', 'require'] as const) : (['import'] as const)

  it.each(ways)('can be loaded by %s', (way) => {
    const program = entries
      .filter((entry) => way === 'require' || !entry.endsWith('.json'))
      .map((entry) => (way === 'require' ? `require('${entry}')` : `await import('${entry}')`))
    const file = join(work, way === 'import' ? 'entries.mjs' : 'entries.cjs')
    writeFileSync(file, program.join('\n'))
    const { status, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' })
    expect(status, stderr).toBe(0)
  })
})

/** Of the program and of our declarations; those of Node and of the language are not ours to check. */
function problemsOf(program: ts.Program): string[] {
  const ours = program
    .getSourceFiles()
    .filter(({ fileName }) => !/node_modules\/(typescript|@types|undici-types)\//.test(fileName))
  const found = ours.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
  return [...program.getGlobalDiagnostics(), ...program.getOptionsDiagnostics(), ...found].map(textOf)
}

function textOf({ file, messageText }: ts.Diagnostic): string {
  return `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
}

const MODULE = `
import http from 'node:http'
import { UdpSocket, SocketError, drained, endpoint, interfaces, openLink, type Link, type UdpSocketOptions } from 'geysir'
import dgram, { createSocket } from 'geysir/dgram'
import net, { createServer, type Socket } from 'geysir/net'
import { SimulatedNetwork, linkSuite } from 'geysir/testing'
import 'geysir/register'

const options: UdpSocketOptions = { type: 'udp4' }
const socket = new UdpSocket(options)
const link: Link = socket
socket.on('datagram', (payload, from, batch, i) => {
  if (batch.ttl(i) > 1) socket.send(payload, from)
})
for await (const batch of socket) for (let i = 0; i < batch.count; i++) batch.endpoint(i).address.trim()
if (!link.send('x', endpoint('127.0.0.1', 9))) await drained(link)
createSocket('udp4', (message, rinfo) => void message.fill(rinfo.port)).close()
const connection: Socket = net.connect({ port: 9, host: '127.0.0.1' }, () => void new net.Socket().destroy())
connection.destroy()
http.request({ port: 9, createConnection: net.connect }).destroy()
new http.Agent().createConnection = net.connect
const server: net.Server = net.createServer((one) => void one.pipe(one))
void [net.createConnection, server, dgram.createSocket, createServer, SimulatedNetwork, linkSuite, interfaces, openLink, SocketError]
`
const PROGRAMS = {
  'module.mts': MODULE,
  'bundled.ts': MODULE + 'export {}\n',
  'common.cts': `
import type { UdpSocket } from 'geysir' with { 'resolution-mode': 'import' }
export async function open(): Promise<UdpSocket> {
  const { UdpSocket } = await import('geysir')
  const { createSocket } = await import('geysir/dgram')
  createSocket('udp4').close()
  return new UdpSocket()
}
`,
  'required.cts': `
import geysir = require('geysir')
import dgram = require('geysir/dgram')
import net = require('geysir/net')
net.default.createServer((socket: net.Socket) => socket.end()).close()
export const socket: geysir.UdpSocket = new geysir.UdpSocket()
dgram.createSocket('udp4').close()
`,
  'wrong.mts': `
import { UdpSocket } from 'geysir'
const socket = new UdpSocket({ tipe: 'udp4' })
socket.send(7)
socket.on('datagrams', () => undefined)
`,
}
