import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Endpoint } from '../../../src/core/index.js'
import { InterfaceTable } from '../../../src/net/interface-table.js'
import * as n from '../../../src/net/netlink-constants.js'
import { decodeRouteMessages } from '../../../src/net/rtnetlink-decoder.js'
import { checkProperty } from '../support/check-property.js'
import { addressMessage, linkMessage } from './support/netlink-messages.js'

const ADDRESSES = ['10.0.0.1', '10.0.0.2', '127.0.0.1', '192.0.2.7', 'fd00::1', 'fe80::1', 'fe80::2']
const QUESTIONS = [
  ...ADDRESSES,
  '10.0.0.200',
  '127.9.9.9',
  '::ffff:10.0.0.2',
  'fe80::1%1',
  'fe80::1%2',
  'fd00::1%2',
  '255.255.255.255',
]

/** Without an index: looks at every address of every interface. */
function slowlyLocal(table: InterfaceTable, question: string): boolean {
  const [text, zone] = question.replace('::ffff:', '').split('%')
  return table.interfaces.some(({ index, loopback, addresses }) =>
    addresses.some(({ address, family, tentative, duplicate, prefixLength }) => {
      if (tentative || duplicate) return false
      if (family === 'IPv4' && loopback && !text!.includes(':')) {
        const bits = (of: string): string => of.split('.').map((part) => Number(part).toString(2).padStart(8, '0')).join('') // prettier-ignore
        if (bits(address).slice(0, prefixLength) === bits(text!).slice(0, prefixLength)) return true
      }
      return address === text && (zone === undefined || !address.startsWith('fe80') || zone === String(index))
    }),
  )
}

test('the index of our addresses agrees with a look at all of them, whatever happened before', () =>
  checkProperty(
    fc.property(
      fc.array(
        fc.record({
          index: fc.integer({ min: 1, max: 3 }),
          address: fc.constantFrom(...ADDRESSES),
          prefixLength: fc.constantFrom(8, 24, 32),
          flags: fc.constantFrom(0, n.IFA_F_TENTATIVE, n.IFA_F_TENTATIVE | n.IFA_F_OPTIMISTIC, n.IFA_F_DADFAILED),
          what: fc.constantFrom('add', 'add', 'remove', 'unlink', 'ask'),
        }),
        { maxLength: 40 },
      ),
      (steps) => {
        const table = new InterfaceTable()
        const tell = (bytes: Buffer): void => void decodeRouteMessages(bytes, (message) => table.applyEvent(message))
        const link = (index: number): { index: number; name: string; flags: number } => ({
          index,
          name: `if${index}`,
          flags: index === 1 ? n.IFF_UP | n.IFF_LOOPBACK : n.IFF_UP,
        })
        for (const { what, ...address } of steps) {
          if (what === 'ask') table.local.has(Endpoint.of('10.0.0.1', 1))
          else if (what === 'unlink') tell(linkMessage(link(address.index), n.RTM_DELLINK))
          else {
            tell(linkMessage(link(address.index)))
            tell(addressMessage(address, what === 'add' ? n.RTM_NEWADDR : n.RTM_DELADDR))
          }
        }
        for (const question of QUESTIONS) {
          expect(table.local.has(Endpoint.of(question, 9)), question).toBe(slowlyLocal(table, question))
        }
      },
    ),
    400,
  ))
