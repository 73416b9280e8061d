// A table of outgoing messages into one sendmmsg(2).
#pragma once

#include <climits>

#include "instance.h"
#include "layout.h"

namespace geysir {

// The caller's table is inconsistent: nothing was sent.
inline constexpr int kTableError = INT_MIN;

// Sends messages [first, first + count) of `table` (OutgoingMessage[]), whose payloads lie in `slab`. Returns how many
// the kernel took: fewer than `count` says nothing about why, sending the rest again tells. Or a negated errno.
int send_messages(int fd, const ByteView& slab, const ByteView& table, uint32_t first, uint32_t count,
                  Scratch& scratch);

}  // namespace geysir
