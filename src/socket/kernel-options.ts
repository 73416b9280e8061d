import { AF_INET, ERRNO, SocketError, networkOrder, writeAddress, type Addon, type NativeSocket } from '../binding/index.js'
import {
  checkBoolean,
  checkInteger,
  checkOneOf,
  checkOptions,
  checkString,
  featureUnavailable,
  invalidArgValue,
} from '../core/index.js'
import { checkInterface, findInterface } from './interface-lookup.js'
import * as k from './kernel-constants.js'
import {
  KERNEL_OPTION_NAMES,
  OPTION_TABLE,
  PATH_MTU_DISCOVERY,
  type KernelOptionName,
  type KernelOptionValues,
  type OptionSpec,
} from './option-table.js'

/** Which halves of the IP stack a socket has. */
export interface SocketFamilies {
  readonly ipv4: boolean
  readonly ipv6: boolean
}

/** Gets and sets the kernel's options of one socket, by the names of {@link OPTION_TABLE}. */
export class KernelOptions {
  readonly #addon: Addon
  readonly #native: NativeSocket
  readonly #families: SocketFamilies
  readonly #warn: (message: string) => void
  #multicastInterface = 0

  constructor(addon: Addon, native: NativeSocket, families: SocketFamilies, warn: (message: string) => void) {
    this.#addon = addon
    this.#native = native
    this.#families = families
    this.#warn = warn
  }

  /** @throws Misuse of the value; {@link SocketError} of setsockopt; `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM`. */
  set<Name extends KernelOptionName>(name: Name, value: KernelOptionValues[Name]): void {
    const spec = OPTION_TABLE[name]
    const label = `options.${name}`
    if (spec.readOnly) throw invalidArgValue(label, value, 'cannot be set, only read')
    checkOptionValue(name, value)
    switch (spec.kind.type) {
      case 'bufferSize':
        this.#setBuffer(name, spec, value as number)
        break
      case 'interface':
        this.#setMulticastInterface(label, value as string | number)
        break
      case 'text':
        this.#write(name, spec, Buffer.from(`${value as string}\0`))
        break
      case 'rate':
        this.#write(name, spec, rateBytes(value as number))
        break
      default:
        this.#write(name, spec, int32(kernelValue(spec, value)))
    }
  }

  /** @throws {@link SocketError} of getsockopt: `ENOTCONN` for `pathMtuBytes` of an unconnected socket. */
  get<Name extends KernelOptionName>(name: Name): KernelOptionValues[Name] {
    return this.#read(name) as KernelOptionValues[Name]
  }

  /** The value, or undefined where this kernel does not tell it. */
  tryGet<Name extends KernelOptionName>(name: Name): KernelOptionValues[Name] | undefined {
    try {
      return this.get(name)
    } catch (error) {
      if ((error as { code?: string }).code === 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM') return undefined
      throw error
    }
  }

  #read(name: KernelOptionName): boolean | number | string {
    const spec = OPTION_TABLE[name]
    if (spec.kind.type === 'interface') return this.#multicastInterface
    const [level, option] = this.#targets(spec)[0]!
    const out = Buffer.alloc(spec.kind.type === 'text' ? spec.kind.maxBytes + 1 : 8)
    const length = this.#native.getOption(
      level,
      option,
      spec.kind.type === 'rate' ? out : out.subarray(0, Math.max(4, out.length === 8 ? 4 : out.length)),
    )
    if (length < 0) this.#fail('getsockopt', length, name)
    switch (spec.kind.type) {
      case 'boolean':
        return readInt32(out) !== 0
      case 'enum':
        return spec.kind.values[readInt32(out)] ?? String(readInt32(out))
      case 'dontFragment':
        return readInt32(out) === PATH_MTU_DISCOVERY.indexOf('do')
      case 'text':
        return out.toString('utf8', 0, Math.max(0, length - 1))
      case 'rate':
        return length >= 8 ? Number(readUint64(out)) : readUint32(out, 0)
      default:
        return name === 'mark' ? readUint32(out, 0) : readInt32(out)
    }
  }

  #setBuffer(name: KernelOptionName, spec: OptionSpec, bytes: number): void {
    this.#write(name, spec, int32(bytes))
    if ((this.#read(name) as number) >= bytes * KERNEL_BUFFER_FACTOR) return
    const force = name === 'receiveBufferBytes' ? k.SO_RCVBUFFORCE : k.SO_SNDBUFFORCE
    if (this.#native.setOption(k.SOL_SOCKET, force, int32(bytes)) >= 0) return
    const sysctl = name === 'receiveBufferBytes' ? 'net.core.rmem_max' : 'net.core.wmem_max'
    const given = (this.#read(name) as number) / KERNEL_BUFFER_FACTOR
    this.#warn(`${name}: asked for ${bytes} bytes, the kernel gave ${given}. To allow it: sudo sysctl -w ${sysctl}=${bytes}`)
  }

  #setMulticastInterface(label: string, value: string | number): void {
    const found = value === 0 ? undefined : findInterface(this.#addon, label, value)
    const index = found?.index ?? 0
    if (this.#families.ipv4) {
      // struct ip_mreqn: group, local address, index. The index alone can leave the right interface with another one's address.
      const request = new Uint32Array([0, 0, index])
      if (found?.ipv4) writeAddress(request, 1, found.ipv4, AF_INET)
      this.#writeAt('multicastInterface', k.IPPROTO_IP, k.IP_MULTICAST_IF, new Uint8Array(request.buffer))
    }
    if (this.#families.ipv6) this.#writeAt('multicastInterface', k.IPPROTO_IPV6, k.IPV6_MULTICAST_IF, int32(index))
    this.#multicastInterface = index
  }

  #write(name: string, spec: OptionSpec, value: Uint8Array): void {
    for (const [level, option] of this.#targets(spec)) this.#writeAt(name, level, option, value)
  }

  #writeAt(name: string, level: number, option: number, value: Uint8Array): void {
    const result = this.#native.setOption(level, option, value)
    if (result < 0) this.#fail('setsockopt', result, name)
  }

  #fail(syscall: string, result: number, name: string): never {
    if (result === -ERRNO.ENOPROTOOPT) throw featureUnavailable(`Option ${name}`, `${kernelOf(this.#addon)} does not know it`)
    throw new SocketError(syscall, result, undefined, undefined, ` (${name})`)
  }

  /** Where an option is set: an IPv6 socket that takes IPv4 too keeps two of it. The first is the one to read. */
  #targets(spec: OptionSpec): (readonly [number, number])[] {
    if (spec.socket) return [spec.socket]
    const targets: (readonly [number, number])[] = []
    if (this.#families.ipv6 && spec.ipv6) targets.push(spec.ipv6)
    if (this.#families.ipv4 && spec.ipv4) targets.push(spec.ipv4)
    return targets
  }
}

/** Sets a number at a level, for what is not a user's option. Returns false where the kernel lacks it. */
export function trySetInteger(native: NativeSocket, level: number, name: number, value: number): boolean {
  return native.setOption(level, name, int32(value)) >= 0
}

/** Datagrams dropped by the kernel since the socket was opened (wrapping at 2^32), undefined where it does not say. */
export function readKernelDrops(native: NativeSocket): number | undefined {
  const out = Buffer.alloc(k.SK_MEMINFO_WORDS * 4)
  const length = native.getOption(k.SOL_SOCKET, k.SO_MEMINFO, out)
  return length >= out.length ? readUint32(out, k.SK_MEMINFO_DROPS * 4) : undefined
}

/** Who refuses an option, for messages. */
export function kernelOf(addon: Addon): string {
  return addon.backend === 'dgram' ? 'node:dgram' : 'this kernel'
}

/** @throws Misuse: a name that is none. */
export function checkOptionName<Name extends KernelOptionName>(name: Name): Name {
  checkOptions('options', { [name]: 0 }, KERNEL_NAMES)
  return name
}

/** Checks a value without a socket, so that misuse is refused before one is opened. */
export function checkOptionValue(name: KernelOptionName, value: unknown): void {
  const { kind } = OPTION_TABLE[name]
  const label = `options.${name}`
  switch (kind.type) {
    case 'boolean':
    case 'dontFragment':
      checkBoolean(label, value)
      break
    case 'integer':
      checkInteger(label, value, kind.min, kind.max)
      break
    case 'enum':
      checkOneOf(label, value, kind.values)
      break
    case 'text':
      if (Buffer.byteLength(checkString(label, value)) > kind.maxBytes) {
        throw invalidArgValue(label, value, `must be at most ${kind.maxBytes} bytes long`)
      }
      break
    case 'bufferSize':
      checkInteger(label, value, 1, MAX_BUFFER_BYTES)
      break
    case 'rate':
      checkInteger(label, value, 1, Number.MAX_SAFE_INTEGER)
      break
    case 'interface':
      checkInterface(label, value)
      break
  }
}

function kernelValue(spec: OptionSpec, value: boolean | number | string): number {
  if (spec.kind.type === 'dontFragment') return PATH_MTU_DISCOVERY.indexOf(value === true ? 'do' : 'want')
  if (spec.kind.type === 'enum') return spec.kind.values.indexOf(String(value))
  return Number(value)
}

/** Four bytes where they suffice: kernels before 4.20 take no more. */
function rateBytes(rate: number): Uint8Array {
  return rate < 0xffff_ffff ? int32(rate) : new Uint8Array(new BigUint64Array([BigInt(rate)]).buffer)
}

function int32(value: number): Uint8Array {
  return new Uint8Array(new Int32Array([value]).buffer)
}

function readInt32(bytes: Buffer): number {
  return readUint32(bytes, 0) | 0
}

function readUint32(bytes: Buffer, offset: number): number {
  return networkOrder(bytes.readUInt32BE(offset))
}

function readUint64(bytes: Buffer): bigint {
  return new BigUint64Array(Uint8Array.from(bytes.subarray(0, 8)).buffer)[0]!
}

const KERNEL_NAMES: ReadonlySet<string> = new Set(KERNEL_OPTION_NAMES)
/** The kernel doubles what is asked, for its bookkeeping, and reports the double (socket(7), SO_RCVBUF). */
export const KERNEL_BUFFER_FACTOR = 2
/** Half of what fits in the kernel's int, because it doubles. */
const MAX_BUFFER_BYTES = 0x3fff_ffff
