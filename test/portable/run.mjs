// Runs compiled test files in this process, for runtimes that vitest does not run in: Node under qemu-user.
//   <runtime> build-portable/test/portable/run.mjs [--json results] file...
// Prints each failure and one line at the end. The build is made by scripts/test-portable.mjs.
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { startTests } from '@vitest/runner'
import { expect } from 'vitest'

/** Longer than vitest's in this project: an emulated processor is slow. */
const TIMEOUT_MS = Number(process.env.GEYSIR_TEST_TIMEOUT_MS ?? 40_000)

const counts = { pass: 0, fail: 0, skip: 0, lacking: 0 }

/**
 * What this runtime is known to lack, a pattern of feature names (or whole messages). A test that is refused one of these, with the error that the
 * library promises, has shown what there is to show: it counts as lacking. Any other refusal is a failure.
 */
const KNOWN_LACKS = new RegExp(`^(${process.env.GEYSIR_TEST_LACKS ?? '(?!)'})$`)
/** @type {Map<string, number>} */
const lacks = new Map()

/** @type {import('@vitest/runner').VitestRunner} */
const runner = {
  config: {
    root: process.cwd(),
    name: undefined,
    setupFiles: [],
    passWithNoTests: false,
    testNamePattern: undefined,
    allowOnly: false,
    sequence: { seed: 0, hooks: 'stack', setupFiles: 'list' },
    chaiConfig: undefined,
    maxConcurrency: 1,
    testTimeout: TIMEOUT_MS,
    hookTimeout: TIMEOUT_MS,
    retry: 0,
    includeTaskLocation: false,
    tags: [],
    tagsFilter: undefined,
    strictTags: false,
  },
  importFile: (file) => import(pathToFileURL(file).href),
  onBeforeTryTask: (test) => {
    expect.setState({ assertionCalls: 0, currentTestName: test.name, testPath: test.file.filepath })
  },
  onAfterRunTask: (test) => {
    const state = test.result?.state
    const lack = state === 'fail' ? lackOf(test) : undefined
    if (lack !== undefined) {
      counts.lacking++
      lacks.set(lack, (lacks.get(lack) ?? 0) + 1)
    } else if (state === 'fail') {
      counts.fail++
      console.log(`FAILED ${nameOf(test)}`)
      for (const error of test.result?.errors ?? []) console.log(indent(`${error.message}\n${error.stack ?? ''}`))
    } else if (state === 'pass') counts.pass++
  },
}

const results = process.argv[2] === '--json' ? process.argv[3] : undefined
const given = process.argv.slice(results === undefined ? 2 : 4)
/** @type {Error[]} */
const unexpected = []
process.on('uncaughtException', (error) => unexpected.push(error))
const files = await startTests(
  given.map((file) => resolve(file)),
  runner,
)
for (const file of files) {
  counts.skip += countSkipped(file)
  if (file.result?.state !== 'fail' || file.tasks.length > 0) continue
  counts.fail++
  console.log(`FAILED to load ${file.filepath}`)
  for (const error of file.result.errors ?? []) console.log(indent(`${error.message}\n${error.stack ?? ''}`))
}
for (const error of unexpected) console.log(`UNCAUGHT ${indent(error.stack ?? String(error))}`)
counts.fail += unexpected.length
for (const [feature, tests] of lacks) console.log(`not here: ${feature} (${tests} tests)`)
console.log(
  `${process.arch}, ${process.version}: ${counts.pass} passed, ${counts.fail} failed, ${counts.skip} skipped, ${counts.lacking} lack a feature`,
)
if (results !== undefined) writeFileSync(results, JSON.stringify({ numPassedTests: counts.pass, numFailedTests: counts.fail }))
process.exitCode = counts.fail > 0 || counts.pass === 0 ? 1 : 0
// What a failed test left open would be waited for.
if (counts.fail > 0) process.exit()

/** The known lack that is all that is wrong with a test. @param {import('@vitest/runner').Test} test @returns {string | undefined} */
function lackOf(test) {
  const names = (test.result?.errors ?? []).map(({ message, code }) => {
    const feature = /^(?:Option )?(.+) is not available here: /.exec(message)?.[1]
    return KNOWN_LACKS.test(code === 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM' && feature ? feature : message)
      ? (feature ?? message)
      : undefined
  })
  return names.includes(undefined) ? undefined : names[0]
}

/** @param {import('@vitest/runner').Task} task @returns {number} */
function countSkipped(task) {
  if (task.type === 'test') return task.mode === 'skip' || task.mode === 'todo' ? 1 : 0
  return task.tasks.reduce((sum, child) => sum + countSkipped(child), 0)
}

/** @param {import('@vitest/runner').Task} task @returns {string} */
function nameOf(task) {
  const parent = task.suite ?? task.file
  return parent === undefined || parent === task ? task.name : `${nameOf(parent)} > ${task.name}`
}

/** @param {string} text */
function indent(text) {
  return text.replaceAll(/^/gm, '    ')
}
