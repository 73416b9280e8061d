import type { Case } from '../differential.js'
import { bindCases } from './bind.js'
import { closeCases } from './close.js'
import { connectCases } from './connect.js'
import { contextCases } from './context.js'
import { createCases } from './create.js'
import { lookupCases } from './lookup.js'
import { membershipCases } from './membership.js'
import { messageCases } from './message.js'
import { optionCases } from './options.js'
import { queueCases } from './queue.js'
import { sendErrorCases } from './send-errors.js'
import { sendCases } from './send.js'
import { surfaceCases } from './surface.js'
import { versionCases } from './versions.js'

/** Every case, by topic. */
export const TOPICS: Record<string, Case[]> = {
  create: createCases,
  bind: bindCases,
  connect: connectCases,
  send: sendCases,
  'send errors': sendErrorCases,
  queue: queueCases,
  lookup: lookupCases,
  message: messageCases,
  close: closeCases,
  options: optionCases,
  membership: membershipCases,
  surface: surfaceCases,
  context: contextCases,
  versions: versionCases,
}
