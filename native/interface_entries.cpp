#include "interface_entries.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace geysir {

namespace {

constexpr size_t ETHERNET_BYTES = 6;
constexpr size_t IPV6_BYTES = 16;
constexpr size_t FIRST_ADDRESSES = 64;

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

ifreq request_for(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
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
void list_links(int fd, std::vector<InterfaceEntry>& into) {
  std::ifstream file("/proc/net/dev");
  std::string line;
  while (std::getline(file, line)) {
    const size_t first = line.find_first_not_of(' ');
    const size_t colon = line.find(':');
    if (first == std::string::npos || colon == std::string::npos) continue;
    InterfaceEntry entry;
    entry.name = line.substr(first, colon - first);
    if (!describe(fd, entry)) continue;
    sockaddr_ll link{};
    link.sll_family = AF_PACKET;
    link.sll_ifindex = static_cast<int>(entry.index);
    ifreq request = request_for(entry.name);
    if (ioctl(fd, SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == ARPHRD_ETHER) {
      link.sll_halen = ETHERNET_BYTES;
      std::memcpy(link.sll_addr, request.ifr_hwaddr.sa_data, ETHERNET_BYTES);
    }
    std::memcpy(&entry.address, &link, sizeof link);
    into.push_back(entry);
  }
}

// The label (`eth0:1`) together with the address tells which of an interface's is meant (devinet_ioctl).
void query(int fd, unsigned long what, const ifreq& of, sockaddr_storage& into) {
  ifreq request = of;
  if (ioctl(fd, what, &request) == 0) copy_address(&request.ifr_addr, into);
}

int list_ipv4(int fd, std::vector<InterfaceEntry>& into) {
  std::vector<ifreq> requests(FIRST_ADDRESSES);
  ifconf list{};
  // What does not fit is left out without a word, so there must be room to spare.
  for (;; requests.resize(requests.size() * 2)) {
    list.ifc_len = static_cast<int>(requests.size() * sizeof(ifreq));
    list.ifc_req = requests.data();
    if (ioctl(fd, SIOCGIFCONF, &list) < 0) return -errno;
    if (static_cast<size_t>(list.ifc_len) < requests.size() * sizeof(ifreq)) break;
  }
  requests.resize(static_cast<size_t>(list.ifc_len) / sizeof(ifreq));
  for (const ifreq& request : requests) {
    InterfaceEntry entry;
    entry.name = request.ifr_name;
    entry.name = entry.name.substr(0, entry.name.find(':'));
    if (!describe(fd, entry)) continue;
    copy_address(&request.ifr_addr, entry.address);
    query(fd, SIOCGIFNETMASK, request, entry.netmask);
    query(fd, SIOCGIFBRDADDR, request, entry.broadcast);
    // Zero stands for none.
    const auto* broadcast = reinterpret_cast<const sockaddr_in*>(&entry.broadcast);
    if (broadcast->sin_addr.s_addr == 0) entry.broadcast = {};
    into.push_back(entry);
  }
  return 0;
}

// /proc/net/if_inet6: address, index, prefix length, scope, flags, name; all but the name in hexadecimal.
void list_ipv6(int fd, std::vector<InterfaceEntry>& into) {
  std::ifstream file("/proc/net/if_inet6");
  std::string digits;
  std::string index;
  std::string prefix;
  std::string scope;
  std::string flags;
  InterfaceEntry entry;
  while (file >> digits >> index >> prefix >> scope >> flags >> entry.name) {
    sockaddr_in6 address{};
    sockaddr_in6 netmask{};
    address.sin6_family = AF_INET6;
    netmask.sin6_family = AF_INET6;
    const unsigned long bits = std::strtoul(prefix.c_str(), nullptr, 16);
    if (digits.size() != 2 * IPV6_BYTES || bits > 8 * IPV6_BYTES || !describe(fd, entry)) continue;
    for (size_t i = 0; i < IPV6_BYTES; i++) {
      address.sin6_addr.s6_addr[i] = static_cast<uint8_t>(std::strtoul(digits.substr(2 * i, 2).c_str(), nullptr, 16));
    }
    for (size_t bit = 0; bit < bits; bit++)
      netmask.sin6_addr.s6_addr[bit / 8] |= static_cast<uint8_t>(0x80 >> (bit % 8));
    if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) address.sin6_scope_id = entry.index;
    std::memcpy(&entry.address, &address, sizeof address);
    std::memcpy(&entry.netmask, &netmask, sizeof netmask);
    into.push_back(entry);
  }
}

}  // namespace

int list_by_getifaddrs(std::vector<InterfaceEntry>& into) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return -errno;
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    InterfaceEntry entry;
    entry.name = each->ifa_name;
    entry.flags = each->ifa_flags;
    copy_address(each->ifa_addr, entry.address);
    copy_address(each->ifa_netmask, entry.netmask);
    if ((each->ifa_flags & IFF_BROADCAST) != 0) copy_address(each->ifa_broadaddr, entry.broadcast);
    const bool is_link = entry.address.ss_family == AF_PACKET;
    entry.index = is_link ? static_cast<uint32_t>(reinterpret_cast<const sockaddr_ll*>(each->ifa_addr)->sll_ifindex)
                          : if_nametoindex(each->ifa_name);
    into.push_back(entry);
  }
  freeifaddrs(first);
  return 0;
}

int list_by_ioctl(std::vector<InterfaceEntry>& into) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  list_links(fd, into);
  const int result = list_ipv4(fd, into);
  if (result == 0) list_ipv6(fd, into);
  close(fd);
  return result;
}

}  // namespace geysir
