import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { link, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PART_SUFFIX } from '../push/wire.js'

/**
 * A file that is not there yet: its beginning, beside its place. It has nothing beside its bytes: whether they are the beginning of what is
 * offered is told by their digest, so a beginning of something else, or one that a crash has spoilt, is noticed.
 *
 * Writes are queued, and the queue is the caller's to bound, by {@link isFull}.
 */
export class PartFile {
  readonly path: string
  readonly #target: string
  readonly #handle: FileHandle
  readonly #onWritten: () => void
  #hash: Hash
  #written: number
  #queue: Buffer[] = []
  #queuedBytes = 0
  #isWriting = false
  #failure: Error | undefined
  #idle: (() => void)[] = []

  private constructor(path: string, target: string, handle: FileHandle, hash: Hash, length: number, onWritten: () => void) {
    this.path = path
    this.#target = target
    this.#handle = handle
    this.#hash = hash
    this.#written = length
    this.#onWritten = onWritten
  }

  /**
   * Opens what is there of `name`, or begins it. What is longer than `maxBytes` is none of it.
   *
   * @param onWritten Called when the queue has become shorter, and when writing has failed.
   * @throws What the system says.
   */
  static async open(directory: string, name: string, maxBytes: number, onWritten: () => void): Promise<PartFile> {
    const path = join(directory, `.${name}${PART_SUFFIX}`)
    // Not what somebody else has put in its place.
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o666)
    try {
      const { size } = await handle.stat()
      const length = size > maxBytes ? 0 : size
      const hash = await hashOf(handle, length)
      return new PartFile(path, join(directory, name), handle, hash, length, onWritten)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Bytes that are there, those in the queue as well. */
  get length(): number {
    return this.#written + this.#queuedBytes
  }

  /** Does the disk lag behind so far that nothing should be added? */
  get isFull(): boolean {
    return this.#queuedBytes >= MAX_QUEUED_BYTES || this.#queue.length >= MAX_QUEUED_BUFFERS
  }

  /** Why writing failed; undefined: it did not. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** SHA-256 of all bytes. */
  digest(): Buffer {
    return this.#hash.copy().digest()
  }

  /** Throws away what is there, and what is beyond the beginning in any case. @throws What the system says. */
  async begin(offset: number): Promise<void> {
    await this.#handle.truncate(offset)
    if (offset === 0) this.#hash = createHash('sha256')
    this.#written = offset
  }

  /** Adds bytes, which are the file's from now on. */
  write(bytes: Buffer): void {
    this.#hash.update(bytes)
    this.#queue.push(bytes)
    this.#queuedBytes += bytes.length
    if (!this.#isWriting) void this.#writeQueue()
  }

  /**
   * Puts the whole file in its place, at once and for good.
   *
   * @throws What the system says; `EEXIST` when something is there that is not to be replaced.
   */
  async finish(mayReplace: boolean): Promise<void> {
    await this.#settle()
    if (this.#failure !== undefined) throw this.#failure
    await this.#handle.sync()
    await this.#handle.close()
    if (mayReplace) await rename(this.path, this.#target)
    else await renameToNew(this.path, this.#target)
    await syncDirectory(dirname(this.#target))
  }

  /** Lets go, and keeps what is there for the next time; what is empty is not kept. */
  async close(): Promise<void> {
    await this.#settle()
    await this.#handle.close()
    if (this.#written === 0) await rm(this.path, { force: true })
  }

  /** Lets go, and keeps nothing. */
  async discard(): Promise<void> {
    await this.#settle()
    await this.#handle.close()
    await rm(this.path, { force: true })
  }

  async #writeQueue(): Promise<void> {
    this.#isWriting = true
    while (this.#queue.length > 0 && this.#failure === undefined) {
      const buffers = this.#queue
      this.#queue = []
      try {
        const bytes = await this.#writeAll(buffers)
        this.#written += bytes
        this.#queuedBytes -= bytes
      } catch (error) {
        this.#failure = error as Error
      }
      this.#onWritten()
    }
    this.#isWriting = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** The system may take a part only. */
  async #writeAll(buffers: readonly Buffer[]): Promise<number> {
    let at = this.#written
    const { bytesWritten } = await this.#handle.writev(buffers, at)
    at += bytesWritten
    let skip = bytesWritten
    for (const buffer of buffers) {
      let from = Math.min(skip, buffer.length)
      skip -= from
      while (from < buffer.length) {
        const { bytesWritten } = await this.#handle.write(buffer, from, buffer.length - from, at)
        from += bytesWritten
        at += bytesWritten
      }
    }
    return at - this.#written
  }

  #settle(): Promise<void> {
    if (!this.#isWriting) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }
}

/** SHA-256 of the first bytes of a file, to be gone on with. @throws What the system says; that it is shorter. */
export async function hashOf(handle: FileHandle, length: number): Promise<Hash> {
  const hash = createHash('sha256')
  const memory = Buffer.allocUnsafe(Math.min(length, READ_BYTES))
  for (let position = 0; position < length;) {
    const { bytesRead } = await handle.read(memory, 0, Math.min(READ_BYTES, length - position), position)
    if (bytesRead === 0) throw new Error('the file became shorter while it was read')
    hash.update(memory.subarray(0, bytesRead))
    position += bytesRead
  }
  return hash
}

/** rename(2) would replace what has come there meanwhile; link(2) does not. */
async function renameToNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (!WITHOUT_LINKS.has((error as NodeJS.ErrnoException).code!)) throw error
    // A file system without links: the file is created, so that only one can have done it, and then replaced.
    await (await open(to, 'wx')).close()
    try {
      return await rename(from, to)
    } catch (error) {
      await rm(to)
      throw error
    }
  }
  await rm(from)
}

/** So that the name is there after a crash as well. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } catch (error) {
    // Some file systems cannot.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
  } finally {
    await handle.close()
  }
}

const READ_BYTES = 1 << 20
/** What waits for the disk, and in how many buffers; the stream's window waits in addition. */
const MAX_QUEUED_BYTES = 4 << 20
const MAX_QUEUED_BUFFERS = 512
const WITHOUT_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])
