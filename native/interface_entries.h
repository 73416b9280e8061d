#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/socket.h>

namespace geysir {

// An interface as its link layer, or one of its addresses. An address of family 0 is none.
struct InterfaceEntry {
  std::string name;
  uint32_t index = 0;
  uint32_t flags = 0;
  sockaddr_storage address{};
  sockaddr_storage netmask{};
  sockaddr_storage broadcast{};
};

// Both return 0 or a negated errno.
int list_by_getifaddrs(std::vector<InterfaceEntry>& into);
// For where netlink is refused: getifaddrs(3) is made of it. netdevice(7) has the interfaces and IPv4, /proc/net the
// rest.
int list_by_ioctl(std::vector<InterfaceEntry>& into);

}  // namespace geysir
