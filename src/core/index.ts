/**
 * The vocabulary of every other room: endpoints, datagram batches, argument checks, errors.
 *
 * May import nothing: no other room, no `node:*`, no clock, no timer, no randomness. `Buffer`, `Uint8Array` and friends are
 * globals and allowed. Nothing here knows that an operating system exists.
 */
export * from './abort-signal.js'
export * from './arguments.js'
export * from './batch-consumers.js'
export * from './batch-layout.js'
export * from './batch-view.js'
export * from './check-link.js'
export * from './clock.js'
export * from './close-and-wait.js'
export * from './datagram-list.js'
export * from './drained.js'
export * from './endpoint.js'
export * from './errors.js'
export * from './follow-listeners.js'
export * from './held-batch.js'
export * from './ip-address.js'
export * from './link.js'
export * from './payload.js'
export * from './random.js'
export * from './receive-batch.js'
export * from './throwing-later.js'
