/** What the contenders of the family `channel` share: the names of the channels and a port that nobody else has. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

export const CHANNELS = 10
export const channelName = (i: number): string => `bench/channel/${i}`

/** The port that was asked for; for 0, one that is free. */
export async function portFor(port: number): Promise<number> {
  if (port !== 0) return port
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const free = socket.address().port
  await new Promise<void>((resolve) => socket.close(resolve))
  return free
}
