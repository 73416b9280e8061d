import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { basename } from 'node:path'
import { CommandError, UsageError } from '../exit.js'
import { MAX_DATA_BYTES, nameDefect } from './wire.js'

/** A file to be sent: what it is called over there, and how long it is. */
export interface FileToSend {
  readonly path: string
  readonly name: string
  readonly size: number
}

/** @throws What the system says, or that it is no file: before anything is sent. */
export async function examineFile(path: string): Promise<FileToSend> {
  const handle = await open(path)
  try {
    const stat = await handle.stat()
    if (stat.isDirectory()) throw new UsageError(`${path} is a directory`)
    if (!stat.isFile()) throw new UsageError(`${path} is no regular file: its length is not known beforehand`)
    const name = basename(path)
    const defect = nameDefect(name)
    if (defect !== undefined) throw new UsageError(`${path}: ${defect}`)
    return { path, name, size: stat.size }
  } finally {
    await handle.close()
  }
}

/** The bytes of a file from its beginning to its end, each of them once through the digest. */
export class SourceFile {
  readonly #path: string
  readonly #size: number
  readonly #handle: FileHandle
  readonly #version: string
  readonly #memory = Buffer.allocUnsafe(READ_BYTES)
  #hash = createHash('sha256')
  #position = 0

  private constructor(path: string, size: number, handle: FileHandle, version: string) {
    this.#path = path
    this.#size = size
    this.#handle = handle
    this.#version = version
  }

  /** @throws What open(2) says; that it is no longer as it was examined. */
  static async open({ path, size }: FileToSend): Promise<SourceFile> {
    const handle = await open(path)
    try {
      const file = new SourceFile(path, size, handle, await versionOf(handle))
      if ((await handle.stat()).size !== size) throw file.#changed()
      return file
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Goes on to `offset`, and returns the digest of all before it. */
  async digestTo(offset: number): Promise<Buffer> {
    while (this.#position < offset) await this.#read(Math.min(READ_BYTES, offset - this.#position))
    return this.#digest()
  }

  rewind(): void {
    this.#position = 0
    this.#hash = createHash('sha256')
  }

  /** The next bytes, in pieces of a message each, which are valid until the next call; empty at the end. */
  async readPieces(): Promise<Buffer[]> {
    const bytes = await this.#read(Math.min(READ_BYTES, this.#size - this.#position))
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length; at += MAX_DATA_BYTES) pieces.push(bytes.subarray(at, at + MAX_DATA_BYTES))
    return pieces
  }

  /** The digest of the whole. @throws That the file was written to meanwhile: what was read is a mix. */
  async digest(): Promise<Buffer> {
    if ((await versionOf(this.#handle)) !== this.#version) throw this.#changed()
    return this.#digest()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  async #read(length: number): Promise<Buffer> {
    const { bytesRead } = await this.#handle.read(this.#memory, 0, length, this.#position)
    if (bytesRead === 0 && length > 0) throw this.#changed()
    const bytes = this.#memory.subarray(0, bytesRead)
    this.#hash.update(bytes)
    this.#position += bytesRead
    return bytes
  }

  #digest(): Buffer {
    return this.#hash.copy().digest()
  }

  #changed(): CommandError {
    return new CommandError(`${this.#path} was changed while it was sent`)
  }
}

/** Says whether somebody wrote to a file. */
async function versionOf(handle: FileHandle): Promise<string> {
  const { size, mtimeNs } = await handle.stat({ bigint: true })
  return `${size} ${mtimeNs}`
}

const READ_BYTES = 4 * MAX_DATA_BYTES
