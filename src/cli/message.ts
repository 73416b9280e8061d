import type { Command } from 'commander'
import { EXIT_HELP, type ExitCode } from './exit.js'
import { addMessageListen } from './message/listen.js'
import { addMessageSend } from './message/send.js'

/** `geysir message`: files and streams as messages that arrive whole, or not at all. */
export function addMessage(program: Command, exit: (code: ExitCode) => void): void {
  const message = program
    .command('message')
    .description('Messages up to 4 MiB that arrive whole and right, or not at all: send, listen.')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}`)
  addMessageSend(message, exit)
  addMessageListen(message, exit)
}

const EXAMPLES = `
Examples:
  geysir message listen 9000 > photo.jpg       on one host
  geysir message send server 9000 photo.jpg    on another one`
