/** The module that a `dgram-*` program contends with: `node:dgram`, or with `--drop-in` geysir's. The program is the same. */
import type * as nodeDgram from 'node:dgram'

const dropIn = process.argv.includes('--drop-in')

export const { createSocket } = (dropIn ? await import('geysir/dgram') : await import('node:dgram')) as typeof nodeDgram
