// What one JavaScript environment (the main thread, a worker) shares among its sockets.
#pragma once

#include <memory>

#include <sys/socket.h>

#include <napi.h>
#include <uv.h>

#include "layout.h"

namespace geysir {

class Socket;
class Instance;

// Room for every ancillary message that a datagram can bring or take along.
inline constexpr size_t kControlBytes = 256;

// Scratch for one recvmmsg(2) or sendmmsg(2). Calls never overlap on a thread, so one set serves all sockets.
struct Scratch {
  mmsghdr messages[kMaxMessagesPerCall];
  iovec vectors[kMaxMessagesPerCall];
  alignas(cmsghdr) uint8_t control[kMaxMessagesPerCall][kControlBytes];
};

struct ByteView {
  uint8_t* data = nullptr;
  size_t bytes = 0;
};

// The memory of a typed array (or Buffer). A detached one has no bytes.
ByteView view_of(napi_env env, napi_value typed_array);

// A typed array that JavaScript owns and the addon uses again and again. Its memory is looked up anew for each
// use, because the owner may detach it (ArrayBuffer.prototype.transfer, postMessage): then it is empty, not freed.
class SharedBytes {
 public:
  void assign(Napi::Object typed_array) { array_ = Napi::Persistent(typed_array); }
  ByteView view() const { return array_.IsEmpty() ? ByteView{} : view_of(array_.Env(), array_.Value()); }

 private:
  Napi::ObjectReference array_;
};

// The libuv side of a socket. It outlives the socket by the time that libuv needs to close a handle.
struct Poller {
  uv_poll_t handle;
  Socket* socket;
  Instance* instance;
  Poller* previous;
  Poller* next;
};

class Instance {
 public:
  explicit Instance(Napi::Env env);

  static Instance& of(Napi::Env env) { return *env.GetInstanceData<Instance>(); }

  // A poller for `socket` on this environment's loop, or nullptr with the libuv error in `error`.
  Poller* open_poller(Socket* socket, int fd, int& error);
  // Stops the poller at once; its memory is freed when libuv is done with it.
  void close_poller(Poller* poller);

  Scratch& scratch();

  // Where every socket of this thread receives: a batch is consumed before the next one is read.
  SharedBytes slab;
  SharedBytes datagram_table;
  SharedBytes message_table;

 private:
  static void on_environment_cleanup(napi_async_cleanup_hook_handle hook, void* data);
  static void on_poller_closed(uv_handle_t* handle);
  void finish_cleanup_if_idle();

  uv_loop_t* loop_ = nullptr;
  std::unique_ptr<Scratch> scratch_;
  Poller* open_pollers_ = nullptr;
  size_t closing_pollers_ = 0;
  napi_async_cleanup_hook_handle cleanup_hook_ = nullptr;
  bool cleaning_up_ = false;
};

}  // namespace geysir
