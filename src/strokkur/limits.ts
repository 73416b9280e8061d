/** The longest message by default, and the longest of the classic format: 512 chunks of 8 KiB. */
export const DEFAULT_MAX_MESSAGE_BYTES = 4 << 20
/** The longest message that a caller may allow in the compact format. */
export const MAX_MESSAGE_BYTES = 1 << 30

/** Source chunks of a compact message. */
export const MAX_CHUNKS = 65_536
/** Redundant rows of a compact message. */
export const MAX_ROWS = 4096
/** The shortest chunk of a compact message that has several: no shorter than the digest, and not all header. */
export const MIN_CHUNK_BYTES = 64
export const DIGEST_BYTES = 32
export const ID_BYTES = 16
/** Keys for authenticated messages. The longest one still fits into the first block of SHA3-256 with its length. */
export const MIN_KEY_BYTES = 16
export const MAX_KEY_BYTES = 128

/** Rows kept beyond the missing chunks: to make up for rows that say nothing new, and to find damage by. */
export const SPARE_ROWS = 32
/**
 * Digests computed for one message in the hope of having found what was damaged: in all, and at a time for the longest messages. Of shorter
 * ones as many at a time as come to {@link TRIAL_BYTES}.
 */
export const MAX_TRIALS = 64
export const LEAST_TRIALS_AT_ONCE = 8
export const TRIAL_BYTES = 8 << 20
