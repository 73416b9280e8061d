#include "interfaces.h"

#include <cerrno>
#include <cstring>

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

struct Found {
  Napi::Env env;
  Napi::Array list;

  void add(const InterfaceEntry& entry) const {
    const Napi::Object item = Napi::Object::New(env);
    item.Set("name", static_cast<const char*>(entry.name));  // a Napi::String would go by way of std::string
    item.Set("index", entry.index);
    item.Set("flags", entry.flags);
    item.Set("address", bytes_of(env, entry.address));
    item.Set("netmask", bytes_of(env, entry.netmask));
    item.Set("broadcast", bytes_of(env, entry.broadcast));
    list.Set(list.Length(), item);
  }
};

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
  Found found{env, Napi::Array::New(env)};
  const EntrySink into{[](void* context, const InterfaceEntry& entry) { static_cast<Found*>(context)->add(entry); },
                       &found};
  int result = list_by_getifaddrs(into);
  if (is_netlink_refusal(result)) result = list_by_ioctl(into);
  return result < 0 ? Napi::Value(Napi::Number::New(env, result)) : found.list;
}

}  // namespace geysir
