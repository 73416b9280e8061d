/** One payload of what lib/dgram.js hands over: views of any kind. */
export function bytesOf(list: readonly ArrayBufferView[], count: number): Uint8Array {
  const views = list.slice(0, count).map((view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
  return count === 1 ? views[0]! : Buffer.concat(views)
}

/** UIO_MAXIOV: sendmsg(2) takes no more parts. */
export const MAX_PARTS = 1024
