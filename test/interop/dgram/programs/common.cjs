// Every way in which CommonJS comes to dgram, and a whole exchange without a listener for anything but the message.
const { createRequire } = require('node:module')
const dgram = require('dgram')
const { handleName, tell } = require('./witness.cjs')

const ways = [require('node:dgram'), module.require('dgram'), createRequire(__filename)('dgram')]
// Not in every Node 20.
if (process.getBuiltinModule) ways.push(process.getBuiltinModule('dgram'), process.getBuiltinModule('node:dgram'))
const same = ways.every((one) => one === dgram)
const receiver = dgram.createSocket('udp4', (message) => {
  tell({ handle: handleName(receiver), same, message: String(message) })
  receiver.close()
})
receiver.bind(0, '127.0.0.1', () => {
  const sender = dgram.createSocket('udp4')
  sender.send('hello', receiver.address().port)
  sender.unref()
})
dgram.createSocket('udp4') // neither bound nor closed: keeps nothing alive
