import { describe, expect, test } from 'vitest'
import { fallbackProblem, lacking } from '../support/capabilities.js'
import { runProgram } from '../support/program.js'

/** The sanitizer keeps what is freed for a while, so resident size says nothing there; it is slower as well. */
const SANITIZED = process.env['GEYSIR_SANITIZED'] === '1'
const GC = { nodeArgs: ['--expose-gc'] }

describe('garbage collection', () => {
  // A bound socket of node:dgram stays until it is closed.
  test.skipIf(lacking('the addon', fallbackProblem()))(
    'takes sockets that nobody holds, with their descriptors, and leaves those that listen',
    async () => {
      const { code, stdout, stderr } = await runProgram('collected', [], GC)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(JSON.parse(stdout)).toEqual({ opened: 20, idleLeft: 0, usedLeft: 0, listeningLeft: 20, heard: 20, signalledLeft: 0 })
    },
  )

  test('takes batches that were retained and never released', async () => {
    const { code, stdout } = await runProgram('retained-garbage', [], GC)
    expect(code).toBe(0)
    const { slabBytes, arrayBuffers } = JSON.parse(stdout) as { slabBytes: number; arrayBuffers: number }
    // A hundred slabs went through the handler; a few are still about.
    expect(arrayBuffers).toBeLessThan(slabBytes / 5)
  })
})

test.skipIf(lacking('the addon', fallbackProblem()))('many batches leave memory as it was', { timeout: 60_000 }, async () => {
  const batches = SANITIZED ? 20_000 : 200_000
  const { code, stdout, stderr } = await runProgram('memory', [`${batches}`], GC)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const { handled, growth } = JSON.parse(stdout) as { handled: number; growth: Record<string, number> }
  expect(handled).toBe(batches + batches / 10)
  // A leak of one small object a batch would be ten times as much.
  expect(growth['heapUsed']).toBeLessThan(1 << 20)
  expect(growth['external']).toBeLessThan(1 << 20)
  expect(growth['arrayBuffers']).toBeLessThan(1 << 20)
  if (!SANITIZED) expect(growth['rss']).toBeLessThan(16 << 20)
})
