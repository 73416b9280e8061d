import { execFileSync } from 'node:child_process'

/**
 * Runs a tool of the system and returns what it prints. Without LD_PRELOAD: a sanitizer that the tests run under has things to
 * say about the tools themselves.
 */
export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: TOOL_ENVIRONMENT })
}

/**
 * A command that runs Node in a network namespace, with the environment of the test; to be given {@link TOOL_ENVIRONMENT}.
 *
 * @param through A program that runs it, such as one that takes something away from it.
 */
export function nodeInNamespace(
  namespace: string | undefined,
  args: string[],
  through: readonly string[] = [],
): [command: string, ...args: string[]] {
  const preload = process.env['LD_PRELOAD']
  const node = [...(preload === undefined ? [] : ['env', `LD_PRELOAD=${preload}`]), ...through, process.execPath, ...args]
  const [command, ...rest] = namespace === undefined ? node : ['ip', 'netns', 'exec', namespace, ...node]
  return [command!, ...rest]
}

export const TOOL_ENVIRONMENT: NodeJS.ProcessEnv = { ...process.env }
delete TOOL_ENVIRONMENT['LD_PRELOAD']
