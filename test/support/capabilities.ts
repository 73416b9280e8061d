import { spawnSync } from 'node:child_process'
import { capabilities } from '../../src/index.js'
import { run } from './tools.js'

/**
 * What this machine can do, found out by doing it. Each is undefined when it can, or the reason why not. A test that needs it is
 * skipped with that reason: `describe.skipIf(lacking('network namespaces', namespaceProblem()))`.
 */
export function lacking(what: string, problem: string | undefined): boolean {
  if (problem !== undefined) console.warn(`skipped, for want of ${what}: ${problem}`)
  return problem !== undefined
}

/** For what sockets on `node:dgram` do otherwise, by design. */
export function fallbackProblem(): string | undefined {
  return capabilities().backend === 'dgram' ? 'sockets run on node:dgram' : undefined
}

export function namespaceProblem(): string | undefined {
  const name = `geysir-probe-${process.pid}`
  return problemOf(() => {
    run('ip', 'netns', 'add', name)
    try {
      run('ip', '-n', name, 'link', 'add', 'probe0', 'type', 'veth', 'peer', 'name', 'probe1')
      run('ip', 'netns', 'exec', name, 'true')
    } finally {
      run('ip', 'netns', 'del', name)
    }
  })
}

/** A file system of one's own, in a mount namespace. */
export function mountProblem(): string | undefined {
  return problemOf(() => run('unshare', '-m', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', '/mnt'))
}

/** A switch in a namespace. */
export function bridgeProblem(): string | undefined {
  return namespaceProblem() ?? inNamespace('ip', 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0')
}

/** nftables, in a namespace. */
export function firewallProblem(): string | undefined {
  return namespaceProblem() ?? inNamespace('nft', 'add', 'table', 'inet', 'probe')
}

/** The token bucket, the queueing discipline that makes a slow link. */
export function slowLinkProblem(): string | undefined {
  const limits = ['rate', '8mbit', 'burst', '10kb', 'limit', '1mb']
  return namespaceProblem() ?? inNamespace('tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'tbf', ...limits)
}

/** Is this process allowed to become another user? */
export function otherUserProblem(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'only root can become somebody else'
}

export function toolProblem(tool: string, ...args: string[]): string | undefined {
  const result = spawnSync(tool, args)
  return result.error === undefined ? undefined : result.error.message
}

function inNamespace(...command: string[]): string | undefined {
  const name = `geysir-probe-${process.pid}`
  return problemOf(() => {
    run('ip', 'netns', 'add', name)
    try {
      run('ip', 'netns', 'exec', name, ...command)
    } finally {
      run('ip', 'netns', 'del', name)
    }
  })
}

function problemOf(attempt: () => void): string | undefined {
  try {
    attempt()
    return undefined
  } catch (error) {
    return (error as Error).message.trim().replaceAll('\n', ' ')
  }
}
