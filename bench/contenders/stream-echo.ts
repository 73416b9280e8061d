/** Answers every message with itself, until SIGTERM. */
import { UdpSocket, createNode } from 'geysir'
import { printLine, readOptions } from './contender.js'

const options = readOptions()
const socket = new UdpSocket({ type: 'udp4', receiveBufferBytes: options.receiveBufferBytes })
const { port } = await socket.bind({ port: options.port, address: options.host })
const node = createNode({ link: socket })
node.on('stream', (stream) => stream.on('message', (message) => stream.send(message)))
printLine({ port, receiveBufferBytes: socket.getOption('receiveBufferBytes') })
