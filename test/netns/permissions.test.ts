import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lacking, namespaceProblem, otherUserProblem } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { TestNetwork } from '../support/network.js'

describe.skipIf(lacking('network namespaces', namespaceProblem() ?? otherUserProblem()))('a process without privileges', () => {
  let network: TestNetwork
  let nobody: Host

  beforeAll(async () => {
    network = new TestNetwork()
    network.addNamespace('a')
    network.sysctl('a', 'net.ipv4.ip_unprivileged_port_start', 1024)
    nobody = network.host('a')
    await nobody.run(({ geysir }) => {
      // The addon is loaded first: the package may lie where nobody else can read.
      geysir.capabilities()
      process.setgroups!([])
      process.setgid!(65_534)
      process.setuid!(65_534)
    })
  })
  afterAll(() => network.remove())

  test('may not bind a privileged port, and may bind another with the same socket', async () => {
    const result = await nobody.run(async ({ geysir }) => {
      const socket = new geysir.UdpSocket()
      const error = await socket.bind({ address: '127.0.0.1', port: 53 }).then(() => undefined, (e: unknown) => e as Record<string, unknown>) // prettier-ignore
      const { port } = await socket.bind({ address: '127.0.0.1' })
      socket.close()
      return { code: error!['code'], message: error!['message'], bound: port > 0 }
    })
    expect(result).toEqual({ code: 'EACCES', message: 'bind EACCES 127.0.0.1:53', bound: true })
  })

  test.each([
    ['receiveBufferBytes', 'net.core.rmem_max', 'maxReceiveBufferBytes'],
    ['sendBufferBytes', 'net.core.wmem_max', 'maxSendBufferBytes'],
  ] as const)('is warned about a clamped %s with the line that would help', async (option, sysctl, capability) => {
    const result = await nobody.run(
      async ({ geysir, events }, { option, capability }) => {
        const max = geysir.capabilities()[capability]!
        const socket = new geysir.UdpSocket({ [option]: max * 2 })
        const [message] = await events.once(socket, 'warning')
        // At the limit there is nothing to say.
        const modest = new geysir.UdpSocket({ [option]: max })
        modest.on('warning', () => process.exit(9))
        await new Promise((resolve) => setImmediate(resolve))
        const kept = [socket.getOption(option), modest.getOption(option)]
        for (const each of [socket, modest]) each.close()
        return { message: message as string, max, kept }
      },
      { option, capability },
    )
    const { max } = result
    expect(result.kept).toEqual([max * 2, max * 2])
    expect(result.message).toBe(
      `${option}: asked for ${max * 2} bytes, the kernel gave ${max}. To allow it: sudo sysctl -w ${sysctl}=${max * 2}`,
    )
  })

  test('gets the warning as one of the process, where nobody listens for it', async () => {
    const warning = await nobody.run(async ({ geysir, events }) => {
      const warned = events.once(process, 'warning')
      const socket = new geysir.UdpSocket()
      socket.setOption('receiveBufferBytes', geysir.capabilities().maxReceiveBufferBytes! + 1)
      const [{ code, message }] = await warned
      socket.close()
      return { code: code as string, message: message as string }
    })
    expect(warning.code).toBe('GEYSIR_BUFFER_SIZE')
    expect(warning.message).toContain('net.core.rmem_max')
  })

  test('may not set what only an administrator may', async () => {
    const result = await nobody.run(({ geysir, fs }) => {
      const before = fs.readdirSync('/proc/self/fd').length
      const codes: Record<string, unknown> = {}
      const attempts = { mark: 7, priority: 7, bindToDevice: 'lo' } as const
      for (const [name, value] of Object.entries(attempts)) {
        try {
          new geysir.UdpSocket({ [name]: value }).close()
          codes[name] = 'allowed'
        } catch (error) {
          codes[name] = `${(error as { code: string }).code} ${(error as Error).message}`
        }
      }
      return { codes, leaked: fs.readdirSync('/proc/self/fd').length - before }
    })
    // bindToDevice is everybody's since Linux 5.7.
    expect(result.codes).toEqual({
      mark: 'EPERM setsockopt EPERM (mark)',
      priority: 'EPERM setsockopt EPERM (priority)',
      bindToDevice: expect.stringMatching(/^(allowed|EPERM)/) as string,
    })
    expect(result.leaked).toBe(0)
  })

  test('is told beforehand', async () => {
    const told = await network.host('a').run(({ geysir }) => {
      // Before the first question, because the answers are kept; opening a socket has loaded the addon.
      new geysir.UdpSocket().close()
      process.setuid!(65_534)
      const { mark, forceBufferSizes } = geysir.capabilities()
      return { mark, forceBufferSizes }
    })
    expect(told).toEqual({ mark: false, forceBufferSizes: false })
  })
})
