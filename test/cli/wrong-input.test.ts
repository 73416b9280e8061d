import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { MAIN, Program, geysir, startListening } from './command.js'
import { lacking } from '../support/capabilities.js'

describe('a wrong command line is 2, and one line says why', () => {
  test.each<[string[], RegExp]>([
    [['lisen', '9000'], /unknown command 'lisen'/],
    [['listen'], /missing required argument '\[address:\]port'/],
    [['listen', 'ninethousand'], /It must be \[address:\]port/],
    [['listen', '70000'], /from 0 to 65535/],
    [['listen', '::1:9000'], /Put an IPv6 address in brackets: \[::1\]:9000/],
    [['listen', '0', '--cuont', '1'], /unknown option '--cuont'/],
    [['listen', '0', '--count', '0'], /It must be a whole number from 1/],
    [['listen', '0', '--count', '1e3'], /It must be a whole number from 1/],
    [['listen', '0', '--count', '-1'], /It must be a whole number from 1/],
    [['listen', '0', '--receive-buffer', '4X'], /such as 1200, 64k or 4M/],
    [['listen', '0', '--hex', '--raw'], /cannot be used with/],
    [['listen', '0', '--json', '--output', 'x'], /cannot be used with/],
    [['listen', '0', '-4', '-6'], /cannot be used with/],
    [['listen', '[::1]:0', '-4'], /::1 is an IPv6 address, and -4 was given/],
    [['listen', '0', '--group', '192.0.2.1'], /must be a multicast address/],
    [['listen', '0', '--group', 'nonsense'], /must be an IPv4 or IPv6 literal/],
    [['listen', '0', '1'], /too many arguments/],
    [['send', '127.0.0.1'], /missing required argument 'port'/],
    [['send', '127.0.0.1', '0', 'x'], /from 1 to 65535/],
    [['send', '127.0.0.1', '9', 'abc', '--hex'], /an odd number of digits \(3\)/],
    [['send', '127.0.0.1', '9', 'zz', '--hex'], /not hexadecimal: 'z'/],
    [['send', '127.0.0.1', '9', 'x', '--ttl', '256'], /from 1 to 255/],
    [['send', '127.0.0.1', '9', 'x', '--ttl', '0'], /from 1 to 255/],
    [['send', '127.0.0.1', '9', 'x', '--tos', 'high'], /from 0 to 255/],
    [['send', '127.0.0.1', '9', 'x', '--rate', '0'], /a number above 0/],
    [['send', '127.0.0.1', '9', 'x', '--bits-per-second', '10Q'], /such as 500, 20k or 1\.5M/],
    [['send', '127.0.0.1', '9', 'x', '--file', 'y'], /a payload or --file, not both/],
    [['send', '127.0.0.1', '9', 'x', '--whole'], /--whole is for standard input/],
    [['send', '127.0.0.1', '9', 'x', '--bytes', '10'], /--bytes is for --file/],
    [['send', '127.0.0.1', '9', '--count', '2'], /standard input comes only once/],
    [['send', '127.0.0.1', '9', '--whole', '--bytes', '10'], /exclude each other/],
    [['send', '127.0.0.1', '9', '--bytes', '65508'], /from 1 to 65507/],
    [['send', '127.0.0.1', '9', 'x', '--replies', '1'], /--replies needs --wait/],
    [['send', '127.0.0.1', '9', 'x'.repeat(65_508)], /65508 bytes, and a datagram holds at most 65507/],
    [['send', '127.0.0.1', '9', '--file', '/'], /\/ is a directory/],
    [['send', '127.0.0.1', '9', 'x', '--source', '::1'], /must be IPv4, as this socket is/],
    [['listen', '0', '--source', '192.0.2.1'], /--source is for multicast/],
    [['listen', '0', '--interface', 'lo'], /--interface is where to join a --group/],
    [['listen', '0', '--send-buffer', '64k'], /--send-buffer is for what --echo sends/],
    [['listen', '0', '--raw', '--verbose'], /cannot be used with/],
    [['listen', '0', '--stats', '--quiet'], /cannot be used with/],
    [['send', '127.0.0.1', '9', 'x', '--verbose'], /--verbose is for replies, and needs --wait/],
    [['send', '127.0.0.1', '9', 'x', '--multicast-ttl', '2'], /127\.0\.0\.1 is not: give --ttl/],
    [['send', '127.0.0.1', '9', 'x', '--stats', '--quiet'], /cannot be used with/],
    [['interfaces', '--settle', '0'], /--settle is for --watch/],
    [['channel', 'sub', 'a', '-p', '8765', '--raw', '--verbose'], /cannot be used with/],
    [['proxy', 'udp:127.0.0.1:9', 'udp-listen:0', '--framing', 'length'], /--framing is for streams/],
    [['proxy', 'nonsense', 'stdio'], /'nonsense' is no link/],
    [['bench', '--bytes', '19'], /from 20 to 65507/],
    [['bench', '--seconds', 'long'], /a number above 0/],
    [['bench-sink'], /a part of `geysir bench`/],
    [['doctor', 'now'], /too many arguments/],
  ])('geysir %j', async (args, message) => {
    const result = await geysir(args)
    expect(result).toMatchObject({ code: 2, stdout: '' })
    expect(result.stderr).toMatch(/^error: /)
    expect(result.stderr).toMatch(message)
    expect(result.stderr).not.toMatch(/\n\s+at /)
  })

  test('the input that is too long for one datagram', async () => {
    const result = await geysir(['send', '127.0.0.1', '9', '--whole'], 'x'.repeat(70_000))
    expect(result.code).toBe(2)
    expect(result.stderr).toMatch(/longer than one datagram, 65507 bytes: cut it with --bytes/)
  })

  test('no command at all prints the help', async () => {
    expect(await geysir([])).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('what the system refuses is 1, and one line says why', () => {
  test.each<[string[], RegExp]>([
    [['listen', '192.0.2.123:0'], /bind EADDRNOTAVAIL 192\.0\.2\.123:0 \(no interface of this host/],
    [['listen', '239.255.71.3:0', '--interface', 'nope0'], /ENODEV nope0 \(no such interface/],
    [['listen', '0', '--output', '/nowhere/file'], /ENOENT.*'\/nowhere\/file'/],
    [['send', '127.0.0.1', '9', 'x', '--interface', 'nope0'], /no interface 'nope0'/],
    [['send', '127.0.0.1', '9', 'x', '--source', '192.0.2.123'], /bind EADDRNOTAVAIL/],
    [['send', '127.0.0.1', '9', '--file', '/nowhere/file'], /ENOENT.*'\/nowhere\/file'/],
    [['send', '255.255.255.255', '9', 'x'], /EACCES.*for a broadcast address give --broadcast/],
  ])('geysir %j', async (args, message) => {
    const result = await geysir(args)
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toMatch(message)
    expect(result.stderr).not.toMatch(/\n\s+at /)
  })

  test('a port in use', async () => {
    const listener = await startListening(['127.0.0.1:0'])
    const result = await geysir(['listen', `127.0.0.1:${listener.port}`])
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/^error: bind EADDRINUSE 127\.0\.0\.1:\d+ \(another socket has this port; --reuse-address/)
  })

  test('unless both share it', async () => {
    const one = await startListening(['127.0.0.1:0', '--reuse-port', '--count', '1'])
    const two = await startListening([`127.0.0.1:${one.port}`, '--reuse-port', '--count', '1'])
    expect(two.port).toBe(one.port)
  })

  test.skipIf(lacking('a port that needs a privilege', privilegedPortProblem()))('a privileged port', async () => {
    const asRoot = process.getuid?.() === 0
    const command = [process.execPath, MAIN, 'listen', '127.0.0.1:53']
    const [program, ...args] = asRoot ? ['setpriv', ...WITHOUT_PRIVILEGE, ...command] : command
    const result = await new Program(program!, args).ended
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/^error: bind EACCES 127\.0\.0\.1:53 \(ports below net\.ipv4\.ip_unprivileged_port_start/)
  })
})

function privilegedPortProblem(): string | undefined {
  const start = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))
  if (start <= 53) return `net.ipv4.ip_unprivileged_port_start is ${start}`
  if (process.getuid?.() !== 0) return undefined
  const tried = spawnSync('setpriv', [...WITHOUT_PRIVILEGE, 'true'], { encoding: 'utf8' })
  return tried.status === 0 ? undefined : `as root, setpriv is needed: ${tried.error?.message ?? tried.stderr}`
}

/** Root is left everything but this. */
const WITHOUT_PRIVILEGE = ['--inh-caps=-net_bind_service', '--bounding-set=-net_bind_service']
