// Loads the prebuilt addon for musl with musl's own dynamic linker, in a program that has the functions of Node which the addon asks for: npm
// has no Node.js that is linked with musl. Everything else must come from musl's libc. Needs a C++ compiler, and Debian's musl and musl-dev.
//   npm run test:musl
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSharedObject } from './prebuild/elf.mjs'
import { prebuilds } from './prebuild/manifest.mjs'

const LIBRARIES = '/usr/lib/x86_64-linux-musl'
const LINKER = '/lib/ld-musl-x86_64.so.1'
const NODE_API_VERSION = 8

const addon = join(prebuilds, 'linux-x64', 'geysir.musl.node')
const ofNode = readSharedObject(addon).imports.filter((name) => /^(napi|uv)_/.test(name))
const folder = mkdtempSync(join(tmpdir(), 'geysir-musl-'))
try {
  const [source, program] = [join(folder, 'node.cpp'), join(folder, 'node')]
  writeFileSync(source, standIn())
  const objects = ['Scrt1.o', 'crti.o', 'crtn.o', 'libc.so'].map((name) => join(LIBRARIES, name))
  execFileSync(process.env.CXX ?? 'c++', [
    ...['-nostdlib', '-nostartfiles', '-fno-exceptions', '-fno-stack-protector', '-rdynamic', source, ...objects],
    ...[`-Wl,--dynamic-linker=${LINKER}`, '-o', program],
  ])
  console.log(execFileSync(program, [addon], { encoding: 'utf8' }).trim())
} finally {
  rmSync(folder, { recursive: true })
}

/** Without headers: those that a compiler finds by itself are glibc's. */
function standIn() {
  return `
extern "C" {
void* dlopen(const char*, int); void* dlsym(void*, const char*); char* dlerror(); int printf(const char*, ...); void abort();
${ofNode.map((name) => `void ${name}() { abort(); }`).join('\n')}
}
int main(int, char** arguments) {
  void* addon = dlopen(arguments[1], 2 /* RTLD_NOW: every symbol is looked up */);
  if (addon == nullptr) { printf("%s\\n", dlerror()); return 1; }
  auto* version = reinterpret_cast<int (*)()>(dlsym(addon, "node_api_module_get_api_version_v1"));
  if (dlsym(addon, "napi_register_module_v1") == nullptr || version == nullptr || version() != ${NODE_API_VERSION}) return 1;
  printf("musl loads the addon: ${ofNode.length} functions of Node, all others of libc\\n");
}
`
}
