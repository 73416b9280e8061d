import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openLink } from '../../src/link/index.js'
import { MAIN, geysir, startGeysir } from './command.js'

async function plain(): Promise<Socket> {
  const socket = createSocket('udp4')
  onTestFinished(() => void socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

async function nextDatagram(socket: Socket): Promise<{ text: string; from: RemoteInfo }> {
  const [payload, from] = (await once(socket, 'message')) as [Buffer, RemoteInfo]
  return { text: payload.toString(), from }
}

test.each(['length', 'separator'])('UDP, a child, its stream (%s), and UDP again: and back', async (framing) => {
  const [server, client] = [await plain(), await plain()]
  const far = `${process.execPath} ${MAIN} proxy stdio udp:127.0.0.1:${server.address().port} -q -f ${framing}`
  const proxy = startGeysir(['proxy', 'udp-listen:127.0.0.1:0', `command:${far}`, '--framing', framing, '--stats'])
  const [, port] = await proxy.waitFor('stderr', /udp-listen\S+ is open at 127\.0\.0\.1:(\d+)/)
  client.send('question', Number(port), '127.0.0.1')
  const question = await nextDatagram(server)
  expect(question.text).toBe('question')
  server.send('answer', question.from.port, question.from.address)
  const answer = await nextDatagram(client)
  expect([answer.text, answer.from.port]).toEqual(['answer', Number(port)])
  proxy.kill('SIGINT')
  const { code, stderr } = await proxy.ended
  expect(code).toBe(0)
  expect(stderr).toMatch(/received 1 datagram, 8 bytes; sent 1 datagram, 6 bytes/)
})

test('a program that speaks the addressed framing reaches any place', async () => {
  const servers = [await plain(), await plain()]
  const proxy = startGeysir(['proxy', 'tcp-listen:127.0.0.1:0', 'udp-listen:127.0.0.1:0', '-f', 'addressed', '--json'])
  const [, port] = await proxy.waitFor('stderr', /tcp-listen[^}]*"port":(\d+)/)
  await proxy.waitFor('stderr', /udp-listen[^}]*"port":(\d+)/)
  const link = await openLink({ kind: 'proxied', role: 'client', host: '127.0.0.1', port: Number(port), framing: 'addressed' })
  onTestFinished(() => link.close())
  link.send('unreachable', { address: '2001:db8::1', port: 1 })
  const heard: string[] = []
  for (const [i, server] of servers.entries()) {
    link.send(`to ${i}`, { address: '127.0.0.1', port: server.address().port })
    const { text, from } = await nextDatagram(server)
    server.send(`re: ${text}`, from.port, from.address)
    for await (const batch of link) {
      heard.push(`${batch.payload(0).toString()} from ${servers.findIndex((s) => s.address().port === batch.endpoint(0).port)}`)
      break
    }
  }
  expect(heard).toEqual(['re: to 0 from 0', 're: to 1 from 1'])
  await proxy.waitFor('stderr', /must be IPv4, as this socket is/)
  proxy.kill('SIGTERM')
  expect((await proxy.ended).code).toBe(0)
})

test('the end of the input is the end', async () => {
  const server = await plain()
  const result = geysir(['proxy', 'stdio', `udp:127.0.0.1:${server.address().port}`, '-q'], Buffer.from([0, 2, 0x68, 0x69]))
  expect((await nextDatagram(server)).text).toBe('hi')
  expect(await result).toMatchObject({ code: 0, stdout: '', stderr: '' })
})

describe('what is no link is said in one line', () => {
  test.each([
    [['stdio', 'stdio'], /once/],
    [['stdio', 'pigeon:1'], /'pigeon:1' is no link/],
    [['stdio', 'udp:1:2:3'], /brackets/],
    [['stdio', 'udp:5000'], /serverHost/],
    [['stdio', 'tcp://x'], /must begin with one of/],
    [['stdio', 'command:'], /options.command/],
    [['stdio', 'unix:'], /options.path/],
  ])('%j', async (links, message) => {
    const { code, stderr } = await geysir(['proxy', ...links])
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/ at /)
  })
})
