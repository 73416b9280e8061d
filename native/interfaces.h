#pragma once

#include <napi.h>

namespace geysir {

// interfaces(): what getifaddrs(3) says or, where it is refused netlink, netdevice(7) and /proc/net; one object an
// (interface, address) pair: { name, index, flags, address, netmask, broadcast } with raw sockaddrs (Uint8Array) or
// null. A failed call is a number, the negated errno.
Napi::Value interfaces(const Napi::CallbackInfo& info);

}  // namespace geysir
