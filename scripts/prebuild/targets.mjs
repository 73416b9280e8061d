// The platforms that the package brings an addon for, and how each is built: one row of flags a target, for `zig c++`.

/**
 * The oldest glibc that the prebuilt addons load on: that of RHEL 7 and, nearly, Debian 8, and the first one for arm64. Node.js 20
 * itself asks for 2.28.
 */
export const GLIBC_MINIMUM = '2.17'

/** A file larger than this is refused. */
export const MAX_ADDON_BYTES = 250_000

/**
 * @typedef {object} Target
 * @property {string} file Below prebuilds/, as node-gyp-build looks for it. The libc stands in the name: a musl build under the same name
 *   would be loaded on glibc.
 * @property {string} zig What `zig c++ -target` is told.
 * @property {'glibc' | 'musl'} libc
 * @property {{ bits: 32 | 64, machine: number }} elf The class and e_machine of the file (elf(5)).
 * @property {string[]} flags
 */

/** @type {Target[]} */
export const TARGETS = [
  {
    file: 'linux-x64/geysir.glibc.node',
    zig: `x86_64-linux-gnu.${GLIBC_MINIMUM}`,
    libc: 'glibc',
    elf: { bits: 64, machine: 62 },
    flags: ['-mcpu=x86_64'],
  },
  {
    file: 'linux-x64/geysir.musl.node',
    zig: 'x86_64-linux-musl',
    libc: 'musl',
    elf: { bits: 64, machine: 62 },
    flags: ['-mcpu=x86_64'],
  },
  {
    file: 'linux-arm64/geysir.glibc.node',
    zig: `aarch64-linux-gnu.${GLIBC_MINIMUM}`,
    libc: 'glibc',
    elf: { bits: 64, machine: 183 },
    flags: ['-mcpu=generic', '-Wl,-z,max-page-size=65536'], // kernels with pages of 16 and 64 KiB exist
  },
  {
    file: 'linux-arm64/geysir.musl.node',
    zig: 'aarch64-linux-musl',
    libc: 'musl',
    elf: { bits: 64, machine: 183 },
    flags: ['-mcpu=generic', '-Wl,-z,max-page-size=65536'],
  },
  {
    file: 'linux-arm/geysir.armv7.glibc.node',
    zig: `arm-linux-gnueabihf.${GLIBC_MINIMUM}`,
    libc: 'glibc',
    elf: { bits: 32, machine: 40 },
    flags: ['-mcpu=generic+v7a+vfp3d16'], // without NEON: not every ARMv7 has it
  },
]

/** The same for all: as in CMakeLists.txt, and stripped. */
export const FLAGS = [
  ...['-shared', '-fPIC', '-std=c++20', '-O2', '-g0', '-fno-exceptions', '-fno-rtti'],
  ...['-fvisibility=hidden', '-fvisibility-inlines-hidden', '-ffunction-sections', '-fdata-sections'],
  ...['-Wall', '-Wextra', '-Werror'],
  ...['-D_GNU_SOURCE', '-DNAPI_VERSION=8', '-DNAPI_DISABLE_CPP_EXCEPTIONS', '-DNODE_ADDON_API_DISABLE_DEPRECATED'],
  '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
  ...['-s', '-Wl,--gc-sections', '-Wl,--build-id=none', '-Wl,-z,now', '-Wl,-z,relro'],
]
