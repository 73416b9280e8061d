import { writeFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { InterfaceMonitorOptions } from '../../src/index.js'
import { lacking, namespaceProblem } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { TestNetwork } from '../support/network.js'

type Options = Pick<InterfaceMonitorOptions, 'settleMs' | 'receiveBufferBytes' | 'defaultRoutes'>

describe.skipIf(lacking('network namespaces', namespaceProblem()))('interfaces that change', () => {
  let network: TestNetwork
  let host: Host
  let file: string

  beforeAll(() => {
    network = new TestNetwork()
    network.addNamespace('a')
    host = network.host('a')
    file = join(tmpdir(), `geysir-interfaces-${process.pid}`)
  })
  afterAll(async () => {
    rmSync(file, { force: true })
    await network.remove()
  })
  beforeEach(() => {
    network.ip('a', 'link add v0 group 9 type veth peer name v1 group 9')
  })
  afterEach(async () => {
    await host.run(({ keep }) => keep.monitor?.close())
    network.ip('a', 'link del group 9')
  })

  /** A monitor that keeps a log of what it told. */
  async function watch(options: Options): Promise<void> {
    await host.run(({ geysir, keep }, given) => {
      keep.told = []
      keep.monitor = new geysir.InterfaceMonitor(given)
      keep.monitor.on('change', (changes) => {
        for (const change of changes) {
          // What the carrier does comes in the kernel's own time.
          if (change.type === 'interfaceChanged') continue
          const about = change.type === 'defaultRouteChanged' ? change.after : (change.after ?? change.before)
          const name = about?.name ?? 'none'
          const address = 'addressAfter' in change ? ` ${(change.addressAfter ?? change.addressBefore)!.address}` : ''
          keep.told.push(`${change.type} ${name}${address}`)
        }
      })
    }, options)
  }

  /** What was told until `last` was. */
  function told(last: string): Promise<string[]> {
    return host.run(async ({ keep, events }, wanted) => {
      while (!keep.told.includes(wanted)) await events.once(keep.monitor, 'change')
      return keep.told.splice(0)
    }, last)
  }

  function batch(lines: readonly string[]): void {
    writeFileSync(file, `${lines.join('\n')}\n`)
    network.ip('a', `-batch ${file}`)
  }

  /** The table of the monitor, and what a fresh look says. */
  function tables(): Promise<{ monitor: unknown; snapshot: unknown }> {
    return host.run(({ geysir, keep }) => ({ monitor: keep.monitor.interfaces(), snapshot: geysir.interfaces() }))
  }

  test('a namespace with only the loopback interface has that', async () => {
    network.addNamespace('lonely')
    const found = await network.host('lonely').run(({ geysir }) => {
      const monitor = new geysir.InterfaceMonitor()
      const local = monitor.isLocalEndpoint({ address: '127.9.9.9', port: 1 })
      const result = {
        source: monitor.source,
        names: monitor.interfaces().map(({ name }) => name),
        routes: monitor.defaultRoutes(),
        local,
      }
      monitor.close()
      return result
    })
    expect(found).toEqual({ source: 'netlink', names: ['lo'], routes: [], local: true })
  })

  test('what becomes of an interface is told, one thing after the other', async () => {
    await watch({ settleMs: 0 })
    network.ip('a', 'link add w0 type veth peer name w1')
    expect((await told('interfaceAdded w0')).sort()).toEqual(['interfaceAdded w0', 'interfaceAdded w1'])
    network.ip('a', 'link set w0 up')
    expect(await told('interfaceUp w0')).toEqual(['interfaceUp w0'])
    network.ip('a', 'link set w0 mtu 1300')
    expect(await told('mtuChanged w0')).toEqual(['mtuChanged w0'])
    network.ip('a', 'addr add 10.5.0.1/24 dev w0')
    expect(await told('addressAdded w0 10.5.0.1')).toEqual(['addressAdded w0 10.5.0.1'])
    network.ip('a', 'link set w0 down')
    expect(await told('interfaceDown w0')).toEqual(['interfaceDown w0'])
    network.ip('a', 'link set w0 name w9')
    expect(await told('interfaceRenamed w9')).toEqual(['interfaceRenamed w9'])
    network.ip('a', 'link del w9')
    const end = await told('interfaceRemoved w9')
    expect(end.indexOf('addressRemoved w9 10.5.0.1')).toBeLessThan(end.indexOf('interfaceRemoved w9'))
    const { monitor, snapshot } = await tables()
    expect(monitor).toEqual(snapshot)
  })

  test('within the settle time it is one burst, and what came and went is left out', async () => {
    await watch({ settleMs: 300 })
    batch(['link add w0 type veth peer name w1', 'link set v0 mtu 1400', 'link del w0', 'addr add 10.5.0.1/24 dev v0'])
    expect(await told('addressAdded v0 10.5.0.1')).toEqual(['mtuChanged v0', 'addressAdded v0 10.5.0.1'])
  })

  test('an address that moves is taken from the one before it is given to the other', async () => {
    network.ip('a', 'addr add 10.5.0.1/24 dev v0')
    await watch({ settleMs: 20 })
    batch(['addr del 10.5.0.1/24 dev v0', 'addr add 10.5.0.1/24 dev v1'])
    expect(await told('addressAdded v1 10.5.0.1')).toEqual(['addressRemoved v0 10.5.0.1', 'addressAdded v1 10.5.0.1'])
    expect(await host.run(({ keep }) => keep.monitor.isLocalEndpoint({ address: '10.5.0.1', port: 1 }))).toBe(true)
  })

  test('an address is ours until it goes, however long changes take to settle', async () => {
    network.ip('a', 'addr add 10.5.0.1/24 dev v0')
    await watch({ settleMs: 60_000 })
    const isLocal = (wanted: boolean): Promise<boolean> =>
      host.run(async ({ keep }, until) => {
        const ours = (): boolean => keep.monitor.isLocalEndpoint({ address: '10.5.0.1', port: 9 })
        // No event tells: the events are what is put off.
        while (ours() !== until) await new Promise((resolve) => setImmediate(resolve))
        return ours()
      }, wanted)
    expect(await isLocal(true)).toBe(true)
    network.ip('a', 'addr del 10.5.0.1/24 dev v0')
    expect(await isLocal(false)).toBe(false)
    expect(await host.run(({ keep }) => keep.told)).toEqual([])
  })

  test('one address on two interfaces is ours until the second one loses it', async () => {
    batch(['addr add 10.5.0.1/24 dev v0', 'addr add 10.5.0.1/24 dev v1'])
    await watch({ settleMs: 0 })
    const isLocal = (): Promise<boolean> => host.run(({ keep }) => keep.monitor.isLocalEndpoint({ address: '10.5.0.1', port: 9 }))
    network.ip('a', 'addr del 10.5.0.1/24 dev v0')
    await told('addressRemoved v0 10.5.0.1')
    expect(await isLocal()).toBe(true)
    network.ip('a', 'addr del 10.5.0.1/24 dev v1')
    await told('addressRemoved v1 10.5.0.1')
    expect(await isLocal()).toBe(false)
  })

  test('ten addresses of one interface are ten, each with what belongs to it', async () => {
    const numbers = Array.from({ length: 10 }, (_, i) => i + 1)
    batch(
      numbers.map((i) => (i % 2 === 0 ? `addr add fd55::${i}/64 dev v0 nodad` : `addr add 10.5.${i}.1/2${i % 5} brd + dev v0`)),
    )
    const found = await host.run(({ geysir }) => geysir.interfaces().find(({ name }) => name === 'v0')!)
    const expected = numbers.map((i) => (i % 2 === 0 ? `fd55::${i}/64` : `10.5.${i}.1/2${i % 5}`))
    expect(found.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`).sort()).toEqual(expected.sort())
    expect(found.addresses.find(({ address }) => address === '10.5.9.1')).toMatchObject({
      broadcast: '10.5.9.255',
      permanent: true,
    })
    expect(found).toMatchObject({ kind: 'veth', up: false, loopback: false })
  })

  test('an interface with IPv6 alone is followed, by its link-local address too', async () => {
    await watch({ settleMs: 0 })
    batch(['link set v0 up', 'link set v1 up', 'addr add fd55::1/64 dev v0 nodad', 'addr add fe80::55/64 dev v0 nodad'])
    await told('addressAdded v0 fe80::55')
    const ours = await host.run(({ keep }) => {
      const index = (name: string): number => keep.monitor.interface(name)!.index
      const zones = ['', `%${index('v0')}`, `%${index('v1')}`]
      return zones.map((zone) => keep.monitor.isLocalEndpoint({ address: `fe80::55${zone}`, port: 9 }))
    })
    expect(ours).toEqual([true, true, false])
    network.ip('a', 'link set v0 down')
    expect(await told('addressRemoved v0 fd55::1')).toContain('interfaceDown v0')
  })

  test('flapping a hundred times ends as the kernel has it, ups and downs in turn', async () => {
    await watch({ settleMs: 0 })
    const flap = ['link set v0 up', 'addr add 10.5.0.1/24 dev v0', 'addr del 10.5.0.1/24 dev v0', 'link set v0 down']
    batch([...Array.from({ length: 100 }, () => flap).flat(), 'link set v0 mtu 1234'])
    const log = (await told('mtuChanged v0')).filter((line) => /(Up|Down) v0$/.test(line))
    for (const [i, line] of log.entries()) expect(line).toBe(i % 2 === 0 ? 'interfaceUp v0' : 'interfaceDown v0')
    const { monitor, snapshot } = await tables()
    expect(monitor).toEqual(snapshot)
  })

  test('an interface that joins a bridge has a master, and leaving the bridge it is still there', async () => {
    await watch({ settleMs: 0 })
    batch([
      'link add br0 group 9 type bridge',
      'link add link v1 name m0 group 9 type macvlan',
      'link set v0 master br0',
      'link set v0 mtu 1400',
    ])
    await told('mtuChanged v0')
    const masters = (): Promise<unknown> =>
      host.run(({ keep }) => {
        const [v0, br0, m0] = ['v0', 'br0', 'm0'].map((name) => keep.monitor.interface(name)!)
        return { ofBridge: v0!.master === br0!.index, kinds: [v0, br0, m0].map((one) => one!.kind) }
      })
    expect(await masters()).toEqual({ ofBridge: true, kinds: ['veth', 'bridge', 'macvlan'] })
    batch(['link set v0 nomaster', 'link set v0 mtu 1300'])
    expect(await told('mtuChanged v0')).not.toContain('interfaceRemoved v0')
    expect(await masters()).toMatchObject({ ofBridge: false })
  })

  test('default routes are followed, also when the kernel drops them in silence', async () => {
    batch(['addr add 10.5.0.1/24 dev v0', 'link set v0 up', 'link set v1 up', 'addr add fd55::1/64 dev v0 nodad'])
    await watch({ settleMs: 20 })
    batch(['route add default via 10.5.0.9 metric 7', 'route add default via 10.5.0.8 metric 3'])
    await told('defaultRouteChanged v0')
    const index = await host.run(({ keep }) => keep.monitor.interface('v0')!.index)
    const route = { family: 'IPv4', interfaceIndex: index }
    expect(await host.run(({ keep }) => keep.monitor.defaultRoutes('IPv4'))).toEqual([
      { ...route, gateway: '10.5.0.8', metric: 3 },
      { ...route, gateway: '10.5.0.9', metric: 7 },
    ])
    network.ip('a', 'route add default via fd55::9')
    await told('defaultRouteChanged v0')
    expect(await host.run(({ keep }) => keep.monitor.defaultRoutes('IPv6').map(({ gateway }) => gateway))).toEqual(['fd55::9'])
    network.ip('a', 'link set v0 down')
    await told('defaultRouteChanged none')
    expect(await host.run(({ keep }) => keep.monitor.defaultRoutes())).toEqual([])
  })

  test('what the kernel could not tell is found out: nothing is lost, and it is counted', async () => {
    await watch({ settleMs: 0, receiveBufferBytes: 4096 })
    batch(Array.from({ length: 20 }, (_, i) => `link add y${i} group 9 type veth peer name z${i} group 9`))
    // While the loop is held up nobody reads, and the kernel's buffer overflows.
    await host.run(
      ({ keep }, path) => {
        const { execFileSync } = process.getBuiltinModule('node:child_process')
        keep.told.length = 0
        execFileSync('ip', ['-batch', path])
      },
      writeBatch(Array.from({ length: 200 }, (_, i) => `addr add 10.6.${i}.1/24 dev v0`)),
    )
    await told('addressAdded v0 10.6.199.1')
    const { monitor, snapshot } = await tables()
    expect(monitor).toEqual(snapshot)
    expect(await host.run(({ keep }) => keep.monitor.stats().overruns)).toBeGreaterThan(0)
    expect(await host.run(({ keep }) => keep.monitor.interface('v0')!.addresses.length)).toBe(200)
  })

  test('a thousand interfaces come and go, each is told, and nothing of them is kept', async () => {
    await watch({ settleMs: 0, defaultRoutes: false })
    const churn = Array.from({ length: 500 }, (_, i) => `link add y${i} group 8 type veth peer name z${i} group 8`)
    const heapAfter: number[] = []
    for (let round = 0; round < 3; round++) {
      batch(churn)
      batch(['link del group 8', 'link set v0 mtu ' + (1000 + round)])
      const log = await told('mtuChanged v0')
      const count = (type: string): number => log.filter((line) => line.startsWith(`${type} `)).length
      expect({ added: count('interfaceAdded'), removed: count('interfaceRemoved') }).toEqual({ added: 1000, removed: 1000 })
      heapAfter.push(
        await host.run(() => {
          process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc')
          const collect = process.getBuiltinModule('node:vm').runInNewContext('gc') as () => void
          collect()
          return process.memoryUsage().heapUsed
        }),
      )
    }
    const { monitor, snapshot } = await tables()
    expect(monitor).toEqual(snapshot)
    const [, second, third] = heapAfter
    expect(third! - second!).toBeLessThan(1 << 20)
    expect(await host.run(({ keep }) => keep.monitor.stats().malformed)).toBe(0)
  })

  function writeBatch(lines: readonly string[]): string {
    writeFileSync(file, `${lines.join('\n')}\n`)
    return file
  }
})
