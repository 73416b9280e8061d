import { interfaces, type InterfaceAddress, type InterfaceChange, type NetworkInterface } from '../index.js'
import { CommandError } from './exit.js'

/** Interfaces as people read and name them. */

/** The name of the interface that `text` names by name, index or address. */
export function interfaceName(text: string): string {
  const found = interfaces().find(
    ({ name, index, addresses }) => name === text || String(index) === text || addresses.some(({ address }) => address === text),
  )
  if (found === undefined) throw new CommandError(`no interface '${text}': geysir interfaces lists them`)
  return found.name
}

/** An interface index is written in digits. */
export function interfaceOf(text: string | undefined): string | number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : text
}

/** A line for each interface and, below it, for each of its addresses. `more`: what else there is to say of one. */
export function describeInterfaces(
  list: readonly NetworkInterface[],
  more: (of: NetworkInterface) => string[] = () => [],
): string[] {
  const width = Math.max(0, ...list.map(({ name }) => name.length))
  const names = new Map(list.map(({ index, name }) => [index, name]))
  const lines: string[] = []
  for (const one of list) {
    const master = one.master === undefined ? [] : [`of ${names.get(one.master) ?? `index ${one.master}`}`]
    lines.push(`${one.name.padEnd(width)}  ${[...describeLink(one), ...master, ...more(one)].join(', ')}`)
    for (const address of one.addresses) lines.push(`${' '.repeat(width)}  ${describeAddress(address)}`)
  }
  return lines.length === 0 ? ['none'] : lines
}

/** One change as one line. */
export function describeChange(change: InterfaceChange): string {
  const { type, before, after } = change
  const name = (after ?? before)?.name ?? 'none'
  switch (type) {
    case 'addressAdded':
    case 'addressRemoved':
    case 'addressChanged':
      return `${type}  ${name}  ${describeAddress((change.addressAfter ?? change.addressBefore)!)}`
    case 'defaultRouteChanged': {
      const route = change.routesAfter[0]
      const way = route === undefined ? 'none' : `${after?.name ?? `index ${route.interfaceIndex}`}${gatewayText(route.gateway)}`
      return `${type}  ${change.family}  ${way}`
    }
    case 'interfaceRenamed':
      return `${type}  ${before!.name}  ${name}`
    case 'mtuChanged':
      return `${type}  ${name}  ${before!.mtuBytes} to ${after!.mtuBytes}`
    default:
      return `${type}  ${name}  ${describeLink((after ?? before)!).join(', ')}`
  }
}

function gatewayText(gateway: string | undefined): string {
  return gateway === undefined ? '' : ` via ${gateway}`
}

function describeLink(one: NetworkInterface): string[] {
  return [
    `index ${one.index}`,
    one.up ? (one.running ? 'up' : 'up, no carrier') : 'down',
    `MTU ${one.mtuBytes}`,
    one.multicast ? 'multicast' : 'no multicast',
    ...(one.kind === undefined ? [] : [one.kind]),
    ...(one.hardwareAddress === undefined ? [] : [one.hardwareAddress]),
  ]
}

function describeAddress(address: InterfaceAddress): string {
  const states = (['tentative', 'duplicate', 'deprecated', 'temporary'] as const).filter((state) => address[state])
  const words = [
    ...(address.peer === undefined ? [] : [`peer ${address.peer}`]),
    ...(address.broadcast === undefined ? [] : [`broadcast ${address.broadcast}`]),
    ...(address.scope === 'global' ? [] : [`scope ${address.scope}`]),
    ...states,
  ]
  return [`${address.address}/${address.prefixLength}`, ...words].join(' ')
}
