#include "interfaces.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include <netinet/in.h>
#include <netpacket/packet.h>

#include "interface_entries.h"

namespace geysir {

namespace {

size_t sockaddr_bytes(const sockaddr_storage& address) {
  switch (address.ss_family) {
    case AF_INET:
      return sizeof(sockaddr_in);
    case AF_INET6:
      return sizeof(sockaddr_in6);
    case AF_PACKET:
      return sizeof(sockaddr_ll);
    default:
      return 0;
  }
}

Napi::Value bytes_of(Napi::Env env, const sockaddr_storage& address) {
  const size_t length = sockaddr_bytes(address);
  if (length == 0) return env.Null();
  auto copy = Napi::Uint8Array::New(env, length);
  std::memcpy(copy.Data(), &address, length);
  return copy;
}

// A seccomp filter, an emulator or a kernel without netlink: the same as isNetlinkRefusal in TypeScript.
bool is_netlink_refusal(int result) {
  switch (-result) {
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EPERM:
    case EACCES:
    case EOPNOTSUPP:
    case ENOSYS:
      return true;
    default:
      return false;
  }
}

}  // namespace

Napi::Value interfaces(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::vector<InterfaceEntry> entries;
  int result = list_by_getifaddrs(entries);
  if (is_netlink_refusal(result)) result = list_by_ioctl(entries);
  if (result < 0) return Napi::Number::New(env, result);
  const Napi::Array list = Napi::Array::New(env, entries.size());
  uint32_t count = 0;
  for (const InterfaceEntry& entry : entries) {
    const Napi::Object item = Napi::Object::New(env);
    item.Set("name", entry.name);
    item.Set("index", entry.index);
    item.Set("flags", entry.flags);
    item.Set("address", bytes_of(env, entry.address));
    item.Set("netmask", bytes_of(env, entry.netmask));
    item.Set("broadcast", bytes_of(env, entry.broadcast));
    list.Set(count++, item);
  }
  return list;
}

}  // namespace geysir
