/** `npm run bench -- [NAME…]`: each benchmark against its reference, in one run. See README.md. */
import { program } from 'commander'
import { fullPlan, measure, quickPlan, type Plan, type Selected } from './runner/measure.js'
import { BUSY_SHARE, busyShare } from './runner/processors.js'
import { buildPrograms } from './runner/programs.js'
import { loadBenchmarks, namesOf, select } from './runner/registry.js'
import { formatTable } from './runner/report.js'
import type { Result } from './runner/result.js'
import { save } from './runner/save.js'

interface Options {
  readonly list?: true
  readonly quick?: true
  readonly rounds?: number
  readonly json?: true
  readonly save?: true
}

program
  .name('npm run bench --')
  .description('Runs benchmarks: all of them, one, or those whose name begins as given.')
  .argument('[name...]', 'for instance socket/offload-1200, or socket for the family')
  .option('--list', 'only print the names')
  .option('--quick', 'less exact: a family in less than 40 seconds')
  .option('--rounds <n>', 'turns of each contender in a full run', Number)
  .option('--json', 'print one JSON object a line')
  .option('--save', 'write the results of a full run to docs/benchmarks/')
  .action(main)
await program.parseAsync()

async function main(names: string[], options: Options): Promise<void> {
  if (options.save && (names.length > 0 || options.quick)) program.error('--save is for a full run: no names, no --quick')
  const benchmarks = await loadBenchmarks()
  if (options.list) {
    console.log(namesOf(benchmarks).join('\n'))
    return
  }
  const selection = selectOrFail(benchmarks, names)
  await buildPrograms()
  await warnIfBusy()
  const plan = options.quick ? quickPlan(selection) : fullPlan(options.rounds)
  const { results, notes, failed } = await measureAll(selection, plan, (measured) => {
    if (options.json) for (const result of measured) console.log(JSON.stringify(result))
  })
  if (!options.json && results.length > 0) console.log(formatTable(results))
  if (options.save && !failed) await save(results, notes)
  if (failed) process.exitCode = 1
}

function selectOrFail(benchmarks: Parameters<typeof select>[0], names: string[]): Selected[] {
  try {
    return select(benchmarks, names)
  } catch (error) {
    return program.error((error as Error).message)
  }
}

/** One benchmark after the other. What could not be measured, and why, goes to stderr. */
async function measureAll(
  selection: readonly Selected[],
  plan: Plan,
  onMeasured: (results: readonly Result[]) => void,
): Promise<{ results: Result[]; notes: string[]; failed: boolean }> {
  const all: Result[] = []
  const notes: string[] = []
  let failed = false
  const tell = (selected: Selected, text: string): void => {
    const note = `${selected.comparisons[0]!.name}: ${text}`
    notes.push(note)
    showProgress('')
    console.error(note)
  }
  for (const selected of selection) {
    try {
      const outcome = await measure(selected, plan, (contender, round, rounds) => {
        showProgress(`${selected.comparisons[0]!.name}  ${round}/${rounds}  ${contender}`)
      })
      if ('skipped' in outcome) {
        tell(selected, `skipped: ${outcome.skipped}`)
        continue
      }
      for (const note of outcome.notes) tell(selected, note)
      showProgress('')
      onMeasured(outcome.results)
      all.push(...outcome.results)
    } catch (error) {
      failed = true
      tell(selected, `failed: ${(error as Error).message}`)
    }
  }
  return { results: all, notes, failed }
}

/** Nothing shifts ratios like a build in the background. */
async function warnIfBusy(): Promise<void> {
  const share = await busyShare()
  if (share > BUSY_SHARE) console.error(`this machine is busy with something else (${Math.round(share * 100)} %): expect noise`)
}

function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
