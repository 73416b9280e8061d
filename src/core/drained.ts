import { closedError, invalidArgType } from './errors.js'

/** What has a bounded queue: a `UdpSocket`, any other `Link`, … */
export interface Draining {
  readonly closed: boolean
  once(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}

/**
 * Waits for 'drain', after `send` or `reserve` refused or `flush` returned false. Unlike `once(link, 'drain')` it does not wait for ever
 * when the link is closed meanwhile, by an abort signal or an error, say.
 *
 * @returns Rejects with `ERR_CLOSED` when the link is closed, or closes first.
 */
export function drained(link: Draining): Promise<void> {
  if (typeof (link as Draining | undefined)?.once !== 'function') throw invalidArgType('link', 'a socket or link', link)
  return new Promise((resolve, reject) => {
    const onDrain = (): void => {
      link.off('close', onClose)
      resolve()
    }
    const onClose = (): void => {
      link.off('drain', onDrain)
      reject(closedError('link'))
    }
    if (link.closed) {
      onClose()
      return
    }
    link.once('drain', onDrain)
    link.once('close', onClose)
  })
}
