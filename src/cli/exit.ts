/** What the command's exit status says. Scripts rely on it, so it changes with a major version only. */
export const EXIT = {
  ok: 0,
  /** A system call failed, or datagrams were lost, refused or damaged. */
  failure: 1,
  /** The command line is wrong. Nothing was done. */
  usage: 2,
  /** What was waited for did not come in time. */
  timeout: 3,
  /** Ctrl-C before the work was done: 128 and SIGINT, as shells have it. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export const EXIT_HELP = `
Exit status:
    0  done
    1  a system call failed, or datagrams were lost, refused or damaged
    2  wrong command line
    3  what was waited for did not come in time
  130  interrupted before the work was done`

/** The command line asks for something that cannot be: one line, and how to get help. */
export class UsageError extends Error {}

/** Something that the user has to know in one line, and that no system call reported. */
export class CommandError extends Error {}

/** One line for the user; undefined for an error that nobody foresaw, whose stack is wanted. */
export function describeError(error: unknown): string | undefined {
  if (error instanceof UsageError || error instanceof CommandError) return error.message
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (typeof code !== 'string') return undefined
  const hint = hintFor(code, syscall)
  return hint === undefined ? message : `${message} (${hint})`
}

/** An argument that the library refused is the user's mistake as well. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.usage
  const { code } = error as NodeJS.ErrnoException
  return typeof code === 'string' && /^ERR_(INVALID_ARG|OUT_OF_RANGE)/.test(code) ? EXIT.usage : EXIT.failure
}

function hintFor(code: string, syscall: string | undefined): string | undefined {
  return HINTS[`${syscall} ${code}`] ?? HINTS[code]
}

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another socket has this port; --reuse-address or --reuse-port share it, if the other one says so too',
  EADDRNOTAVAIL: 'no interface of this host has this address; geysir doctor lists them',
  'bind EACCES': 'ports below net.ipv4.ip_unprivileged_port_start need root or CAP_NET_BIND_SERVICE',
  'connect EACCES': 'for a broadcast address give --broadcast',
  'sendmmsg EACCES': 'for a broadcast address give --broadcast',
  ENODEV: 'no such interface; geysir doctor lists them',
  ENOTFOUND: 'no such name',
  EAI_AGAIN: 'the name service does not answer',
  EMSGSIZE: 'longer than the path or UDP allows; try a smaller --bytes',
  ENETUNREACH: 'no route to that network',
  EHOSTUNREACH: 'no answer from that host, or no route to it',
}
