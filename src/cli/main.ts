#!/usr/bin/env node
/**
 * The command `geysir`: one file a sub-command, and what they share.
 *
 * May import the package's own index, as any program would, `node:*`, commander and cli-progress; nothing from the other rooms. What is
 * printed on standard output is data, what is said about it goes to standard error. Every error of the user's is one line.
 */
import { Command, CommanderError } from 'commander'
import { addBench } from './bench.js'
import { addBenchSink } from './bench/sink.js'
import { addBenchSource } from './bench/source.js'
import { addChannel } from './channel.js'
import { addDoctor } from './doctor.js'
import { EXIT, EXIT_HELP, describeError, exitCodeOf, type ExitCode } from './exit.js'
import { addInterfaces } from './interfaces.js'
import { addListen } from './listen.js'
import { addProxy } from './proxy.js'
import { addMessage } from './message.js'
import { addPush } from './push.js'
import { addReceive } from './receive.js'
import { readerGone } from './output.js'
import { addSend } from './send.js'
import { packageVersion } from './version.js'

async function main(): Promise<void> {
  const program = makeProgram()
  readerGone()
  try {
    await program.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has printed what there is to say.
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
      return
    }
    const text = describeError(error)
    process.exitCode = exitCodeOf(error)
    if (text !== undefined) process.stderr.write(`error: ${text}\n`)
    else process.stderr.write(`error: this should not have happened\n${(error as Error).stack ?? String(error)}\n`)
  }
}

function makeProgram(): Command {
  const exit = (code: ExitCode): void => {
    process.exitCode = code
  }
  const program = new Command('geysir')
    .description('Fast UDP on Linux: receive, send, examine this host, measure it.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('(add --help to see what is possible)')
    .exitOverride()
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}`)
  addListen(program, exit)
  addSend(program, exit)
  addProxy(program, exit)
  addMessage(program, exit)
  addPush(program, exit)
  addReceive(program, exit)
  addDoctor(program, exit)
  addInterfaces(program, exit)
  addChannel(program, exit)
  addBench(program, exit)
  addBenchSink(program)
  addBenchSource(program)
  return program
}

const EXAMPLES = `
Examples:
  geysir listen 9000                    print what arrives at port 9000
  geysir send localhost 9000 hello      send it something
  geysir channel sub weather -p 8765    print what is published in a channel
  geysir doctor                         what this kernel can do, and what to improve
  geysir interfaces --watch             the network interfaces, and what happens to them
  geysir bench                          millions of datagrams a second, every one checked`

await main()
