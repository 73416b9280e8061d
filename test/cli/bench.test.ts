import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { BenchResult } from '../../src/cli/bench/run.js'
import { geysir, startGeysir, type Program } from './command.js'
import { udpSocketOf } from './kernel-socket.js'

/** Until a condition holds; as long as a test may take. */
const POLL = { interval: 10, timeout: 15_000 }
const SHORT = ['bench', '--seconds', '0.3']

async function benchJson(...args: string[]): Promise<BenchResult> {
  const { code, stdout } = await geysir([...SHORT, '--json', ...args])
  expect(code).toBe(0)
  return JSON.parse(stdout) as BenchResult
}

describe('geysir bench', () => {
  test('accounts for every datagram', async () => {
    const result = await benchJson()
    expect(result).toMatchObject({ addsUp: true, verified: true, corrupted: 0, duplicated: 0, failed: 0, bytes: 1200 })
    expect(result.received).toBeGreaterThan(0)
    expect(result.sent).toBe(result.received + result.dropped)
    expect(result.gigabitsPerSecond).toBeCloseTo((result.datagramsPerSecond * 1200 * 8) / 1e9)
  })

  test('accounts for every datagram when most of them are dropped', async () => {
    const result = await benchJson('--overrun', '--bytes', '9000')
    expect(result).toMatchObject({ addsUp: true, corrupted: 0, duplicated: 0 })
    expect(result.dropped).toBe(result.kernelDrops * result.datagramsPerDrop)
    expect(result.sent).toBe(result.received + result.dropped)
  })

  test('counts drops to the last datagram when its sink is stopped for a while', async () => {
    const { program, sink } = await startBench('--overrun')
    process.kill(sink, 'SIGSTOP')
    const before = udpSocketOf(sink)!.drops
    await expect.poll(() => udpSocketOf(sink)!.drops, POLL).toBeGreaterThan(before + 100)
    process.kill(sink, 'SIGCONT')
    program.kill('SIGINT')
    const { code, stdout } = await program.ended
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\+ +[1-9][\d ]* dropped by the kernel \([1-9][\d ]* messages of 54 datagrams each\)$/m)
    expect(stdout).toContain('it adds up')
  })

  test('drops nothing when its sink is stopped for a while, because the source heeds it', async () => {
    const { program, sink } = await startBench()
    process.kill(sink, 'SIGSTOP')
    await expect.poll(() => udpSocketOf(sink)!.queuedBytes, POLL).toBeGreaterThan(1 << 20)
    process.kill(sink, 'SIGCONT')
    program.kill('SIGINT')
    const { code, stdout } = await program.ended
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\+ +0 dropped by the kernel$/m)
    expect(stdout).toContain('it adds up')
  })

  test.each([['20'], ['1199'], ['1202'], ['65507']])('checks datagrams of %s bytes, whatever their alignment', async (bytes) => {
    expect(await benchJson('--bytes', bytes)).toMatchObject({ addsUp: true, verified: true, corrupted: 0 })
  })

  test('works without offload and without verification', async () => {
    const result = await benchJson('--no-offload', '--no-verify')
    const offload = { send: false, receive: false }
    expect(result).toMatchObject({ addsUp: true, verified: false, offload, datagramsPerDrop: 1 })
  })

  test('compares with node:dgram, which is counted the same way', async () => {
    const { code, stdout } = await geysir([...SHORT, '--compare', '--json'])
    expect(code).toBe(0)
    const { geysir: ours, dgram, ratio } = JSON.parse(stdout) as { geysir: BenchResult; dgram: BenchResult; ratio: number }
    expect([ours.transport, dgram.transport]).toEqual(['geysir', 'dgram'])
    expect(dgram).toMatchObject({ addsUp: true, verified: true, corrupted: 0 })
    expect(ratio).toBeCloseTo(ours.datagramsPerSecond / dgram.datagramsPerSecond)
  })

  test('tells people the same', async () => {
    const { code, stdout } = await geysir(SHORT)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^geysir: .* datagrams a second, .* Gbit\/s of payload$/m)
    expect(stdout).toMatch(/^ +[\d ]+ sent\n= +[\d ]+ received\n\+ +[\d ]+ dropped by the kernel/m)
    expect(stdout).toContain('it adds up; every byte of them checked: 0 corrupted')
  })

  test('ends early at Ctrl-C, and still adds up', async () => {
    const { program } = await startBench()
    program.kill('SIGINT')
    const { code, stdout } = await program.ended
    expect(code).toBe(0)
    expect(stdout).toContain('it adds up')
  })

  test('leaves no process behind when it is killed', async () => {
    const { program } = await startBench()
    const children = childrenOf(program.pid)
    expect(children).toHaveLength(2)
    program.kill('SIGKILL')
    await program.ended
    await expect.poll(() => children.filter(isAlive), POLL).toEqual([])
  })

  test('fails when one of its processes dies', async () => {
    const { program } = await startBench()
    process.kill(childrenOf(program.pid)[0]!, 'SIGKILL')
    const { code, stderr } = await program.ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: the process bench-\w+ ended by itself \(SIGKILL\)$/m)
  })
})

/** A long run, once it is under way. */
async function startBench(...args: string[]): Promise<{ program: Program; sink: number }> {
  const program = startGeysir(['bench', '--seconds', '60', ...args])
  await program.waitFor('stdout', /1 s {2}.* a second/)
  const sink = childrenOf(program.pid).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('bench-sink'))
  return { program, sink: sink! }
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}

/** Also of one that has ended and waits for its parent: it does nothing any more. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
