/**
 * The programs that contend: C programs of `bench/reference/`, compiled by `cc`, and TypeScript of `bench/contenders/`, compiled
 * to plain JavaScript. (A loader such as tsx would run in the measured process, with a thread and a heap of its own.) Both are
 * built into `build/bench/`, again when a source is newer.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** A program and the arguments that are always before the others. */
export interface Program {
  readonly command: readonly [file: string, ...args: string[]]
}

export function referenceProgram(name: string): Program {
  return { command: [join(BUILD, name)] }
}

/** @param nodeOptions For instance `--expose-gc`. */
export function contenderProgram(name: string, nodeOptions: readonly string[] = []): Program {
  return { command: [process.execPath, ...nodeOptions, join(BUILD, 'contenders', `${name}.js`)] }
}

export async function buildPrograms(): Promise<void> {
  await Promise.all([buildReferences(), buildContenders()])
}

async function buildReferences(): Promise<void> {
  await mkdir(BUILD, { recursive: true })
  const headers = await filesWith('.h', REFERENCES)
  const sources = await filesWith('.c', REFERENCES)
  await Promise.all(
    sources.map(async (source) => {
      const program = join(BUILD, basename(source, '.c'))
      if (await isNewerThan(program, [source, ...headers])) return
      await promisify(execFile)('cc', ['-O2', '-Wall', '-Wextra', '-Werror', source, '-o', program])
    }),
  )
}

async function buildContenders(): Promise<void> {
  const folder = join(BUILD, 'contenders')
  await mkdir(folder, { recursive: true })
  for (const source of await filesWith('.ts', CONTENDERS)) {
    const program = join(folder, `${basename(source, '.ts')}.js`)
    if (await isNewerThan(program, [source])) continue
    const { default: typescript } = await import('typescript')
    const { outputText } = typescript.transpileModule(await readFile(source, 'utf8'), {
      compilerOptions: { target: typescript.ScriptTarget.ES2022, module: typescript.ModuleKind.ESNext },
    })
    await writeFile(program, outputText)
  }
}

async function filesWith(extension: string, folder: string): Promise<string[]> {
  const names = await readdir(folder)
  return names.filter((name) => extname(name) === extension).map((name) => join(folder, name))
}

async function isNewerThan(target: string, sources: readonly string[]): Promise<boolean> {
  const built = await modifiedMs(target)
  const changed = await Promise.all(sources.map(modifiedMs))
  return changed.every((time) => time < built)
}

/** 0 for a file that is not there. */
async function modifiedMs(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs
  } catch {
    return 0
  }
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const REFERENCES = join(ROOT, 'bench/reference')
const CONTENDERS = join(ROOT, 'bench/contenders')
const BUILD = join(ROOT, 'build/bench')
