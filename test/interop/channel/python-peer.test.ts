import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { createChannelNode, type ChannelMessage, type ChannelNode } from '../../../src/index.js'
import { Program, linesOf } from '../../cli/command.js'
import { lacking, toolProblem } from '../../support/capabilities.js'
import { deadEndpoint } from '../../support/sockets.js'

const PEER = fileURLToPath(new URL('peer.py', import.meta.url))

describe.skipIf(lacking('Python', toolProblem('python3', '--version')))('a peer in Python', () => {
  let node: ChannelNode | undefined
  afterEach(() => node?.close())

  async function open(): Promise<ChannelNode> {
    const { port } = await deadEndpoint()
    node = createChannelNode({ port, interfaces: ['lo'] })
    return node
  }

  const peer = (...args: (string | number)[]): Program => new Program('python3', [PEER, ...args.map(String)])

  test('hears what we publish, in its channel alone', async () => {
    const made = await open()
    const name = 'robot/pose'
    const receiver = peer('receive', made.port, name, 3)
    await receiver.waitFor('stdout', /ready\n/)
    made.channel('robot/battery').publish('not for it')
    for (const text of ['here', '', 'there']) made.channel(name).publish(text)
    const { code, stdout } = await receiver.ended
    expect([code, linesOf(stdout)]).toEqual([0, ['ready', '0 1 here', '1 1 ', '2 1 there']])
  })

  test('is heard by us, across the wrap of its sequence numbers', async () => {
    const { port } = await open()
    const messages = node!.channel('wrap').subscribe({ ordered: true })
    expect((await peer('send', port, 'wrap', 0xffff_fffe, 4).ended).code).toBe(0)
    const heard: ChannelMessage[] = []
    for await (const message of messages) if (heard.push(message) === 4) break
    expect(heard.map(({ payload, sequence, lead }) => [payload.toString(), sequence, lead])).toEqual([
      ['py 4294967294', 0xffff_fffe, 1],
      ['py 4294967295', 0xffff_ffff, 1],
      ['py 0', 0, 1],
      ['py 1', 1, 1],
    ])
  })
})
