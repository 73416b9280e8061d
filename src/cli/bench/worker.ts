import { UsageError } from '../exit.js'

/**
 * What the two processes of the bench share: orders come from the parent by messages, and it outlives neither them nor Ctrl-C.
 *
 * @returns How to answer the parent.
 */
export function obeyParent<Order, Answer>(onOrder: (order: Order) => void): (answer: Answer) => void {
  if (process.send === undefined) throw new UsageError('this is a part of `geysir bench`, which starts it by itself')
  // Ctrl-C reaches all processes of a terminal; the parent decides what it means.
  process.on('SIGINT', () => {})
  process.once('disconnect', () => process.exit(0))
  process.on('message', onOrder)
  // With a callback, so that a parent that has gone is no 'error': 'disconnect' follows.
  return (answer) => void process.send?.(answer, undefined, undefined, () => {})
}

export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

export const LOOPBACK = '127.0.0.1'
