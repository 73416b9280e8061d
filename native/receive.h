// recvmmsg(2) into a slab, and what it brought into records.
#pragma once

#include "instance.h"
#include "layout.h"

namespace geysir {

struct Slots {
  uint32_t bytes;   // a datagram longer than this is cut
  uint32_t stride;  // distance between two slots
  uint32_t count;
};

struct ReceiveTables {
  ByteView slab;
  ByteView datagrams;  // DatagramRecord[]
  ByteView messages;   // ReceiveHeader, then ReceivedMessage[]
};

// Returns the number of messages (their records are in the tables) or a negated errno. `flags` go to recvmmsg(2).
int receive_messages(int fd, int flags, Slots slots, const ReceiveTables& tables, ReceiveScratch& scratch);

}  // namespace geysir
