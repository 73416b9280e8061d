import { Repetition } from './repetition.js'
import type { ResolvedStreamOptions } from './stream-options.js'

/** Says that there is a stream. */
export class Opening extends Repetition {
  readonly options: ResolvedStreamOptions

  constructor(options: ResolvedStreamOptions) {
    super()
    this.options = options
  }
}
