import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { drawRatios } from './chart.js'
import { formatMarkdownTable } from './report.js'
import type { Result } from './result.js'

/** Writes what a full run found to `docs/benchmarks/`. */
export async function save(results: readonly Result[], notes: readonly string[]): Promise<void> {
  const machine = await describeMachine()
  await mkdir(FOLDER, { recursive: true })
  await Promise.all([
    writeFile(`${FOLDER}results.json`, `${JSON.stringify({ machine, results }, null, 2)}\n`),
    writeFile(`${FOLDER}README.md`, page(machine, results, notes)),
    writeFile(`${FOLDER}ratios.svg`, drawRatios(results)),
  ])
}

type Machine = Readonly<Record<string, string>>

async function describeMachine(): Promise<Machine> {
  const processors = cpus()
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  const { stdout: compiler } = await promisify(execFile)('cc', ['--version'])
  return {
    geysir: version,
    date: new Date().toISOString().slice(0, 10),
    processor: `${processors[0]?.model.trim() ?? 'unknown'}, ${processors.length} cores`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: `Linux ${release().replace(/-.*/, '')}`,
    'Node.js': process.version,
    'C compiler': compiler.split('\n')[0]!,
  }
}

function page(machine: Machine, results: readonly Result[], notes: readonly string[]): string {
  return `# Benchmarks

<!-- Written by \`npm run bench -- --save\`: do not edit. -->

Each contender runs in processes of its own, and contenders take turns. A ratio is the median of the ratios of neighbouring
trials; min–max is their spread. Absolute figures move from machine to machine and from minute to minute: compare ratios.
For round trips and memory less is better. [How it is measured](../../bench/README.md)

![Ratios](ratios.svg)

${formatMarkdownTable(results)}
${notes.length === 0 ? '' : `\n${notes.map((note) => `- ${note}`).join('\n')}\n`}
## The machine

| | |
| --- | --- |
${Object.entries(machine)
  .map(([name, value]) => `| ${name} | ${value} |`)
  .join('\n')}

## To repeat it

\`\`\`sh
npm ci && npm run compile
npm run bench                            # everything; as root the benchmarks between network namespaces too
npm run bench -- socket/offload-1200     # one of them
npm run bench -- --save                  # everything, and this page written anew
\`\`\`

[results.json](results.json) has the same figures for programs.
`
}

const FOLDER = fileURLToPath(new URL('../../docs/benchmarks/', import.meta.url))
