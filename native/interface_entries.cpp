#include "interface_entries.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <ifaddrs.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace geysir {

namespace {

constexpr size_t kEthernetBytes = 6;
constexpr size_t kIpv6Bytes = 16;
constexpr size_t kFirstAddresses = 64;
// Longer than any line of /proc/net/dev.
constexpr size_t kLineBytes = 512;

void copy_address(const sockaddr* from, sockaddr_storage& to) {
  if (from == nullptr) return;
  switch (from->sa_family) {
    case AF_INET:
      std::memcpy(&to, from, sizeof(sockaddr_in));
      break;
    case AF_INET6:
      std::memcpy(&to, from, sizeof(sockaddr_in6));
      break;
    case AF_PACKET:
      std::memcpy(&to, from, sizeof(sockaddr_ll));
      break;
    default:
      break;
  }
}

// Up to its end, or to a colon: `eth0:1` is a label of eth0's (netdevice(7)).
void set_name(InterfaceEntry& entry, const char* name) {
  const size_t length = std::min(std::strcspn(name, ":"), sizeof(entry.name) - 1);
  std::memcpy(entry.name, name, length);
  entry.name[length] = 0;
}

ifreq request_for(const char* name) {
  ifreq request{};
  std::memcpy(request.ifr_name, name, std::min(std::strlen(name), sizeof(request.ifr_name) - 1));
  return request;
}

// Index and flags. False when the interface is gone.
bool describe(int fd, InterfaceEntry& entry) {
  ifreq request = request_for(entry.name);
  if (ioctl(fd, SIOCGIFINDEX, &request) < 0) return false;
  entry.index = static_cast<uint32_t>(request.ifr_ifindex);
  if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) return false;
  entry.flags = static_cast<uint16_t>(request.ifr_flags);
  return true;
}

// Every interface, also those without an address: from /proc/net/dev, two lines of titles, then `  eth0: figures`.
void list_links(int fd, const EntrySink& into) {
  std::FILE* file = std::fopen("/proc/net/dev", "re");
  if (file == nullptr) return;
  char line[kLineBytes];
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    if (std::strchr(line, ':') == nullptr) continue;
    InterfaceEntry entry;
    set_name(entry, line + std::strspn(line, " "));
    if (!describe(fd, entry)) continue;
    sockaddr_ll link{};
    link.sll_family = AF_PACKET;
    link.sll_ifindex = static_cast<int>(entry.index);
    ifreq request = request_for(entry.name);
    if (ioctl(fd, SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == ARPHRD_ETHER) {
      link.sll_halen = kEthernetBytes;
      std::memcpy(link.sll_addr, request.ifr_hwaddr.sa_data, kEthernetBytes);
    }
    std::memcpy(&entry.address, &link, sizeof link);
    into.push(entry);
  }
  std::fclose(file);
}

// The label (`eth0:1`) together with the address tells which of an interface's is meant (devinet_ioctl).
void query(int fd, unsigned long what, const ifreq& of, sockaddr_storage& into) {
  ifreq request = of;
  if (ioctl(fd, what, &request) == 0) copy_address(&request.ifr_addr, into);
}

// Not new[]: its check of the length would bring the C++ library's exceptions along.
struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

int list_ipv4(int fd, const EntrySink& into) {
  ifconf list{};
  std::unique_ptr<ifreq, Free> requests;
  // What does not fit is left out without a word, so there must be room to spare.
  for (size_t capacity = kFirstAddresses;; capacity *= 2) {
    requests.reset(static_cast<ifreq*>(std::calloc(capacity, sizeof(ifreq))));
    if (requests == nullptr) return -ENOMEM;
    list.ifc_len = static_cast<int>(capacity * sizeof(ifreq));
    list.ifc_req = requests.get();
    if (ioctl(fd, SIOCGIFCONF, &list) < 0) return -errno;
    if (static_cast<size_t>(list.ifc_len) < capacity * sizeof(ifreq)) break;
  }
  const size_t count = static_cast<size_t>(list.ifc_len) / sizeof(ifreq);
  for (size_t i = 0; i < count; i++) {
    const ifreq& request = requests.get()[i];
    InterfaceEntry entry;
    set_name(entry, request.ifr_name);
    if (!describe(fd, entry)) continue;
    copy_address(&request.ifr_addr, entry.address);
    query(fd, SIOCGIFNETMASK, request, entry.netmask);
    query(fd, SIOCGIFBRDADDR, request, entry.broadcast);
    // Zero stands for none.
    const auto* broadcast = reinterpret_cast<const sockaddr_in*>(&entry.broadcast);
    if (broadcast->sin_addr.s_addr == 0) entry.broadcast = {};
    into.push(entry);
  }
  return 0;
}

bool parse_hexadecimal(const char* digits, in6_addr& into) {
  for (size_t i = 0; i < kIpv6Bytes; i++) {
    unsigned byte = 0;
    if (std::sscanf(digits + 2 * i, "%2x", &byte) != 1) return false;
    into.s6_addr[i] = static_cast<uint8_t>(byte);
  }
  return true;
}

// /proc/net/if_inet6: address, index, prefix length, scope, flags, name; all but the name in hexadecimal.
void list_ipv6(int fd, const EntrySink& into) {
  std::FILE* file = std::fopen("/proc/net/if_inet6", "re");  // not there without IPv6
  if (file == nullptr) return;
  char digits[2 * kIpv6Bytes + 1];
  unsigned bits = 0;
  char name[IFNAMSIZ];
  static_assert(kIpv6Bytes == 16 && IFNAMSIZ == 16, "the widths of the format below");
  while (std::fscanf(file, "%32s %*x %x %*x %*x %15s", digits, &bits, name) == 3) {
    InterfaceEntry entry;
    set_name(entry, name);
    sockaddr_in6 address{};
    sockaddr_in6 netmask{};
    address.sin6_family = AF_INET6;
    netmask.sin6_family = AF_INET6;
    if (bits > 8 * kIpv6Bytes || !parse_hexadecimal(digits, address.sin6_addr) || !describe(fd, entry)) continue;
    for (size_t bit = 0; bit < bits; bit++)
      netmask.sin6_addr.s6_addr[bit / 8] |= static_cast<uint8_t>(0x80 >> (bit % 8));
    if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) address.sin6_scope_id = entry.index;
    std::memcpy(&entry.address, &address, sizeof address);
    std::memcpy(&entry.netmask, &netmask, sizeof netmask);
    into.push(entry);
  }
  std::fclose(file);
}

}  // namespace

int list_by_getifaddrs(const EntrySink& into) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return -errno;
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    InterfaceEntry entry;
    set_name(entry, each->ifa_name);
    entry.flags = each->ifa_flags;
    copy_address(each->ifa_addr, entry.address);
    copy_address(each->ifa_netmask, entry.netmask);
    if ((each->ifa_flags & IFF_BROADCAST) != 0) copy_address(each->ifa_broadaddr, entry.broadcast);
    const bool is_link = entry.address.ss_family == AF_PACKET;
    entry.index = is_link ? static_cast<uint32_t>(reinterpret_cast<const sockaddr_ll*>(each->ifa_addr)->sll_ifindex)
                          : if_nametoindex(each->ifa_name);
    into.push(entry);
  }
  freeifaddrs(first);
  return 0;
}

int list_by_ioctl(const EntrySink& into) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  list_links(fd, into);
  const int result = list_ipv4(fd, into);
  if (result == 0) list_ipv6(fd, into);
  close(fd);
  return result;
}

}  // namespace geysir
