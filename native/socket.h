// One wrapped class over a file descriptor of any (domain, type, protocol): UDP and netlink share it.
//
// It makes system calls and moves bytes. Results are numbers: >= 0, or a negated errno; what they mean, what to
// try again and what to tell the user is decided in TypeScript. A wrong argument here is a bug of the binding room
// and throws.
#pragma once

#include <memory>

#include <napi.h>

#include "instance.h"

namespace geysir {

class Socket : public Napi::ObjectWrap<Socket> {
 public:
  static Napi::Function define(Napi::Env env);

  // new Socket(domain, type, protocol, onEvent). The handler becomes the property onEvent. A failed socket(2) leaves
  // `fd` negative: the negated errno.
  explicit Socket(const Napi::CallbackInfo& info);
  ~Socket() override { release(); }

  // Closes the descriptor and stops polling. Safe to repeat, and at any time of an environment's life.
  void release();

  // Goes on with a turn that ran out of time while datagrams kept coming.
  void continue_turn();

 private:
  // What onEvent is called with, beside a value: keep in step with src/binding/native.ts.
  enum class Event : uint32_t { batch = 1, writable = 2, error = 3 };

  // bind(sockaddr: Uint8Array): number
  Napi::Value bind(const Napi::CallbackInfo& info);
  // connect(sockaddr: Uint8Array): number. An AF_UNSPEC address dissolves the association.
  Napi::Value connect(const Napi::CallbackInfo& info);
  // getName(ofPeer: boolean, out: Uint8Array): number of bytes
  Napi::Value get_name(const Napi::CallbackInfo& info);
  // setOption(level, name, value: Uint8Array): number
  Napi::Value set_option(const Napi::CallbackInfo& info);
  // getOption(level, name, out: Uint8Array): number of bytes
  Napi::Value get_option(const Napi::CallbackInfo& info);
  // poll(interest: a mask of 1 readable, 2 writable, 4 errors): number
  Napi::Value poll(const Napi::CallbackInfo& info);
  // setSlots(slotBytes, strideBytes, slots): number. How a batch divides the shared slab.
  Napi::Value set_slots(const Napi::CallbackInfo& info);
  // setMemory(slab: Uint8Array, datagrams: Uint32Array, messages: Uint32Array): void. Receives there from now on, not
  // where the thread does.
  Napi::Value set_memory(const Napi::CallbackInfo& info);
  // setTurn(spinNs, turnNs): void. How long a turn waits for the next batch, and how long it may last in all.
  Napi::Value set_turn(const Napi::CallbackInfo& info);
  // receive(flags): number of messages. The way of the error queue (MSG_ERRQUEUE); batches come by event.
  Napi::Value receive(const Napi::CallbackInfo& info);
  // send(slab: Uint8Array, messages: Uint32Array, first, count): number of messages taken
  Napi::Value send(const Napi::CallbackInfo& info);
  // duplicate(): number, a descriptor of its own for the same socket, which the caller closes
  Napi::Value duplicate(const Napi::CallbackInfo& info);
  // setRef(ref: boolean): void
  Napi::Value set_ref(const Napi::CallbackInfo& info);
  // close(): void
  Napi::Value close(const Napi::CallbackInfo& info);
  // fd(): number, or a negated errno: of the failed socket(2), or EBADF after close
  Napi::Value fd(const Napi::CallbackInfo& info);

  static void on_poll(uv_poll_t* handle, int status, int events);
  void handle_poll(int status, int events);
  void dispatch(Event event, int value);
  int start_polling(int interest);
  void stop_polling();
  // One recvmmsg(2) into the slab and tables: its own, or those of the thread. Returns the number of messages or a
  // negated errno.
  int receive_batch(int flags);
  // Batch after batch, for as long as the next one is there or comes soon, and the turn lasts.
  void take_turn();
  // One batch, if there is one. Returns whether the turn may go on.
  bool receive_and_dispatch();
  // Looks for the next datagram without going back to the event loop.
  enum class Spin : uint8_t { readable, in_vain, out_of_turn };
  Spin spin_until_readable(uint64_t end_of_turn);
  bool reading() const { return (interest_ & UV_READABLE) != 0; }

  int fd_ = -1;
  int open_error_ = 0;
  int interest_ = 0;
  bool ref_ = true;
  uint32_t slot_bytes_ = 0;
  uint32_t stride_bytes_ = 0;
  uint32_t slots_ = 0;
  uint64_t spin_ns_ = 0;
  uint64_t turn_ns_ = 0;
  // Batches for which spinning is left out, and how many it will be after the next failure.
  uint32_t spins_to_skip_ = 0;
  uint32_t spin_penalty_ = 1;
  Poller* poller_ = nullptr;
  std::unique_ptr<ReceiveMemory> own_memory_;
};

}  // namespace geysir
