import type { Endpoint } from '../core/index.js'
import type { StreamError } from '../stream/index.js'

/** An error as `net.Socket` has it, from one of a stream; that one is its `cause`. */
export function netError(error: Error, syscall: string, endpoint: Endpoint | undefined): Error {
  const code = codeOf(error as StreamError)
  if (code === undefined) return error
  const place = endpoint === undefined ? '' : ` ${endpoint.toString()}`
  const properties = endpoint === undefined ? {} : { address: endpoint.address, port: endpoint.port }
  return Object.assign(new Error(`${syscall} ${code}${place}`, { cause: error }), { code, syscall, ...properties })
}

function codeOf(error: StreamError): string | undefined {
  switch (error.code) {
    case 'ERR_CONNECT_TIMEOUT':
    case 'ERR_PEER_SILENT':
      return 'ETIMEDOUT'
    case 'ERR_CONNECT_REFUSED':
      return 'ECONNREFUSED'
    case 'ERR_STREAM_RESET':
      return error.reason === 'refused' ? 'ECONNREFUSED' : 'ECONNRESET'
    case 'ERR_PEER_RESTARTED':
    case 'ERR_PEER_LEFT':
      return 'ECONNRESET'
    default:
      return undefined
  }
}

/** What a write gets that waited for a connection, when the socket is closed first. */
export function closedBeforeConnection(): Error {
  return Object.assign(new Error('Socket closed before the connection was established'), {
    code: 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION',
  })
}

/** What a write gets when the other side has ended, and this one with it. */
export function endedByOther(): Error {
  return Object.assign(new Error('This socket has been ended by the other party'), { code: 'EPIPE' })
}
