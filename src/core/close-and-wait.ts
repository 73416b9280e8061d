/** `await using`: closes, and waits for 'close'. @param isOver Has 'close' been told already? */
export function closeAndWait(
  closable: { close(): void; once(event: 'close', listener: () => void): unknown },
  isOver: boolean,
): Promise<void> {
  const closed = new Promise<void>((resolve) => void (isOver ? resolve() : closable.once('close', resolve)))
  closable.close()
  return closed
}
