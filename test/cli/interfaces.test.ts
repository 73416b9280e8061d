import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { interfaces, type NetworkInterface } from '../../src/index.js'
import { lacking, namespaceProblem } from '../support/capabilities.js'
import { TestNetwork } from '../support/network.js'
import { nodeInNamespace } from '../support/tools.js'
import { MAIN, Program, geysir, objectsOf } from './command.js'

test('geysir interfaces prints what the library says, as text and as JSON', async () => {
  const { code, stdout, stderr } = await geysir(['interfaces', '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const list = JSON.parse(stdout) as NetworkInterface[]
  expect(list.map(({ name, index }) => [name, index])).toEqual(interfaces().map(({ name, index }) => [name, index]))
  const text = (await geysir(['interfaces'])).stdout
  expect(text).toMatch(/^lo +index 1, up, MTU 65536, no multicast$/m)
  expect(text).toMatch(/^ +127\.0\.0\.1\/8 scope host$/m)
})

test('a settle time that is none is refused', async () => {
  expect((await geysir(['interfaces', '--watch', '--settle', 'soon'])).code).toBe(2)
})

describe.skipIf(lacking('network namespaces', namespaceProblem()))('geysir interfaces --watch', () => {
  let network: TestNetwork

  beforeAll(() => {
    network = new TestNetwork()
    network.addNamespace('a')
  })
  afterAll(() => network.remove())

  function watching(...args: string[]): Program {
    const [command, ...rest] = nodeInNamespace(network.fullName('a'), [MAIN, 'interfaces', '--watch', ...args])
    return new Program(command, rest)
  }

  test('prints a line for each change, until Ctrl-C', async () => {
    const program = watching()
    await program.waitFor('stderr', /watching/)
    network.ip('a', 'link add v0 type veth peer name v1')
    network.ip('a', 'addr add 10.5.0.1/24 dev v0')
    await program.waitFor('stdout', /T\S+Z {2}addressAdded {2}v0 {2}10\.5\.0\.1\/24\n/)
    network.ip('a', 'link set v0 mtu 1400')
    await program.waitFor('stdout', /mtuChanged {2}v0 {2}1500 to 1400\n/)
    network.ip('a', 'link del v0')
    await program.waitFor('stdout', /interfaceRemoved {2}v0 {2}index/)
    program.kill('SIGINT')
    expect((await program.ended).code).toBe(0)
  })

  test('prints objects with --json, the interfaces first', async () => {
    const program = watching('--json', '--settle', '0')
    await program.waitFor('stderr', /"source":"netlink"/)
    network.ip('a', 'addr add 10.7.0.1/24 dev lo')
    await program.waitFor('stdout', /addressAdded/)
    program.kill('SIGTERM')
    const [first, ...changes] = objectsOf((await program.ended).stdout)
    expect(first).toMatchObject({ type: 'interface', name: 'lo' })
    expect(changes.at(-1)).toMatchObject({ type: 'addressAdded', addressAfter: { address: '10.7.0.1' }, after: { name: 'lo' } })
  })

  test('ends when nobody reads', async () => {
    const program = watching('--settle', '0')
    await program.waitFor('stderr', /watching/)
    program.closeOutput()
    network.ip('a', 'addr add 10.8.0.1/24 dev lo')
    network.ip('a', 'addr add 10.9.0.1/24 dev lo')
    expect((await program.ended).code).toBe(0)
  })
})
