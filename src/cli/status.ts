/**
 * What a command says beside its data: on standard error, in lines for people or, with `--json`, one object a line. So standard
 * output holds datagrams and nothing else.
 */
export class Status {
  readonly #json: boolean
  readonly #quiet: boolean

  constructor(options: { readonly json?: boolean; readonly quiet?: boolean }) {
    this.#json = options.json === true
    this.#quiet = options.quiet === true
  }

  /** Something that is going as it should. */
  say(event: string, text: string, fields: object = {}): void {
    if (!this.#quiet) this.#write(event, text, fields)
  }

  /** Something that the user has to know. */
  warn(text: string, fields: object = {}): void {
    this.#write('warning', `warning: ${text}`, { message: text, ...fields })
  }

  #write(event: string, text: string, fields: object): void {
    // Where a progress bar may stand it makes room; the next update draws it again.
    if (process.stderr.isTTY) process.stderr.write(ERASE_LINE)
    process.stderr.write(this.#json ? `${JSON.stringify({ event, ...fields })}\n` : `${text}\n`)
  }
}

/** To the beginning of the line, and erase it (ECMA-48 EL). */
const ERASE_LINE = '\r\x1b[K'
