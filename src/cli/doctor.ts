import type { Command } from 'commander'
import { advise } from './doctor/advice.js'
import { gatherFacts } from './doctor/facts.js'
import { describeFacts } from './doctor/report.js'
import { EXIT, EXIT_HELP, type ExitCode } from './exit.js'
import { packageVersion } from './version.js'

/** `geysir doctor`: what this host can do, and what would make it better. Changes nothing. */
export function addDoctor(program: Command, exit: (code: ExitCode) => void): void {
  program
    .command('doctor')
    .description('Examine this host: buffers and limits, interfaces, drops, what the kernel can do; and say what to improve.')
    .option('--json', 'print it as JSON')
    .option('--strict', 'exit with 1 when there is something to improve')
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}`)
    .action((options: { json?: true; strict?: true }) => {
      const facts = gatherFacts(packageVersion())
      const advice = advise(facts)
      console.log(options.json ? JSON.stringify({ ...facts, advice }, null, 2) : describeFacts(facts, advice))
      const failed = facts.capabilities === undefined || (options.strict === true && advice.length > 0)
      exit(failed ? EXIT.failure : EXIT.ok)
    })
}

const EXAMPLES = `
Examples:
  geysir doctor
  geysir doctor --json | jq -r '.advice[].command'
  geysir doctor --strict && start-my-service`
