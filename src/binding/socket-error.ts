import { getSystemErrorName } from 'node:util'
import { constants } from 'node:os'

/**
 * A failed system call, shaped as Node shapes them (`code`, `errno`, `syscall`, and `address` and `port` where one is meant):
 * `bind EADDRINUSE 127.0.0.1:53`.
 */
export class SocketError extends Error {
  readonly code: string
  /** Negative, as everywhere in Node. */
  readonly errno: number
  readonly syscall: string
  declare readonly address?: string
  declare readonly port?: number

  constructor(syscall: string, errno: number, address?: string, port?: number, detail = '') {
    const code = errorName(errno)
    const where = address === undefined ? '' : ` ${address}${port === undefined ? '' : `:${port}`}`
    super(`${syscall} ${code}${where}${detail}`)
    this.syscall = syscall
    this.code = code
    this.errno = errno
    if (address !== undefined) this.address = address
    if (port !== undefined) this.port = port
  }
}

/** `-98` → `'EADDRINUSE'`. libuv does not know every errno of Linux. */
export function errorName(errno: number): string {
  return MORE_NAMES.get(errno) ?? nodeName(errno)
}

function nodeName(errno: number): string {
  try {
    const name = getSystemErrorName(errno)
    return name.startsWith('Unknown') ? `E${-errno}` : name
  } catch {
    return `E${-errno}`
  }
}

/** Errnos (positive) that this library decides on. */
export const ERRNO = {
  EPERM: constants.errno.EPERM,
  ENOENT: constants.errno.ENOENT,
  EIO: constants.errno.EIO,
  EBADF: constants.errno.EBADF,
  EAGAIN: constants.errno.EAGAIN,
  EACCES: constants.errno.EACCES,
  EFAULT: constants.errno.EFAULT,
  EINTR: constants.errno.EINTR,
  EINVAL: constants.errno.EINVAL,
  ENOPROTOOPT: constants.errno.ENOPROTOOPT,
  EOPNOTSUPP: constants.errno.EOPNOTSUPP,
  EMSGSIZE: constants.errno.EMSGSIZE,
  EPROTO: constants.errno.EPROTO,
  ENOTCONN: constants.errno.ENOTCONN,
  ENOBUFS: constants.errno.ENOBUFS,
  ENOMEM: constants.errno.ENOMEM,
  ECONNREFUSED: constants.errno.ECONNREFUSED,
  EHOSTUNREACH: constants.errno.EHOSTUNREACH,
  ENETUNREACH: constants.errno.ENETUNREACH,
  EADDRINUSE: constants.errno.EADDRINUSE,
  EADDRNOTAVAIL: constants.errno.EADDRNOTAVAIL,
  ENODEV: constants.errno.ENODEV,
  EISCONN: constants.errno.EISCONN,
  EAFNOSUPPORT: constants.errno.EAFNOSUPPORT,
  EPROTONOSUPPORT: constants.errno.EPROTONOSUPPORT,
  ENOSYS: constants.errno.ENOSYS,
  ECANCELED: constants.errno.ECANCELED,
  // Linux's, unknown to node:os.
  ENONET: 64,
  EHOSTDOWN: 112,
} as const

const MORE_NAMES = new Map([
  [-ERRNO.ENONET, 'ENONET'],
  [-ERRNO.EHOSTDOWN, 'EHOSTDOWN'],
])
