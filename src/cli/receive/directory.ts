import { constants } from 'node:fs'
import { access, lstat, mkdir, open, stat, statfs } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { CommandError } from '../exit.js'
import { nameDefect, type Offer, type RefusalName } from '../push/wire.js'
import { bytes as bytesText } from '../numbers.js'
import { hashOf } from './part-file.js'

/** What a directory takes. */
export interface DirectoryLimits {
  /** The longest file; undefined: what there is room for. */
  readonly maxBytes: number | undefined
  /** May what is there be replaced? */
  readonly overwrite: boolean
}

/** A file is not taken, for this reason. */
export class RefusedError extends Error {
  readonly reason: RefusalName

  constructor(reason: RefusalName, text: string) {
    super(text)
    this.reason = reason
  }
}

/** The directory that files are received into: who may write what there. */
export class ReceiveDirectory {
  readonly path: string
  readonly limits: DirectoryLimits
  readonly #lock: Server
  /** Names that are being received, with the bytes that are still to come. */
  readonly #active = new Map<string, { missingBytes: number }>()

  private constructor(path: string, limits: DirectoryLimits, lock: Server) {
    this.path = path
    this.limits = limits
    this.#lock = lock
  }

  /** Makes the directory if it is not there. @throws What the system says, or will say of files; that another process receives into it. */
  static async open(path: string, limits: DirectoryLimits): Promise<ReceiveDirectory> {
    await makeDirectory(path)
    await access(path, constants.W_OK | constants.X_OK)
    return new ReceiveDirectory(path, limits, await lockOf(path))
  }

  /** @throws {RefusedError} */
  checkName(name: string): void {
    const defect = nameDefect(name)
    if (defect !== undefined) throw new RefusedError('name', defect)
  }

  /**
   * Takes the name of an offer, until the returned function is called.
   *
   * @throws {RefusedError}
   */
  reserve({ name, size }: Offer): { missingBytes: number; release: () => void } {
    const { maxBytes } = this.limits
    if (maxBytes !== undefined && size > maxBytes) {
      throw new RefusedError('size', `longer than the ${bytesText(maxBytes)} that are taken here`)
    }
    if (this.#active.has(name)) throw new RefusedError('busy', 'the same file is being received')
    if (this.#active.size >= MAX_ACTIVE) throw new RefusedError('busy', 'too many files are being received')
    const reservation = { missingBytes: size, release: () => void this.#active.delete(name) }
    this.#active.set(name, reservation)
    return reservation
  }

  /**
   * What is there under a name: nothing, or the digest of a file that is as long as the offered one.
   *
   * @throws {RefusedError} If there is something that is not to be replaced.
   */
  async existing({ name, size }: Offer): Promise<Buffer | undefined> {
    const path = join(this.path, name)
    const found = await lstat(path).catch(absent)
    if (found === undefined) return undefined
    if (found.isFile() && found.size === size) {
      const handle = await open(path)
      try {
        return (await hashOf(handle, size)).digest()
      } finally {
        await handle.close()
      }
    }
    if (!found.isFile() && !found.isSymbolicLink()) throw new RefusedError('exists', 'it exists, and is no regular file')
    this.checkMayReplace()
    return undefined
  }

  /** @throws {RefusedError} */
  checkMayReplace(): void {
    if (!this.limits.overwrite) throw new RefusedError('exists', 'it exists; --overwrite of the receiver replaces files')
  }

  /** Is there room for `bytes` more, beside what all others still need? @throws {RefusedError} */
  async checkSpace(reservation: { missingBytes: number }, bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.path)
    let promised = 0
    for (const other of this.#active.values()) if (other !== reservation) promised += other.missingBytes
    reservation.missingBytes = bytes
    if (bytes + promised > bavail * bsize) {
      throw new RefusedError(
        'space',
        `${bytesText(bytes)} are wanted, and ${bytesText(Math.max(0, bavail * bsize - promised))} are free`,
      )
    }
  }

  close(): void {
    this.#lock.close()
  }
}

/** As `mkdir -p`. Node's own `recursive` goes round for ever where nothing can be made, such as in /proc (v20). */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && dirname(path) !== path && path !== '') {
      await makeDirectory(dirname(path))
      await mkdir(path)
    } else if (code !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/**
 * Two processes must not write to one partly received file. A socket's abstract name (unix(7)) is there once, and gone with the process,
 * however it ends.
 */
async function lockOf(path: string): Promise<Server> {
  const { dev, ino } = await stat(path, { bigint: true })
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new CommandError(`another process receives into ${path}`) : error),
    )
    server.listen(`\0geysir-receive-${dev}-${ino}`, resolve)
  })
  return server.unref()
}

/** Files that are received at the same time: each has a queue and a descriptor. */
const MAX_ACTIVE = 64
