// Links and a service of every kind, which then must let the process end.
//   links.mjs close|unref
import { openLink, openService } from 'geysir'

const group = { multicastAddress: '239.80.1.1', multicastPort: 17_801, localInterface: 'lo' }
const open = [
  await openLink({ kind: 'responder', role: 'server', localPort: 0 }),
  await openLink({ kind: 'point-to-point', role: 'client', serverHost: '127.0.0.1', serverPort: 9 }),
  await openLink({ kind: 'discovery', role: 'server', ...group }),
  await openLink({ kind: 'discovery', role: 'client', ...group, header: true }),
  await openLink({ kind: 'multicast', role: 'client', serverMulticastAddress: '239.80.1.2', serverMulticastPort: 17_802 }),
  await openLink({ kind: 'proxied', role: 'client', host: '127.0.0.1', port: 9 }),
  await openLink({ kind: 'proxied', role: 'server', host: '127.0.0.1', port: 0 }),
  await openService({ multicastPort: 17_803, groups: ['239.80.1.3'], families: ['IPv4'] }),
]
for (const one of open) {
  one.on('batch', () => undefined)
  if (process.argv[2] === 'close') one.close()
  else one.unref()
}
console.log('the end')
