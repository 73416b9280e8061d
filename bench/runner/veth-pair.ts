import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { onExit } from './cleanup.js'
import type { Program } from './programs.js'

/** A network namespace: a host of its own on this machine. */
export interface Host {
  readonly address: string
  /** The same program, run there. */
  run(program: Program): Program
}

/** Two hosts with one cable between them. */
export interface VethPair {
  readonly left: Host
  readonly right: Host
  close(): Promise<void>
}

/** @returns The pair, or the reason why there can be none. */
export async function makeVethPair(): Promise<VethPair | string> {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const number = made++
  const names = ['left', 'right'].map((side) => `geysir-bench-${process.pid}-${number}-${side}`)
  const [left, right] = names as [string, string]
  // Removing a namespace removes its end of the cable, and with it the other.
  const forget = onExit(() => {
    for (const name of names) spawnSync('ip', ['netns', 'delete', name])
  })
  const close = async (): Promise<void> => {
    forget()
    for (const name of names) await ip('netns', 'delete', name).catch(() => undefined)
  }
  try {
    for (const name of names) await ip('netns', 'add', name)
    await ip('-n', left, 'link', 'add', DEVICE, 'type', 'veth', 'peer', 'name', DEVICE, 'netns', right)
    for (const [name, address] of [
      [left, LEFT],
      [right, RIGHT],
    ] as const) {
      await ip('-n', name, 'address', 'add', `${address}/24`, 'dev', DEVICE)
      await ip('-n', name, 'link', 'set', DEVICE, 'up')
    }
  } catch (error) {
    await close()
    return `no network namespaces here: ${firstLine(error)}`
  }
  return { left: hostIn(left, LEFT), right: hostIn(right, RIGHT), close }
}

function hostIn(namespace: string, address: string): Host {
  return { address, run: ({ command }) => ({ command: ['ip', 'netns', 'exec', namespace, ...command] }) }
}

async function ip(...args: string[]): Promise<void> {
  await promisify(execFile)('ip', args)
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string }
  return (stderr || message).trim().split('\n')[0]!
}

let made = 0
const DEVICE = 'veth0'
const LEFT = '10.0.0.1'
const RIGHT = '10.0.0.2'
