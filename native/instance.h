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

// What one recvmmsg(2) or sendmmsg(2) is told. Calls never overlap on a thread, so one set serves all its sockets.
struct Scratch {
  mmsghdr messages[kMaxMessagesPerCall];
  iovec vectors[kMaxMessagesPerCall];
  alignas(cmsghdr) uint8_t control[kMaxMessagesPerCall][kControlBytes];
};

// Receiving leaves the entries that brought nothing as they were, so that the next call only renews the others.
struct ReceiveScratch : Scratch {
  // What the entries point at now.
  const uint8_t* slab = nullptr;
  const uint8_t* records = nullptr;
  uint32_t slot_bytes = 0;
  uint32_t stride_bytes = 0;
  size_t prepared = 0;  // entries that are ready
  size_t used = 0;      // of these, the first ones that the last call filled
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

// Where batches are received, and described.
struct ReceiveMemory {
  SharedBytes slab;
  SharedBytes datagram_table;
  SharedBytes message_table;

  // From (slab: Uint8Array, datagrams: Uint32Array, messages: Uint32Array); false if that is not what was passed.
  bool assign(const Napi::CallbackInfo& info);
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

  // Lets the event loop go round once without sleeping, and then `socket` go on with its turn. One socket at a time.
  void continue_turn_of(Socket* socket);
  void forget_turn_of(const Socket* socket);

  Scratch& send_scratch();
  ReceiveScratch& receive_scratch();

  // Where every socket of this thread receives that has no memory of its own: a batch is consumed before the next one
  // is read.
  ReceiveMemory memory;

 private:
  static void on_environment_cleanup(napi_async_cleanup_hook_handle hook, void* data);
  static void on_poller_closed(uv_handle_t* handle);
  static void on_idle(uv_idle_t* idle);
  static void on_idle_closed(uv_handle_t* handle);
  void finish_cleanup_if_idle();

  uv_loop_t* loop_ = nullptr;
  std::unique_ptr<Scratch> send_scratch_;
  std::unique_ptr<ReceiveScratch> receive_scratch_;
  Poller* open_pollers_ = nullptr;
  size_t closing_handles_ = 0;
  uv_idle_t* idle_ = nullptr;
  Socket* turning_ = nullptr;
  napi_async_cleanup_hook_handle cleanup_hook_ = nullptr;
  bool cleaning_up_ = false;
};

}  // namespace geysir
