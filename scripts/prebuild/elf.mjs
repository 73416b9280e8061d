// As much of elf(5) as it takes to say what a shared object asks of the system that loads it. Little-endian files only.
import { readFileSync } from 'node:fs'

/**
 * @typedef {object} SharedObject
 * @property {32 | 64} bits
 * @property {number} machine e_machine.
 * @property {string[]} needed The libraries it is linked with.
 * @property {string[]} versions The symbol versions it asks for, such as GLIBC_2.14.
 * @property {string[]} imports Undefined symbols.
 * @property {string[]} exports Defined symbols that others can see.
 * @property {boolean} stripped Has it no symbol table and no debug information?
 * @property {number} pageBytes The largest alignment of its segments: it loads on kernels with pages up to this size.
 */

/** @param {string} path @returns {SharedObject} */
export function readSharedObject(path) {
  const file = new ElfFile(readFileSync(path))
  const sections = file.sections()
  /** @param {number} type */
  const ofType = (type) => sections.find((section) => section.type === type)
  const symbols = file.symbols(ofType(SHT_DYNSYM), sections)
  return {
    bits: file.bits,
    machine: file.machine,
    needed: file.needed(ofType(SHT_DYNAMIC), sections),
    versions: file.versions(ofType(SHT_GNU_VERNEED), sections),
    imports: symbols.filter((symbol) => !symbol.defined).map((symbol) => symbol.name),
    exports: symbols.filter((symbol) => symbol.defined).map((symbol) => symbol.name),
    stripped: ofType(SHT_SYMTAB) === undefined && !sections.some((section) => section.name.startsWith('.debug')),
    pageBytes: file.pageBytes(),
  }
}

/** @typedef {{ name: string, type: number, offset: number, bytes: number, link: number }} Section */

class ElfFile {
  /** @param {Buffer} content */
  constructor(content) {
    if (content.readUInt32BE(0) !== MAGIC || content[EI_DATA] !== LITTLE_ENDIAN) throw new Error('not a little-endian ELF file')
    this.content = content
    /** @type {32 | 64} */
    this.bits = content[EI_CLASS] === CLASS_64 ? 64 : 32
    this.machine = content.readUInt16LE(18)
  }

  /** A word of the file's own width. @param {number} offset */
  word(offset) {
    return this.bits === 64 ? Number(this.content.readBigUInt64LE(offset)) : this.content.readUInt32LE(offset)
  }

  /** @param {number} offset */
  string(offset) {
    return this.content.toString('latin1', offset, this.content.indexOf(0, offset))
  }

  /** @returns {Section[]} */
  sections() {
    const wide = this.bits === 64
    const table = this.word(wide ? 40 : 32)
    const entryBytes = this.content.readUInt16LE(wide ? 58 : 46)
    const count = this.content.readUInt16LE(wide ? 60 : 48)
    const at = Array.from({ length: count }, (_, i) => table + i * entryBytes)
    const names = this.word((at[this.content.readUInt16LE(wide ? 62 : 50)] ?? 0) + (wide ? 24 : 16))
    return at.map((offset) => ({
      name: this.string(names + this.content.readUInt32LE(offset)),
      type: this.content.readUInt32LE(offset + 4),
      offset: this.word(offset + (wide ? 24 : 16)),
      bytes: this.word(offset + (wide ? 32 : 20)),
      link: this.content.readUInt32LE(offset + (wide ? 40 : 24)),
    }))
  }

  pageBytes() {
    const wide = this.bits === 64
    const table = this.word(wide ? 32 : 28)
    const entryBytes = this.content.readUInt16LE(wide ? 54 : 42)
    const count = this.content.readUInt16LE(wide ? 56 : 44)
    const loaded = Array.from({ length: count }, (_, i) => table + i * entryBytes).filter(
      (offset) => this.content.readUInt32LE(offset) === PT_LOAD,
    )
    return Math.max(...loaded.map((offset) => this.word(offset + (wide ? 48 : 28))))
  }

  /** @param {Section | undefined} section @param {Section[]} sections */
  symbols(section, sections) {
    if (section === undefined) return []
    const wide = this.bits === 64
    const entryBytes = wide ? 24 : 16
    const strings = stringsOf(section, sections)
    const found = []
    for (let offset = section.offset + entryBytes; offset < section.offset + section.bytes; offset += entryBytes) {
      found.push({
        name: this.string(strings + this.content.readUInt32LE(offset)),
        defined: this.content.readUInt16LE(offset + (wide ? 6 : 14)) !== 0,
      })
    }
    return found
  }

  /** @param {Section | undefined} section @param {Section[]} sections */
  needed(section, sections) {
    if (section === undefined) return []
    const entryBytes = this.bits / 4
    const found = []
    for (let offset = section.offset; offset < section.offset + section.bytes; offset += entryBytes) {
      if (this.word(offset) !== DT_NEEDED) continue
      found.push(this.string(stringsOf(section, sections) + this.word(offset + entryBytes / 2)))
    }
    return found
  }

  /** Verneed is a chain of libraries, each with a chain of versions. @param {Section | undefined} section @param {Section[]} sections */
  versions(section, sections) {
    if (section === undefined) return []
    const strings = stringsOf(section, sections)
    const found = []
    let library = section.offset
    for (let next = 1; next !== 0; library += next) {
      let version = library + this.content.readUInt32LE(library + 8)
      for (let step = 1; step !== 0; version += step) {
        found.push(this.string(strings + this.content.readUInt32LE(version + 8)))
        step = this.content.readUInt32LE(version + 12)
      }
      next = this.content.readUInt32LE(library + 12)
    }
    return found
  }
}

/** Where the strings that a section refers to begin. @param {Section} section @param {Section[]} sections */
function stringsOf(section, sections) {
  const strings = sections[section.link]
  if (strings === undefined) throw new Error(`${section.name} refers to a section that is not there`)
  return strings.offset
}

const MAGIC = 0x7f_45_4c_46
const EI_CLASS = 4
const EI_DATA = 5
const CLASS_64 = 2
const LITTLE_ENDIAN = 1
const PT_LOAD = 1
const SHT_SYMTAB = 2
const SHT_DYNAMIC = 6
const SHT_DYNSYM = 11
const SHT_GNU_VERNEED = 0x6fff_fffe
const DT_NEEDED = 1
