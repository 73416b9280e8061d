#include "send.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/udp.h>

namespace geysir {

namespace {

constexpr int kUdpSegment = 103;  // linux/udp.h clashes with netinet/udp.h; the number is kernel ABI

// Appends ancillary messages to a zeroed buffer.
class ControlWriter {
 public:
  explicit ControlWriter(uint8_t* buffer) : buffer_(buffer) {}

  template <typename T>
  void append(int level, int type, const T& value) {
    auto* header = reinterpret_cast<cmsghdr*>(buffer_ + used_);
    std::memset(header, 0, CMSG_SPACE(sizeof(T)));
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof(T));
    std::memcpy(CMSG_DATA(header), &value, sizeof(T));
    used_ += CMSG_SPACE(sizeof(T));
  }

  size_t used() const { return used_; }

 private:
  uint8_t* buffer_;
  size_t used_ = 0;
};

static_assert(CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(in_pktinfo)) +
                  2 * CMSG_SPACE(sizeof(int)) <=
              kControlBytes);

size_t write_control(const OutgoingMessage& message, uint8_t* buffer) {
  ControlWriter control(buffer);
  if (message.segment_bytes != 0) {
    control.append(SOL_UDP, kUdpSegment, static_cast<uint16_t>(message.segment_bytes));
  }
  if ((message.flags & kHasLocalIpv4) != 0) {
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(message.interface_index);
    std::memcpy(&info.ipi_spec_dst, message.source_address, sizeof(info.ipi_spec_dst));
    control.append(IPPROTO_IP, IP_PKTINFO, info);
  }
  if ((message.flags & kHasLocalIpv6) != 0) {
    in6_pktinfo info{};
    info.ipi6_ifindex = message.interface_index;
    std::memcpy(&info.ipi6_addr, message.source_address, sizeof(info.ipi6_addr));
    control.append(IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  const bool ipv6 = (message.flags & kIpv6Control) != 0;
  const int level = ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if ((message.flags & kHasHops) != 0) {
    control.append(level, ipv6 ? IPV6_HOPLIMIT : IP_TTL, static_cast<int>(message.hops));
  }
  if ((message.flags & kHasTrafficClass) != 0) {
    control.append(level, ipv6 ? IPV6_TCLASS : IP_TOS, static_cast<int>(message.traffic_class));
  }
  return control.used();
}

}  // namespace

int send_messages(int fd, const ByteView& slab, const ByteView& table, uint32_t first, uint32_t count,
                  Scratch& scratch) {
  const size_t records = table.bytes / sizeof(OutgoingMessage);
  if (count == 0 || first > records || count > records - first) return kTableError;
  count = std::min(count, kMaxMessagesPerCall);

  auto* messages = reinterpret_cast<OutgoingMessage*>(table.data) + first;
  for (uint32_t i = 0; i < count; i++) {
    OutgoingMessage& message = messages[i];
    if (message.offset > slab.bytes || message.length > slab.bytes - message.offset ||
        message.destination_bytes > kAddressBytes) {
      return kTableError;
    }
    scratch.vectors[i] = iovec{slab.data + message.offset, message.length};
    scratch.messages[i] = mmsghdr{};
    msghdr& kernel_message = scratch.messages[i].msg_hdr;
    kernel_message.msg_iov = &scratch.vectors[i];
    kernel_message.msg_iovlen = 1;
    if (message.destination_bytes != 0) {
      kernel_message.msg_name = message.destination;
      kernel_message.msg_namelen = message.destination_bytes;
    }
    const size_t control_bytes = write_control(message, scratch.control[i]);
    if (control_bytes != 0) {
      kernel_message.msg_control = scratch.control[i];
      kernel_message.msg_controllen = control_bytes;
    }
  }
  const int sent = ::sendmmsg(fd, scratch.messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent;
}

}  // namespace geysir
