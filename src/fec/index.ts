/**
 * The erasure code: XOR of blocks over GF(2). Blocks and masks in, blocks out; it knows no wire format, no message, no digest.
 *
 * May import core and binding (for XOR). Pure: no `node:*`, no clock; randomness is passed in. Memory is handed in by the caller.
 */
export * from './bit-matrix.js'
export * from './decoder.js'
export * from './elimination.js'
export * from './memory-pool.js'
export * from './row-encoder.js'
export * from './row-masks.js'
export * from './xor.js'
