import { MissingPackets } from './missing-packets.js'
import type { ReceiveWindow } from './receive-window.js'
import type { NakSchedule, ReceivingContext, StatusSchedule } from './receiving.js'
import { PromptStatuses } from './status-schedule.js'

/** How a receiving half decides what to say, and when. */
export interface ReceivingSchedules {
  naks(window: ReceiveWindow, context: ReceivingContext): NakSchedule
  statuses(windowPackets: number, context: ReceivingContext): StatusSchedule
}

/** Of a stream to one. */
export const TO_ONE: ReceivingSchedules = {
  naks: (window, { roundTrip }) => new MissingPackets(window, roundTrip),
  statuses: (windowPackets, { roundTrip }) => new PromptStatuses(windowPackets, roundTrip),
}
