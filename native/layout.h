// The record layouts that cross the JavaScript border, in 32-bit words.
//
// The same numbers stand in src/core/batch-layout.ts. The addon exports this table (see addon.cpp) and
// src/binding/load.ts compares the two at load, so a stale binary is refused instead of misread.
#pragma once

#include <cstddef>
#include <cstdint>

#include <netinet/in.h>
#include <sys/socket.h>

namespace geysir {

// One received datagram. A message that the kernel coalesced (UDP_GRO) becomes several of these.
struct DatagramRecord {
  uint32_t offset;       // bytes from the start of the slab
  uint32_t length;       // payload bytes present in the slab
  uint32_t message;      // index of the ReceivedMessage with its source and ancillary data
  uint32_t wire_length;  // bytes the datagram had on the wire; more than `length` when it was truncated
};

// sockaddr_in6 is the largest address that is carried whole; sockaddr_in and sockaddr_nl fit in its front.
inline constexpr size_t kAddressBytes = sizeof(sockaddr_in6);

// What one message of recvmmsg(2), or one entry of the error queue, says apart from its payload.
struct ReceivedMessage {
  uint8_t source[kAddressBytes];  // sockaddr as the kernel wrote it, zero padded
  uint32_t source_bytes;
  uint32_t flags;          // kHas… and kTruncated… bits
  uint32_t segment_bytes;  // UDP_GRO size, 0 when the message is one datagram
  uint32_t interface_index;
  uint8_t local_address[16];  // in_addr in the first four bytes, or in6_addr
  uint32_t hops;              // TTL or hop limit; for an error: its errno
  uint32_t traffic_class;     // TOS or traffic class byte; for an error: origin | type << 8 | code << 16
  uint32_t seconds;           // kernel receive time; for an error: ee_info (the MTU, for EMSGSIZE)
  uint32_t nanoseconds;
  uint32_t reply_address;  // in_addr to answer an IPv4 datagram from: unlike local_address never a group or broadcast
};

// First words of the table of received messages.
struct ReceiveHeader {
  uint32_t messages;
  uint32_t datagrams;
  uint32_t payload_bytes;
  uint32_t truncated;         // messages cut because their slot was too small
  uint32_t has_kernel_drops;  // 1 when kernel_drops was reported with this batch (SO_RXQ_OVFL)
  uint32_t kernel_drops;      // the socket's drop counter, wrapping
  uint32_t overflow;          // datagrams of a coalesced message that found no DatagramRecord
  uint32_t reserved;
};

// One message to send: a datagram, or neighbours of one size and destination (UDP_SEGMENT).
struct OutgoingMessage {
  uint32_t offset;
  uint32_t length;
  uint32_t segment_bytes;      // 0: one datagram
  uint32_t destination_bytes;  // 0: the connected peer
  uint8_t destination[kAddressBytes];
  uint32_t flags;  // kHas… bits: which of the following are sent as ancillary data
  uint32_t interface_index;
  uint8_t source_address[16];
  uint32_t hops;
  uint32_t traffic_class;
  uint32_t datagrams;  // for JavaScript's accounting, not read here
};

inline constexpr uint32_t kHasLocalIpv4 = 1U << 0;  // a pktinfo with an in_addr
inline constexpr uint32_t kHasLocalIpv6 = 1U << 1;  // a pktinfo with an in6_addr
inline constexpr uint32_t kHasHops = 1U << 2;
inline constexpr uint32_t kHasTrafficClass = 1U << 3;
inline constexpr uint32_t kHasTime = 1U << 4;
inline constexpr uint32_t kTruncatedPayload = 1U << 5;
inline constexpr uint32_t kTruncatedControl = 1U << 6;
inline constexpr uint32_t kIpv6Control = 1U << 7;  // send hops and traffic class at the IPv6 level
inline constexpr uint32_t kIsError = 1U << 8;      // an entry of the error queue

inline constexpr size_t kWord = sizeof(uint32_t);
static_assert(sizeof(DatagramRecord) == 4 * kWord);
static_assert(sizeof(ReceivedMessage) == 20 * kWord);
static_assert(sizeof(ReceiveHeader) == 8 * kWord);
static_assert(sizeof(OutgoingMessage) == 20 * kWord);
static_assert(sizeof(sockaddr_in6) == 28 && sizeof(sockaddr_in) == 16);
static_assert(offsetof(ReceivedMessage, local_address) == 11 * kWord);
static_assert(offsetof(OutgoingMessage, source_address) == 13 * kWord);

// What the C library's structures look like decides what the kernel reads and what TypeScript writes; it differs
// between 32 and 64 bits and between C libraries, so each build states what it relies on.
static_assert(sizeof(long) == sizeof(void*));  // the timespec of SO_TIMESTAMPNS, and the padding of group requests
static_assert(sizeof(msghdr) == 7 * sizeof(void*));
static_assert(sizeof(mmsghdr) == 8 * sizeof(void*));
static_assert(sizeof(cmsghdr) == sizeof(void*) + 2 * sizeof(int));
static_assert(offsetof(group_req, gr_group) == sizeof(void*));
static_assert(offsetof(group_source_req, gsr_source) == sizeof(void*) + sizeof(sockaddr_storage));
static_assert(sizeof(group_source_req) == sizeof(void*) + 2 * sizeof(sockaddr_storage));
static_assert(sizeof(sockaddr_storage) == 128);

// A batch never holds more messages than this, in either direction: the scratch tables are this long.
inline constexpr uint32_t kMaxMessagesPerCall = 256;

}  // namespace geysir
