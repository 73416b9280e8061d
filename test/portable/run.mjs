// Runs compiled test files in this process, for runtimes that vitest does not run in: Node under qemu-user, Bun, Deno.
//   <runtime> build-portable/test/portable/run.mjs [--json results] file...
// Prints each failure and one line at the end. The build is made by scripts/test-portable.mjs.
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { startTests } from '@vitest/runner'
import { expect } from 'vitest'

const counts = { pass: 0, fail: 0, skip: 0 }

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
    // An emulated processor is slow.
    testTimeout: 120_000,
    hookTimeout: 120_000,
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
    if (state === 'fail') {
      counts.fail++
      console.log(`FAILED ${nameOf(test)}`)
      for (const error of test.result?.errors ?? []) console.log(indent(error.stack ?? error.message))
    } else if (state === 'pass') counts.pass++
  },
}

const results = process.argv[2] === '--json' ? process.argv[3] : undefined
const given = process.argv.slice(results === undefined ? 2 : 4)
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
  for (const error of file.result.errors ?? []) console.log(indent(error.stack ?? error.message))
}
for (const error of unexpected) console.log(`UNCAUGHT ${indent(error.stack ?? String(error))}`)
counts.fail += unexpected.length
console.log(`${process.arch}, ${process.version}: ${counts.pass} passed, ${counts.fail} failed, ${counts.skip} skipped`)
if (results !== undefined) writeFileSync(results, JSON.stringify({ numPassedTests: counts.pass, numFailedTests: counts.fail }))
process.exitCode = counts.fail > 0 || counts.pass === 0 ? 1 : 0

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
