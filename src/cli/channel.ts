import type { Command } from 'commander'
import { addChannelList } from './channel/list.js'
import { addChannelPub } from './channel/pub.js'
import { addChannelSub } from './channel/sub.js'
import { EXIT_HELP, type ExitCode } from './exit.js'

/** `geysir channel`: publish and subscribe by name, over multicast. */
export function addChannel(program: Command, exit: (code: ExitCode) => void): void {
  const channel = program
    .command('channel')
    .description('Publish and subscribe by name over multicast, and see what is published.')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}`)
  addChannelPub(channel, exit)
  addChannelSub(channel, exit)
  addChannelList(channel, exit)
}

const EXAMPLES = `
Examples:
  geysir channel sub weather -p 8765                 print what is published in channel weather
  geysir channel pub weather rain -p 8765            publish something
  geysir channel list -p 8765                        names, rates, gaps and sources`
