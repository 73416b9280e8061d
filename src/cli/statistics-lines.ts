import type { SocketStatistics } from '../index.js'
import { grouped } from './numbers.js'

/** The counters of a socket, a line each: those of what it was there for, and others where they counted something. */
export function statisticsLines(statistics: SocketStatistics, purpose: 'receive' | 'send'): string {
  const lines: string[] = []
  for (const [name, meaning, shown] of MEANINGS) {
    const value = statistics[name]
    if (shown === purpose || value > 0) lines.push(`  ${grouped(value).padStart(14)}  ${meaning}`)
  }
  for (const [code, count] of Object.entries(statistics.sendErrors)) {
    lines.push(`  ${grouped(count).padStart(14)}  of them with ${code}`)
  }
  return lines.join('\n')
}

type Counter = { [Name in keyof SocketStatistics]: SocketStatistics[Name] extends number ? Name : never }[keyof SocketStatistics]

const MEANINGS: readonly (readonly [Counter, string, 'receive' | 'send' | 'ifAny'])[] = [
  ['datagramsReceived', 'datagrams received', 'receive'],
  ['bytesReceived', 'payload bytes in them', 'receive'],
  ['batchesReceived', 'batches, each one system call', 'receive'],
  ['segmentsReceived', 'datagrams that the kernel handed over coalesced', 'ifAny'],
  ['kernelDrops', 'messages dropped by the kernel: receive buffer full or checksum wrong', 'receive'],
  ['truncated', 'datagrams cut because they were longer than asked for', 'ifAny'],
  ['overflowed', 'received datagrams that found no place in a batch', 'ifAny'],
  ['datagramsSent', 'datagrams sent', 'send'],
  ['bytesSent', 'payload bytes in them', 'send'],
  ['batchesSent', 'batches, each one system call', 'send'],
  ['segmentsSent', 'datagrams sent coalesced', 'ifAny'],
  ['offloadFallbacks', 'coalesced messages sent again one by one', 'ifAny'],
  ['wouldBlock', "times that the kernel's send buffer was full", 'ifAny'],
  ['datagramsDiscarded', 'datagrams never handed to the kernel', 'ifAny'],
  ['peerErrors', 'ICMP errors from peers', 'ifAny'],
  ['datagramsFailed', 'datagrams that the kernel refused', 'send'],
]
