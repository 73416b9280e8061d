#include "interfaces.h"

#include <cerrno>
#include <cstring>

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sys/socket.h>

namespace geysir {

namespace {

size_t sockaddr_bytes(const sockaddr* address) {
  switch (address->sa_family) {
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

Napi::Value bytes_of(Napi::Env env, const sockaddr* address) {
  const size_t length = address == nullptr ? 0 : sockaddr_bytes(address);
  if (length == 0) return env.Null();
  auto copy = Napi::Uint8Array::New(env, length);
  std::memcpy(copy.Data(), address, length);
  return copy;
}

uint32_t index_of(const ifaddrs* entry) {
  if (entry->ifa_addr != nullptr && entry->ifa_addr->sa_family == AF_PACKET) {
    return static_cast<uint32_t>(reinterpret_cast<const sockaddr_ll*>(entry->ifa_addr)->sll_ifindex);
  }
  return if_nametoindex(entry->ifa_name);
}

}  // namespace

Napi::Value interfaces(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return Napi::Number::New(env, -errno);
  const Napi::Array list = Napi::Array::New(env);
  uint32_t count = 0;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    const Napi::Object item = Napi::Object::New(env);
    const bool has_broadcast = (entry->ifa_flags & IFF_BROADCAST) != 0;
    item.Set("name", entry->ifa_name);
    item.Set("index", index_of(entry));
    item.Set("flags", static_cast<uint32_t>(entry->ifa_flags));
    item.Set("address", bytes_of(env, entry->ifa_addr));
    item.Set("netmask", bytes_of(env, entry->ifa_netmask));
    item.Set("broadcast", has_broadcast ? bytes_of(env, entry->ifa_broadaddr) : env.Null());
    list.Set(count++, item);
  }
  freeifaddrs(first);
  return list;
}

}  // namespace geysir
