import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { UdpSocket } from '../../src/index.js'
import { runSource } from './run.js'

interface Program {
  source: string
  /** What the document says it prints. */
  output: string | undefined
}

const ROOT = new URL('../../', import.meta.url)
const DOCUMENTS = ['.', 'docs', 'bench']
  .flatMap((folder) => readdirSync(new URL(folder, ROOT)).map((name) => (folder === '.' ? name : `${folder}/${name}`)))
  .filter((name) => name.endsWith('.md'))

/** Each `js` block of a document is a whole program. A `text` block behind "It prints" is what it prints. */
function programsOf(name: string): Program[] {
  const blocks = textOf(name).matchAll(/^```js\n(.*?)^```$(?:\n+It prints[^\n]*:\n+```text\n(.*?)^```$)?/gms)
  return [...blocks].map(([, source, output]) => ({ source: source!, output }))
}

describe.each(DOCUMENTS)('%s', (name) => {
  test.each(programsOf(name).map((program, i) => [i + 1, program] as const))('program %i runs and ends', async (_, program) => {
    const lines = await runSource(program.source).end()
    if (program.output !== undefined) expect(`${lines.join('\n')}\n`).toBe(program.output)
  })

  test('links to files and headings that are there', () => {
    for (const [, target] of textOf(name).matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const { pathname, hash } = new URL(target!, new URL(name, ROOT))
      expect(existsSync(pathname), target).toBe(true)
      if (hash !== '') expect(headingsOf(readFileSync(pathname, 'utf8')), target).toContain(hash)
    }
  })
})

test('docs/options.md has every option', () => {
  const documented = [...textOf('docs/options.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, option]) => option)
  expect(documented).toEqual(expect.arrayContaining(knownOptions()))
})

function textOf(name: string): string {
  return readFileSync(new URL(name, ROOT), 'utf8')
}

/** Headings as links name them. */
function headingsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!.toLowerCase())
  return headings.map((heading) => `#${heading.replace(/[^\w\- ]/g, '').replaceAll(' ', '-')}`)
}

function knownOptions(): string[] {
  try {
    new UdpSocket({ noSuchOption: true } as object)
  } catch (error) {
    return /known: (.*)\)/.exec((error as Error).message)![1]!.split(', ')
  }
  throw new Error('accepted')
}
