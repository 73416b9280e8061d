import { Option, type Command } from 'commander'
import type { ChannelNodeOptions } from '../../index.js'
import { collect, given, port, wholeNumber } from '../arguments.js'
import { interfaceOf } from '../interface-text.js'

/** What publishing and subscribing have in common. */
export interface NodeOptions {
  readonly port: number
  readonly interface?: string[]
  readonly namespace?: string
  readonly ttl?: number
}

export function addNodeOptions(command: Command): Command {
  return command
    .addOption(new Option('-p, --port <port>', 'the port of all channels').argParser(port).makeOptionMandatory())
    .option('-i, --interface <name>', 'use this interface: its name, index or an address of it; may be repeated', collect)
}

export function addNamespaceOption(command: Command): Command {
  return command.option('--namespace <name>', 'where relative names begin (default /)')
}

export function addTtlOption(command: Command): Command {
  return command.option('--ttl <hops>', 'hops; 0: this host only (default 1)', wholeNumber(0, 255))
}

export function nodeOptions({ port, interface: names, namespace, ttl }: NodeOptions): ChannelNodeOptions {
  return { port, ...given({ interfaces: interfacesOf(names), namespace, ttl }) }
}

export function interfacesOf(names: string[] | undefined): (string | number)[] | undefined {
  return names?.map((name) => interfaceOf(name)!)
}
