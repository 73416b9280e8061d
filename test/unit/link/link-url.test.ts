import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { linkUrl, parseLinkUrl, resolveLinkOptions, type LinkOptions } from '../../../src/link/index.js'
import { KIND_TABLES, LINK_KINDS, LINK_ROLES } from '../../../src/link/options/option-tables.js'
import { checkProperty } from '../support/check-property.js'
import { failure } from '../support/errors.js'

const PAIRS: readonly [url: string, options: LinkOptions][] = [
  [
    'point-to-point://client@10.0.0.1:5000?localPort=6000',
    { kind: 'point-to-point', role: 'client', serverHost: '10.0.0.1', serverPort: 5000, localPort: 6000 },
  ],
  [
    'point-to-point://server@[fe80::1%eth0]:6000?localInterface=eth0&localPort=5000',
    {
      kind: 'point-to-point',
      role: 'server',
      clientHost: 'fe80::1%eth0',
      clientPort: 6000,
      localPort: 5000,
      localInterface: 'eth0',
    },
  ],
  [
    'responder://client@server.example:5000?header=true',
    { kind: 'responder', role: 'client', serverHost: 'server.example', serverPort: 5000, header: true },
  ],
  [
    'responder://server@*:5000?announceTo=last',
    { kind: 'responder', role: 'server', localAddress: '*', localPort: 5000, announceTo: 'last' },
  ],
  [
    'discovery://server@239.1.2.3:7000?name=caf%C3%A9+1&multicastTtl=4',
    { kind: 'discovery', role: 'server', multicastAddress: '239.1.2.3', multicastPort: 7000, name: 'café 1', multicastTtl: 4 },
  ],
  [
    'discovery://client@?servers=10.0.0.1%3A5000%2C%5B%3A%3A1%5D%3A6',
    { kind: 'discovery', role: 'client', servers: ['10.0.0.1:5000', '[::1]:6'] },
  ],
  ['discovery://client@?srv=_geysir._udp.example.org', { kind: 'discovery', role: 'client', srv: '_geysir._udp.example.org' }],
  [
    'multicast://client@[ff15::1]:7000?clientGroup=shared',
    { kind: 'multicast', role: 'client', serverMulticastAddress: 'ff15::1', serverMulticastPort: 7000, clientGroup: 'shared' },
  ],
  [
    'proxied://client@?transport=command&command=ssh+host+geysir',
    { kind: 'proxied', role: 'client', transport: 'command', command: ['ssh', 'host', 'geysir'] },
  ],
  ['proxied://server@localhost:7000', { kind: 'proxied', role: 'server', host: 'localhost', port: 7000 }],
]

describe('a URL says what an option object says', () => {
  test.each(PAIRS)('%s', (url, options) => {
    expect(parseLinkUrl(url)).toEqual(options)
    expect(linkUrl(options)).toBe(url)
    expect(resolveLinkOptions(parseLinkUrl(url))).toEqual(resolveLinkOptions(options))
  })
})

test('the host and port of a URL may be given as options as well', () => {
  expect(parseLinkUrl('responder://server@?localPort=5000')).toEqual({ kind: 'responder', role: 'server', localPort: 5000 })
  expect(parseLinkUrl('responder://server@*:5000/')).toMatchObject({ localPort: 5000 })
})

test('words with spaces in them make a JSON array', () => {
  const options: LinkOptions = {
    kind: 'proxied',
    role: 'client',
    transport: 'command',
    command: ['sh', '-c', 'exec nc a, b', ''],
  }
  expect(parseLinkUrl(linkUrl(options))).toEqual(options)
})

describe('a URL that is wrong says why', () => {
  test.each([
    ['', /KIND:\/\/ROLE@HOST:PORT/],
    ['udp://client@h:1', /must begin with one of: point-to-point/],
    ['responder://h:1', /must name a role/],
    ['responder://boss@h:1', /must name a role/],
    ['responder://server@*:1?colour=red', /is not an option of responder server \(known: header/],
    ['responder://server@*:1?localPort=2', /given twice/],
    ['responder://server@*:1?header=maybe', /true, false/],
    ['responder://server@*:1?activeMs=soon', /whole number/],
    ['discovery://client@?resolver=x', /is not an option of discovery client/],
    ['responder://client@%ff:1', /not UTF-8/],
    ['proxied://client@?command=["1', /list, or a JSON array/],
    ['responder://client@h:1#x', /KIND:/],
    [`responder://client@${'h'.repeat(70_000)}:1`, /at most 65536/],
  ])('%s', (url, message) => {
    failure(() => parseLinkUrl(url), 'ERR_INVALID_ARG_VALUE', message)
  })
  failure(() => parseLinkUrl(1 as never), 'ERR_INVALID_ARG_TYPE')
})

test('what only a program can give is in no URL', () => {
  failure(
    () =>
      linkUrl({ kind: 'discovery', role: 'client', multicastAddress: '239.0.0.1', multicastPort: 1, choose: () => undefined }),
    'ERR_INVALID_ARG_VALUE',
    /cannot be said by a URL/,
  )
})

describe('options that are wrong are refused by name', () => {
  const p2p = { kind: 'point-to-point', role: 'client', serverHost: 'h', serverPort: 1 } as const
  const multicast = { kind: 'multicast', role: 'client', serverMulticastAddress: '239.1.1.1', serverMulticastPort: 7 } as const
  const proxied = { kind: 'proxied', role: 'client' } as const
  const discovery = { kind: 'discovery', role: 'server', multicastAddress: '239.1.1.1', multicastPort: 7 } as const
  test.each<[unknown, string, RegExp]>([
    [undefined, 'ERR_INVALID_ARG_TYPE', /a URL or an object of options/],
    [{ role: 'client' }, 'ERR_INVALID_ARG_TYPE', /options.kind/],
    [{ ...p2p, role: 'peer' }, 'ERR_INVALID_ARG_VALUE', /options.role.*'client', 'server'/],
    [{ ...p2p, color: 1 }, 'ERR_INVALID_ARG_VALUE', /options.color/],
    [{ ...p2p, serverPort: 0 }, 'ERR_OUT_OF_RANGE', /options.serverPort/],
    [{ ...p2p, serverPort: undefined }, 'ERR_INVALID_ARG_TYPE', /options.serverPort/],
    [{ ...p2p, serverHost: '' }, 'ERR_INVALID_ARG_VALUE', /options.serverHost/],
    [{ ...p2p, serverHost: 'a b' }, 'ERR_INVALID_ARG_VALUE', /address or a host name/],
    [{ ...p2p, header: 1 }, 'ERR_INVALID_ARG_TYPE', /options.header/],
    [{ ...discovery, multicastAddress: '10.0.0.1' }, 'ERR_INVALID_ARG_VALUE', /must be a multicast address/],
    [{ ...discovery, announcePeriodMs: 10, announceJitterMs: 10 }, 'ERR_OUT_OF_RANGE', /announceJitterMs/],
    [{ ...discovery, name: 'é'.repeat(200) }, 'ERR_INVALID_ARG_VALUE', /at most 255 bytes/],
    [{ kind: 'discovery', role: 'client' }, 'ERR_INVALID_ARG_VALUE', /four ways to find servers/],
    [{ kind: 'discovery', role: 'client', srv: 'x', servers: ['a:1'] }, 'ERR_INVALID_ARG_VALUE', /exactly one/],
    [{ kind: 'discovery', role: 'client', multicastAddress: '239.1.1.1' }, 'ERR_INVALID_ARG_VALUE', /multicastPort/],
    [{ kind: 'discovery', role: 'client', resolver: {} }, 'ERR_INVALID_ARG_TYPE', /a method resolve/],
    [{ kind: 'discovery', role: 'client', servers: [] }, 'ERR_INVALID_ARG_VALUE', /1 to 1000 entries/],
    [{ ...multicast, clientMulticastPort: 8 }, 'ERR_INVALID_ARG_VALUE', /clientMulticastAddress/],
    [{ ...multicast, clientMulticastAddress: 'ff15::1', clientMulticastPort: 8 }, 'ERR_INVALID_ARG_VALUE', /family/],
    [{ ...multicast, clientGroup: 'announced' }, 'ERR_INVALID_ARG_VALUE', /needs the option header/],
    [
      { ...multicast, serverMulticastAddress: '239.255.255.255', serverMulticastPort: 65_535 },
      'ERR_INVALID_ARG_VALUE',
      /after it/,
    ],
    [{ ...multicast, clientGroup: 'shared', localPort: 5 }, 'ERR_INVALID_ARG_VALUE', /localPort/],
    [{ ...multicast, clientGroup: 'derived', clientMulticastPort: 5 }, 'ERR_INVALID_ARG_VALUE', /excludes/],
    [proxied, 'ERR_INVALID_ARG_VALUE', /options.host.*transport tcp/],
    [{ ...proxied, host: 'h' }, 'ERR_INVALID_ARG_VALUE', /options.port/],
    [{ ...proxied, host: 'h', port: 1, path: '/x' }, 'ERR_INVALID_ARG_VALUE', /options.path.*not for transport tcp/],
    [{ ...proxied, transport: 'stdio', role: 'server' }, 'ERR_INVALID_ARG_VALUE', /tcp and unix/],
    [{ ...proxied, host: 'h', port: 0 }, 'ERR_OUT_OF_RANGE', /options.port/],
    [{ ...proxied, host: 'h', port: 1, reconnectMaxMs: 1 }, 'ERR_OUT_OF_RANGE', /reconnectMaxMs/],
    [{ ...proxied, stream: {} }, 'ERR_INVALID_ARG_TYPE', /options.stream/],
    [{ ...proxied, transport: 'command', command: ['a\0b'] }, 'ERR_INVALID_ARG_VALUE', /NUL/],
  ])('%j', (options, code, message) => {
    failure(() => resolveLinkOptions(options as LinkOptions), code, message)
  })
})

test('resolved options are frozen, and complete but for what has no default', () => {
  const resolved = resolveLinkOptions({ kind: 'responder', role: 'server', localPort: 1 })
  expect(Object.isFrozen(resolved)).toBe(true)
  expect(resolved).toMatchObject({ announceTo: 'active', activeMs: 60_000, maxClients: 10_000, header: false, localAddress: '*' })
  expect(Object.keys(resolved).sort()).toEqual(['kind', 'role', ...Object.keys(KIND_TABLES.responder.server.options)].sort())
})

test('any text is read as a URL or refused by a documented error', async () => {
  const pieces = fc.oneof(
    fc.constantFrom(...LINK_KINDS, ...LINK_ROLES, '://', '@', ':', '?', '&', '=', '[', ']', '%', '%25', '*', '/', '5000'),
    fc.constantFrom(...Object.keys(KIND_TABLES.multicast.server.options), '__proto__', 'constructor', 'toString'),
    fc.string({ maxLength: 5 }),
  )
  await checkProperty(
    fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
      try {
        resolveLinkOptions(parseLinkUrl(parts.join('')))
      } catch (error) {
        expect((error as { code?: string }).code).toMatch(/^ERR_(INVALID_ARG|OUT_OF_RANGE)/)
      }
    }),
    2000,
  )
})

test('a URL of any options gives these options', async () => {
  const name = fc.string({ maxLength: 20, unit: 'binary' }).filter((text) => !text.includes('\0'))
  await checkProperty(
    fc.property(
      fc.constantFrom('239.1.2.3', 'ff15::7%3'),
      fc.integer({ min: 1, max: 65_535 }),
      name,
      fc.boolean(),
      (a, p, n, h) => {
        const options: LinkOptions = {
          kind: 'discovery',
          role: 'server',
          multicastAddress: a,
          multicastPort: p,
          name: n,
          header: h,
        }
        expect(parseLinkUrl(linkUrl(options))).toEqual(options)
      },
    ),
  )
})
