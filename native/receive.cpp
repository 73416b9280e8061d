#include "receive.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>

namespace geysir {

namespace {

// linux/udp.h (UDP_GRO) and asm-generic/socket.h (SO_TIMESTAMPNS_*) clash with the libc headers or are too new for
// the oldest libc that we build for; the numbers are kernel ABI.
constexpr int kUdpGro = 104;
constexpr int kTimestampNs = 35;
constexpr int kTimestampNs64 = 64;

template <typename T>
T read_as(const cmsghdr* control) {
  T value;
  std::memcpy(&value, CMSG_DATA(control), sizeof(T));
  return value;
}

template <typename T>
bool holds(const cmsghdr* control) {
  return control->cmsg_len >= CMSG_LEN(sizeof(T));
}

void set_time(ReceivedMessage& message, int64_t seconds, int64_t nanoseconds) {
  message.seconds = static_cast<uint32_t>(seconds);
  message.nanoseconds = static_cast<uint32_t>(nanoseconds);
  message.flags |= kHasTime;
}

void set_error(ReceivedMessage& message, const cmsghdr* control) {
  const auto error = read_as<sock_extended_err>(control);
  message.flags |= kIsError;
  message.hops = error.ee_errno;
  message.traffic_class =
      error.ee_origin | (static_cast<uint32_t>(error.ee_type) << 8) | (static_cast<uint32_t>(error.ee_code) << 16);
  message.seconds = error.ee_info;
}

void read_socket_control(const cmsghdr* control, ReceivedMessage& message, ReceiveHeader& header) {
  struct LibcTime {  // the timespec of the C library's ABI, whatever this one calls it
    long seconds;
    long nanoseconds;
  };
  struct KernelTime {
    int64_t seconds;
    int64_t nanoseconds;
  };
  if (control->cmsg_type == SO_RXQ_OVFL && holds<uint32_t>(control)) {
    header.has_kernel_drops = 1;
    header.kernel_drops = read_as<uint32_t>(control);
  } else if (control->cmsg_type == kTimestampNs && holds<LibcTime>(control)) {
    const auto time = read_as<LibcTime>(control);
    set_time(message, time.seconds, time.nanoseconds);
  } else if (control->cmsg_type == kTimestampNs64 && holds<KernelTime>(control)) {
    const auto time = read_as<KernelTime>(control);
    set_time(message, time.seconds, time.nanoseconds);
  }
}

void read_ipv4_control(const cmsghdr* control, ReceivedMessage& message) {
  if (control->cmsg_type == IP_PKTINFO && holds<in_pktinfo>(control)) {
    const auto info = read_as<in_pktinfo>(control);
    message.interface_index = static_cast<uint32_t>(info.ipi_ifindex);
    // A dual-stack socket says it twice; the IPv6 form is the one that fits its other addresses.
    if ((message.flags & kHasLocalIpv6) == 0) {
      std::memcpy(message.local_address, &info.ipi_addr, sizeof(info.ipi_addr));
    }
    std::memcpy(&message.reply_address, &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
    message.flags |= kHasLocalIpv4;
  } else if (control->cmsg_type == IP_TTL && holds<int>(control)) {
    message.hops = static_cast<uint32_t>(read_as<int>(control));
    message.flags |= kHasHops;
  } else if (control->cmsg_type == IP_TOS && holds<uint8_t>(control)) {
    message.traffic_class = read_as<uint8_t>(control);
    message.flags |= kHasTrafficClass;
  } else if (control->cmsg_type == IP_RECVERR && holds<sock_extended_err>(control)) {
    set_error(message, control);
  }
}

void read_ipv6_control(const cmsghdr* control, ReceivedMessage& message) {
  if (control->cmsg_type == IPV6_PKTINFO && holds<in6_pktinfo>(control)) {
    const auto info = read_as<in6_pktinfo>(control);
    message.interface_index = info.ipi6_ifindex;
    std::memcpy(message.local_address, &info.ipi6_addr, sizeof(info.ipi6_addr));
    message.flags |= kHasLocalIpv6;
  } else if (control->cmsg_type == IPV6_HOPLIMIT && holds<int>(control)) {
    message.hops = static_cast<uint32_t>(read_as<int>(control));
    message.flags |= kHasHops;
  } else if (control->cmsg_type == IPV6_TCLASS && holds<int>(control)) {
    message.traffic_class = static_cast<uint32_t>(read_as<int>(control));
    message.flags |= kHasTrafficClass;
  } else if (control->cmsg_type == IPV6_RECVERR && holds<sock_extended_err>(control)) {
    set_error(message, control);
  }
}

// musl's CMSG_NXTHDR compares numbers of different signs.
cmsghdr* next_control(msghdr& kernel_message, cmsghdr* control) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
  return CMSG_NXTHDR(&kernel_message, control);
#pragma GCC diagnostic pop
}

void read_control(msghdr& kernel_message, ReceivedMessage& message, ReceiveHeader& header) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&kernel_message); control != nullptr;
       control = next_control(kernel_message, control)) {
    if (control->cmsg_level == SOL_UDP && control->cmsg_type == kUdpGro && holds<int>(control)) {
      message.segment_bytes = static_cast<uint32_t>(read_as<int>(control));
    } else if (control->cmsg_level == SOL_SOCKET) {
      read_socket_control(control, message, header);
    } else if (control->cmsg_level == IPPROTO_IP) {
      read_ipv4_control(control, message);
    } else if (control->cmsg_level == IPPROTO_IPV6) {
      read_ipv6_control(control, message);
    }
  }
}

void prepare(mmsghdr& entry, iovec& vector, uint8_t* slot, size_t slot_bytes, ReceivedMessage& message,
             uint8_t* control) {
  vector = iovec{slot, slot_bytes};
  message = ReceivedMessage{};
  entry = mmsghdr{};
  entry.msg_hdr.msg_name = message.source;
  entry.msg_hdr.msg_namelen = kAddressBytes;
  entry.msg_hdr.msg_iov = &vector;
  entry.msg_hdr.msg_iovlen = 1;
  entry.msg_hdr.msg_control = control;
  entry.msg_hdr.msg_controllen = kControlBytes;
}

// Makes the first `wanted` entries ready, those that are not.
void prepare_all(ReceiveScratch& scratch, const ReceiveTables& tables, Slots slots, ReceivedMessage* messages,
                 size_t wanted) {
  const bool same = scratch.slab == tables.slab.data && scratch.records == tables.messages.data &&
                    scratch.slot_bytes == slots.bytes && scratch.stride_bytes == slots.stride;
  const auto prepare_one = [&](size_t i) {
    prepare(scratch.messages[i], scratch.vectors[i], tables.slab.data + i * slots.stride, slots.bytes, messages[i],
            scratch.control[i]);
  };
  const size_t used = same ? std::min(scratch.used, wanted) : 0;
  for (size_t i = 0; i < used; i++) prepare_one(i);
  for (size_t i = same ? scratch.prepared : 0; i < wanted; i++) prepare_one(i);
  scratch.slab = tables.slab.data;
  scratch.records = tables.messages.data;
  scratch.slot_bytes = slots.bytes;
  scratch.stride_bytes = slots.stride;
  // Entries beyond `wanted` that the last call filled are stale: forget them.
  scratch.prepared = same && scratch.used <= wanted ? std::max(scratch.prepared, wanted) : wanted;
  scratch.used = 0;
}

// Cuts a message into its datagrams: segments of one size, the last perhaps shorter (udp(7), UDP_GRO).
class DatagramWriter {
 public:
  DatagramWriter(const ByteView& table, ReceiveHeader& header)
      : records_(reinterpret_cast<DatagramRecord*>(table.data)),
        capacity_(table.bytes / sizeof(DatagramRecord)),
        header_(header) {}

  void write(uint32_t message, uint32_t offset, uint32_t present, uint32_t on_wire, uint32_t segment_bytes) {
    const uint32_t step = segment_bytes == 0 ? on_wire : segment_bytes;
    uint32_t done = 0;
    do {
      const uint32_t wire_length = std::min(step, on_wire - done);
      const uint32_t length = done >= present ? 0 : std::min(wire_length, present - done);
      append(DatagramRecord{offset + done, length, message, wire_length});
      done += wire_length;
    } while (done < on_wire);
  }

 private:
  void append(const DatagramRecord& record) {
    if (header_.datagrams >= capacity_) {
      header_.overflow++;
      return;
    }
    records_[header_.datagrams++] = record;
  }

  DatagramRecord* records_;
  size_t capacity_;
  ReceiveHeader& header_;
};

}  // namespace

int receive_messages(int fd, int flags, Slots slots, const ReceiveTables& tables, ReceiveScratch& scratch) {
  const size_t slots_in_slab =
      slots.bytes == 0 || tables.slab.bytes < slots.bytes ? 0 : (tables.slab.bytes - slots.bytes) / slots.stride + 1;
  const size_t records = tables.messages.bytes < sizeof(ReceiveHeader)
                             ? 0
                             : (tables.messages.bytes - sizeof(ReceiveHeader)) / sizeof(ReceivedMessage);
  const size_t wanted = std::min(
      {static_cast<size_t>(slots.count), slots_in_slab, records, tables.datagrams.bytes / sizeof(DatagramRecord)});
  if (wanted == 0) return -ENOBUFS;

  auto& header = *reinterpret_cast<ReceiveHeader*>(tables.messages.data);
  auto* messages = reinterpret_cast<ReceivedMessage*>(tables.messages.data + sizeof(ReceiveHeader));
  prepare_all(scratch, tables, slots, messages, wanted);
  header = ReceiveHeader{};
  // MSG_TRUNC makes msg_len the length on the wire, so that a cut datagram says how long it was.
  const int received =
      ::recvmmsg(fd, scratch.messages, static_cast<unsigned int>(wanted), flags | MSG_DONTWAIT | MSG_TRUNC, nullptr);
  if (received < 0) return -errno;
  scratch.used = static_cast<size_t>(received);

  DatagramWriter writer(tables.datagrams, header);
  for (int i = 0; i < received; i++) {
    msghdr& kernel_message = scratch.messages[i].msg_hdr;
    ReceivedMessage& message = messages[i];
    message.source_bytes = kernel_message.msg_namelen;
    read_control(kernel_message, message, header);
    const uint32_t on_wire = scratch.messages[i].msg_len;
    const uint32_t present = std::min(on_wire, slots.bytes);
    if (present < on_wire) {
      message.flags |= kTruncatedPayload;
      header.truncated++;
    }
    if ((kernel_message.msg_flags & MSG_CTRUNC) != 0) message.flags |= kTruncatedControl;
    writer.write(static_cast<uint32_t>(i), static_cast<uint32_t>(i) * slots.stride, present, on_wire,
                 message.segment_bytes);
    header.payload_bytes += present;
  }
  header.messages = static_cast<uint32_t>(received);
  return received;
}

}  // namespace geysir
