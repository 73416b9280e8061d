// The arrows between the rooms of src/ and the node: modules that each may use (ARCHITECTURE.md, "The rooms").
const rooms = {
  core: { rooms: [], node: [], packages: [] },
  binding: { rooms: ['core'], node: ['module', 'url', 'os', 'util', 'crypto'], packages: ['node-gyp-build'] },
  system: { rooms: ['core'], node: ['crypto', 'perf_hooks', 'timers'], packages: [] },
  socket: {
    rooms: ['core', 'binding', 'system'],
    node: ['async_hooks', 'dgram', 'dns', 'events', 'fs', 'net', 'os'],
    packages: [],
  },
  link: {
    rooms: ['core', 'socket', 'net', 'system'],
    node: ['child_process', 'dns', 'events', 'fs', 'net', 'os', 'stream'],
    packages: [],
  },
  net: { rooms: ['core', 'binding', 'socket', 'system'], node: ['events', 'fs'], packages: [] },
  // Beside core and links: the rules of multicast sockets and the memberships that channels are made of live in net.
  channel: { rooms: ['core', 'binding', 'socket', 'net', 'system'], node: ['events'], packages: [] },
  dgram: {
    rooms: ['core', 'binding', 'socket'],
    node: ['async_hooks', 'child_process', 'cluster', 'dgram', 'dns', 'fs', 'module', 'util', 'worker_threads'],
    packages: [],
  },
  stream: { rooms: ['core', 'fec', 'system'], node: ['crypto', 'events', 'stream'], packages: [] },
  'net-stream': { rooms: ['core', 'socket', 'stream', 'system'], node: ['dns', 'events', 'net', 'stream'], packages: [] },
  testing: { rooms: ['core'], node: ['events', 'timers'], packages: [] },
  fec: { rooms: ['core', 'binding'], node: [], packages: [] },
  strokkur: { rooms: ['core', 'fec', 'system'], node: ['crypto', 'events'], packages: [] },
  cli: { rooms: [], files: ['src/index.ts'], node: ['.*'], packages: ['commander', 'cli-progress'] },
}

const forbidden = [
  {
    name: 'no-circular',
    comment: 'Arrows go one way.',
    severity: 'error',
    from: {},
    to: { circular: true },
  },
  {
    name: 'no-orphan-room',
    comment: 'A new room under src/ states its arrows here first.',
    severity: 'error',
    from: { path: '^src/(?!(' + Object.keys(rooms).join('|') + ')/)[^/]+/' },
    to: {},
  },
  {
    name: 'nobody-imports-the-index',
    comment: 'src/index.ts is for users; only the command is one.',
    severity: 'error',
    from: { path: '^src/(?!cli/)' },
    to: { path: '^src/index\\.ts$' },
  },
]

for (const [room, allowed] of Object.entries(rooms)) {
  const own = `^src/${room}/`
  const others = [own, ...allowed.rooms.map((other) => `^src/${other}/`), ...(allowed.files ?? []).map((file) => `^${file}$`)]
  const nodes = allowed.node.map((name) => `^(node:)?${name}$`)
  const packages = allowed.packages.map((name) => `^node_modules/(@types/)?${name}/`)
  forbidden.push({
    name: `${room}-imports`,
    comment: `${room} may import: ${[...allowed.rooms, ...allowed.node.map((n) => `node:${n}`), ...allowed.packages].join(', ') || 'nothing'}.`,
    severity: 'error',
    from: { path: own },
    to: { pathNot: [...others, ...nodes, ...packages] },
  })
}

module.exports = {
  forbidden,
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
}
