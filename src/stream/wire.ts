/** The numbers of `docs/wire/stream.md`: offsets, flags, types, reasons, limits. All integers on the wire are little-endian. */

/** Every frame begins so; section "Header". */
export const HEADER = {
  flags: 0,
  type: 1,
  integrity: 2,
  version: 3,
  senderPlace: 4,
  senderLife: 8,
  receiverPlace: 12,
  receiverLife: 16,
}
export const HEADER_BYTES = 20

export const VERSION = 1

/** The flags, one byte for transport and stream. The two highest bits are 01 in every frame. */
export const FLAG = {
  control: 0x01,
  /** The stream's id was given by the sender of this frame. */
  opener: 0x02,
  /** The frame has a packet number. */
  numbered: 0x04,
  /** A part of a packet that is longer than the path carries. */
  piece: 0x08,
  /** The XOR of several packets of a group's stream. */
  repair: 0x10,
  /** The sender waits: it sends nothing new before it hears how far the receiver is. */
  waits: 0x20,
  mark: 0x40,
} as const
export const KNOWN_FLAGS = FLAG.control | FLAG.opener | FLAG.numbered | FLAG.piece | FLAG.repair | FLAG.waits | FLAG.mark

/** What protects a frame; section "Integrity". */
export const INTEGRITY = { none: 0, crc32c: 1, secret: 2 } as const

/** A data frame; section "Data". */
export const DATA = { stream: 20, packet: 24, timestamp: 28, chunks: 32 } as const
export const DATA_HEADER_BYTES = 32

/** Behind the header of a data frame that is a piece; section "Pieces". */
export const PIECE = { offset: 32, total: 34, bytes: 36 } as const

/** Behind the header of a data frame that is a repair; section "Repairs". */
export const REPAIR = { mask: 32, lengths: 40, bytes: 42 } as const
/** What a repair is longer than the longest packet in it. */
export const REPAIR_OVERHEAD_BYTES = REPAIR.bytes - DATA_HEADER_BYTES
/** Packets that one repair, or one echo, can tell of. */
export const SPAN_PACKETS = 64

/** A chunk of a data frame; section "Chunks". */
export const CHUNK_FLAG = { first: 0x01, last: 0x02, present: 0x04 } as const
export const WHOLE_CHUNK = CHUNK_FLAG.present | CHUNK_FLAG.first | CHUNK_FLAG.last
export const CHUNK_BYTES = 4
/** With the length of the whole message behind it: the first of several. */
export const FIRST_CHUNK_BYTES = 8

/** Control frames, by their type. */
export const TYPE = {
  hello: 1,
  challenge: 2,
  welcome: 3,
  refuse: 4,
  bye: 5,
  stranger: 6,
  ping: 7,
  pong: 8,
  open: 9,
  status: 10,
  nak: 11,
  heartbeat: 12,
  reset: 13,
  probe: 14,
  probeAck: 15,
  openGroup: 16,
  groupHeartbeat: 17,
  nakEcho: 18,
  gone: 19,
} as const

export const HELLO = {
  minVersion: 20,
  maxVersion: 21,
  cookieBytes: 22,
  nameBytes: 23,
  frameBytes: 24,
  timestamp: 28,
  cookie: 32,
  session: 48,
  name: 52,
}
export const CHALLENGE = { timestamp: 20, cookie: 24, bytes: 40 }
export const WELCOME = { version: 20, nameBytes: 21, frameBytes: 22, timestamp: 24, session: 28, asked: 32, name: 36 }
export const REFUSE = { reason: 20, minVersion: 22, maxVersion: 23, asked: 24, bytes: 28 }
export const BYE = { reason: 20, session: 22, bytes: 26 }
export const STRANGER = { place: 20, life: 24, session: 28, bytes: 32 }
/** As long as the stranger that answers it. */
export const PING = { timestamp: 20, session: 24, bytes: 32 }
export const PONG = { timestamp: 20, bytes: 24 }
export const OPEN = { stream: 20, kind: 24, options: 25, labelBytes: 26, packet: 28, windowPackets: 32, label: 36 }
export const STATUS = {
  stream: 20,
  next: 24,
  consumed: 28,
  highest: 32,
  beyond: 36,
  timestamp: 40,
  delay: 44,
  flags: 48,
  missed: 49,
  bytes: 53,
}
export const STATUS_FLAG = { ended: 0x01 } as const
export const NAK = { stream: 20, count: 24, ranges: 28 }
export const NAK_RANGE_BYTES = 8
export const HEARTBEAT = { stream: 20, floor: 24, next: 28, timestamp: 32, flags: 36, bytes: 37 }
export const HEARTBEAT_FLAG = { final: 0x01 } as const
export const RESET = { stream: 20, reason: 24, bytes: 26 }
export const STREAM_GONE = { stream: 20, bytes: 24 }

/** The rest is as in {@link OPEN}, and as in {@link HEARTBEAT}. */
export const OPEN_GROUP = { stream: 20, labelBytes: 26, endpointBytes: 27, group: 36, receivers: 40, backOff: 44, label: 48 }
export const GROUP_HEARTBEAT = { group: 20, receivers: 40, backOff: 44, bytes: 48 }
export const NAK_ECHO = { group: 20, base: 24, mask: 28, most: 36, bytes: 37 }

export const PROBE = { frameBytes: 20, bytes: 22 }

export const COOKIE_BYTES = 16

/** What a stream promises, as OPEN says it. */
export const KIND = { fireAndForget: 1, bestEffort: 2, reliable: 3 } as const
export const OPEN_OPTION = { unordered: 0x01 } as const

/** Why a stream was reset. */
export const RESET_REASON = {
  /** It had ended in both directions: all was received. */
  finished: 0,
  /** There is no such stream, and none that was finished is remembered. */
  unknown: 1,
  /** Nobody takes streams there. */
  refused: 2,
  /** Its user gave it up. */
  cancelled: 3,
  /** A message is longer than the receiver takes. */
  messageTooLong: 4,
  /** A frame contradicts this protocol. */
  malformed: 5,
  /** The receiver has no memory for it. */
  noMemory: 6,
  /** The receiver held the others up. */
  slow: 7,
} as const

/** Why a hello was refused. */
export const REFUSAL = { version: 1, full: 2 } as const

/** Why a peer left. */
export const BYE_REASON = { left: 0, silent: 1 } as const

/** The longest name of a node and label of a stream: one byte says how long. */
export const MAX_NAME_BYTES = 255
/** Ranges of one NAK: it fits a frame of {@link MIN_FRAME_BYTES}. */
export const MAX_NAK_RANGES = 128
/** Every path is to carry frames so long (RFC 9000, section 14: 1200 bytes). */
export const MIN_FRAME_BYTES = 1200
/** The longest frame: what UDP carries over IPv4. */
export const MAX_FRAME_BYTES = 65_507
/** Receivers of one stream. */
export const MAX_GROUP_RECEIVERS = 16_384
/** The longest that a receiver may put off asking because others may ask. */
export const MAX_BACK_OFF_MICROSECONDS = 10_000_000
/** Packets between the oldest that is not acknowledged and the newest: the most that one may ask for. */
export const MAX_WINDOW_PACKETS = 65_536
