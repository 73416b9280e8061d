#pragma once

#include <cstdint>

#include <net/if.h>
#include <sys/socket.h>

namespace geysir {

// An interface as its link layer, or one of its addresses. An address of family 0 is none.
struct InterfaceEntry {
  // Ends with a zero byte, as the kernel's own names do.
  char name[IFNAMSIZ] = {};
  uint32_t index = 0;
  uint32_t flags = 0;
  sockaddr_storage address{};
  sockaddr_storage netmask{};
  sockaddr_storage broadcast{};
};

// Takes what is found. A function and not a container: the C++ library's would bring its exceptions along.
struct EntrySink {
  void (*take)(void* context, const InterfaceEntry& entry);
  void* context;

  void push(const InterfaceEntry& entry) const { take(context, entry); }
};

// Both return 0 or a negated errno.
int list_by_getifaddrs(const EntrySink& into);
// For where netlink is refused: getifaddrs(3) is made of it. netdevice(7) has the interfaces and IPv4, /proc/net the
// rest.
int list_by_ioctl(const EntrySink& into);

}  // namespace geysir
