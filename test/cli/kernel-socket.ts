import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

/** What the kernel tells of a UDP socket of another process. */
export interface KernelSocket {
  readonly port: number
  /** In its receive buffer, with what the kernel adds. */
  readonly queuedBytes: number
  readonly drops: number
}

/** The first bound UDP socket of a process. proc(5): its descriptors name inodes, and /proc/net/udp has the rest. */
export function udpSocketOf(pid: number): KernelSocket | undefined {
  const inodes = new Set(socketInodes(pid))
  for (const table of ['udp', 'udp6']) {
    for (const line of readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      const port = hex(fields[1]?.split(':')[1])
      if (port > 0 && inodes.has(fields[9] ?? '')) {
        return { port, queuedBytes: hex(fields[4]?.split(':')[1]), drops: Number(fields.at(-1)) }
      }
    }
  }
  return undefined
}

function socketInodes(pid: number): string[] {
  const directory = `/proc/${pid}/fd`
  return readdirSync(directory).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`${directory}/${fd}`))?.[1] ?? []
    } catch {
      return [] // closed meanwhile
    }
  })
}

function hex(text: string | undefined): number {
  return Number.parseInt(text ?? '0', 16)
}
