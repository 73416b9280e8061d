// Every way in which a module comes to dgram. `node` and `bare` are the module's own imports.
import * as namespace from 'node:dgram'
import node, { Socket, createSocket } from 'node:dgram'
import bare from 'dgram'
import { createRequire } from 'node:module'
import { inherits } from 'node:util'
import witness from './witness.cjs'

const require = createRequire(import.meta.url)
const dynamic = await import('dgram')
const computed = await import(['node', 'dgram'].join(':'))
const reExported = await import('./re-export.mjs')

function Inherited(type) {
  Socket.call(this, type)
}
inherits(Inherited, Socket)

const sockets = {
  namespace: namespace.createSocket('udp4'),
  default: node.createSocket('udp4'),
  named: createSocket('udp4'),
  constructed: new Socket('udp4'),
  subclass: new (class extends Socket {})('udp4'),
  inherited: new Inherited('udp4'),
  bare: bare.createSocket('udp4'),
  dynamic: dynamic.createSocket('udp4'),
  computed: computed.default.createSocket('udp4'),
  reExported: reExported.createSocket('udp4'),
  required: require('dgram').createSocket('udp4'),
  requiredWithPrefix: require('node:dgram').createSocket({ type: 'udp6' }),
}
const handles = Object.fromEntries(Object.entries(sockets).map(([way, socket]) => [way, witness.handleName(socket)]))
const same = [node, bare, dynamic.default, computed.default, require('dgram')].every((one) => one.createSocket === createSocket)
const instances = Object.values(sockets).every((socket) => socket instanceof Socket && socket instanceof require('dgram').Socket)
const exported = Object.keys(namespace).sort()
Object.values(sockets).forEach((socket) => socket.close())
witness.tell({ handles, same, instances, exported, keys: Object.keys(node).sort() })
