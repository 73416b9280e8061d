#include "socket.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "receive.h"
#include "send.h"

namespace geysir {

namespace {

Napi::Value misuse(Napi::Env env, const char* what) {
  Napi::TypeError::New(env, what).ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value number(Napi::Env env, int value) {
  return Napi::Number::New(env, value);
}

// The result of a system call as one number.
Napi::Value result(Napi::Env env, int returned) {
  return number(env, returned < 0 ? -errno : returned);
}

bool arguments_are(const Napi::CallbackInfo& info, std::initializer_list<napi_valuetype> types) {
  size_t i = 0;
  for (const napi_valuetype type : types) {
    if (info[i++].Type() != type) return false;
  }
  return true;
}

int32_t int_argument(const Napi::CallbackInfo& info, size_t i) {
  return info[i].As<Napi::Number>().Int32Value();
}

uint32_t uint_argument(const Napi::CallbackInfo& info, size_t i) {
  return info[i].As<Napi::Number>().Uint32Value();
}

// The most batches for which a socket that spun in vain does not spin again.
constexpr uint32_t kMaxSpinPenalty = 256;

constexpr const char* kOnEvent = "onEvent";

}  // namespace

Napi::Function Socket::define(Napi::Env env) {
  return DefineClass(env, "Socket",
                     {
                         InstanceMethod<&Socket::bind>("bind"),
                         InstanceMethod<&Socket::connect>("connect"),
                         InstanceMethod<&Socket::get_name>("getName"),
                         InstanceMethod<&Socket::set_option>("setOption"),
                         InstanceMethod<&Socket::get_option>("getOption"),
                         InstanceMethod<&Socket::poll>("poll"),
                         InstanceMethod<&Socket::set_slots>("setSlots"),
                         InstanceMethod<&Socket::set_memory>("setMemory"),
                         InstanceMethod<&Socket::set_turn>("setTurn"),
                         InstanceMethod<&Socket::receive>("receive"),
                         InstanceMethod<&Socket::send>("send"),
                         InstanceMethod<&Socket::duplicate>("duplicate"),
                         InstanceMethod<&Socket::set_ref>("setRef"),
                         InstanceMethod<&Socket::close>("close"),
                         InstanceMethod<&Socket::fd>("fd"),
                     });
}

Socket::Socket(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Socket>(info) {
  if (!arguments_are(info, {napi_number, napi_number, napi_number, napi_function})) {
    misuse(info.Env(), "new Socket(domain, type, protocol, onEvent)");
    return;
  }
  fd_ = ::socket(int_argument(info, 0), int_argument(info, 1) | SOCK_NONBLOCK | SOCK_CLOEXEC, int_argument(info, 2));
  if (fd_ < 0) {
    open_error_ = -errno;
    return;
  }
  // A property instead of a reference of ours: it lives and dies with the object, and costs less.
  info.This().As<Napi::Object>().Set(kOnEvent, info[3]);
}

Napi::Value Socket::bind(const Napi::CallbackInfo& info) {
  const ByteView address = view_of(info.Env(), info[0]);
  return result(info.Env(), ::bind(fd_, reinterpret_cast<const sockaddr*>(address.data), address.bytes));
}

Napi::Value Socket::connect(const Napi::CallbackInfo& info) {
  const ByteView address = view_of(info.Env(), info[0]);
  return result(info.Env(), ::connect(fd_, reinterpret_cast<const sockaddr*>(address.data), address.bytes));
}

Napi::Value Socket::get_name(const Napi::CallbackInfo& info) {
  if (!arguments_are(info, {napi_boolean, napi_object})) return misuse(info.Env(), "getName(ofPeer, out)");
  const bool of_peer = info[0].As<Napi::Boolean>();
  const ByteView out = view_of(info.Env(), info[1]);
  auto length = static_cast<socklen_t>(out.bytes);
  auto* address = reinterpret_cast<sockaddr*>(out.data);
  const int failed = of_peer ? ::getpeername(fd_, address, &length) : ::getsockname(fd_, address, &length);
  return result(info.Env(), failed < 0 ? failed : static_cast<int>(length));
}

Napi::Value Socket::set_option(const Napi::CallbackInfo& info) {
  if (!arguments_are(info, {napi_number, napi_number, napi_object})) {
    return misuse(info.Env(), "setOption(level, name, value)");
  }
  const ByteView value = view_of(info.Env(), info[2]);
  return result(info.Env(), ::setsockopt(fd_, int_argument(info, 0), int_argument(info, 1), value.data,
                                         static_cast<socklen_t>(value.bytes)));
}

Napi::Value Socket::get_option(const Napi::CallbackInfo& info) {
  if (!arguments_are(info, {napi_number, napi_number, napi_object})) {
    return misuse(info.Env(), "getOption(level, name, out)");
  }
  const ByteView out = view_of(info.Env(), info[2]);
  auto length = static_cast<socklen_t>(out.bytes);
  const int failed = ::getsockopt(fd_, int_argument(info, 0), int_argument(info, 1), out.data, &length);
  return result(info.Env(), failed < 0 ? failed : static_cast<int>(length));
}

Napi::Value Socket::set_slots(const Napi::CallbackInfo& info) {
  if (!arguments_are(info, {napi_number, napi_number, napi_number})) {
    return misuse(info.Env(), "setSlots(slotBytes, strideBytes, slots)");
  }
  slot_bytes_ = uint_argument(info, 0);
  stride_bytes_ = uint_argument(info, 1);
  slots_ = uint_argument(info, 2);
  if (slots_ > kMaxMessagesPerCall || slot_bytes_ > stride_bytes_) {
    slots_ = 0;
    return number(info.Env(), -EINVAL);
  }
  return number(info.Env(), 0);
}

Napi::Value Socket::set_memory(const Napi::CallbackInfo& info) {
  auto memory = std::make_unique<ReceiveMemory>();
  if (!memory->assign(info)) return misuse(info.Env(), "setMemory(slab, datagrams, messages)");
  own_memory_ = std::move(memory);
  return info.Env().Undefined();
}

Napi::Value Socket::set_turn(const Napi::CallbackInfo& info) {
  if (!arguments_are(info, {napi_number, napi_number})) return misuse(info.Env(), "setTurn(spinNs, turnNs)");
  spin_ns_ = uint_argument(info, 0);
  turn_ns_ = uint_argument(info, 1);
  return info.Env().Undefined();
}

Napi::Value Socket::receive(const Napi::CallbackInfo& info) {
  if (!arguments_are(info, {napi_number})) return misuse(info.Env(), "receive(flags)");
  return number(info.Env(), receive_batch(int_argument(info, 0)));
}

int Socket::receive_batch(int flags) {
  Instance& instance = Instance::of(Env());
  const ReceiveMemory& memory = own_memory_ ? *own_memory_ : instance.memory;
  const ReceiveTables tables{memory.slab.view(), memory.datagram_table.view(), memory.message_table.view()};
  return receive_messages(fd_, flags, Slots{slot_bytes_, stride_bytes_, slots_}, tables, instance.receive_scratch());
}

Napi::Value Socket::send(const Napi::CallbackInfo& info) {
  if (!arguments_are(info, {napi_object, napi_object, napi_number, napi_number})) {
    return misuse(info.Env(), "send(slab, messages, first, count)");
  }
  const ByteView slab = view_of(info.Env(), info[0]);
  const ByteView table = view_of(info.Env(), info[1]);
  const int sent = send_messages(fd_, slab, table, uint_argument(info, 2), uint_argument(info, 3),
                                 Instance::of(info.Env()).send_scratch());
  if (sent == kTableError) return misuse(info.Env(), "send: a record reaches outside its table or slab");
  return number(info.Env(), sent);
}

Napi::Value Socket::poll(const Napi::CallbackInfo& info) {
  if (!arguments_are(info, {napi_number})) return misuse(info.Env(), "poll(interest)");
  if (fd_ < 0) return number(info.Env(), -EBADF);
  // UV_DISCONNECT never fires by itself on a datagram socket: alone, it means "errors only".
  const int interest = int_argument(info, 0) & (UV_READABLE | UV_WRITABLE | UV_DISCONNECT);
  if (interest == interest_) return number(info.Env(), 0);
  if (interest != 0) return number(info.Env(), start_polling(interest));
  stop_polling();
  return number(info.Env(), 0);
}

int Socket::start_polling(int interest) {
  if (poller_ == nullptr) {
    int error = 0;
    poller_ = Instance::of(Env()).open_poller(this, fd_, error);
    if (poller_ == nullptr) return error;
    if (!ref_) uv_unref(reinterpret_cast<uv_handle_t*>(&poller_->handle));
  }
  const int error = uv_poll_start(&poller_->handle, interest, on_poll);
  if (error != 0) return error;
  if (interest_ == 0) {
    Ref();
  }
  interest_ = interest;
  return 0;
}

void Socket::stop_polling() {
  if (interest_ == 0) return;
  poller_->instance->forget_turn_of(this);
  uv_poll_stop(&poller_->handle);
  interest_ = 0;
  Unref();
}

void Socket::on_poll(uv_poll_t* handle, int status, int events) {
  auto* poller = static_cast<Poller*>(handle->data);
  if (poller->socket != nullptr) poller->socket->handle_poll(status, events);
}

void Socket::handle_poll(int status, int events) {
  const Napi::HandleScope scope(Env());
  [[maybe_unused]] const Napi::Object keeps_this_alive = Value();
  if (status < 0) {
    // libuv reports EPOLLERR, which for a datagram socket means a pending ICMP error or an entry in the error
    // queue, as UV_EBADF, and has stopped the handle (uv__poll_io, libuv 1.x). The socket itself is healthy.
    uv_poll_start(&poller_->handle, interest_, on_poll);
    int pending = 0;
    socklen_t length = sizeof(pending);
    if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &pending, &length) < 0) pending = errno;
    dispatch(Event::error, pending);
    return;
  }
  if ((events & UV_WRITABLE) != 0) dispatch(Event::writable, 0);
  if ((events & UV_READABLE) == 0 || !reading()) return;
  take_turn();
}

void Socket::continue_turn() {
  if (!reading()) return;
  const Napi::HandleScope scope(Env());
  [[maybe_unused]] const Napi::Object keeps_this_alive = Value();
  if (spin_until_readable(uv_hrtime() + turn_ns_) == Spin::readable) take_turn();
}

void Socket::take_turn() {
  const uint64_t end_of_turn = uv_hrtime() + turn_ns_;
  for (;;) {
    if (!receive_and_dispatch()) return;
    const Spin next = spin_until_readable(end_of_turn);
    if (next == Spin::out_of_turn) poller_->instance->continue_turn_of(this);
    if (next != Spin::readable) return;
  }
}

bool Socket::receive_and_dispatch() {
  const int received = receive_batch(0);
  if (received > 0) {
    dispatch(Event::batch, received);
    return reading();
  }
  if (received != -EAGAIN && received != -EINTR) dispatch(Event::error, -received);
  return false;
}

// Going to sleep and being woken takes longer than many a peer takes to answer. Where that is so, looking again for a
// moment is cheaper for everybody; where it is not, a failure makes this socket look ever more rarely.
Socket::Spin Socket::spin_until_readable(uint64_t end_of_turn) {
  if (spin_ns_ == 0) return Spin::in_vain;
  if (spins_to_skip_ > 0) {
    spins_to_skip_--;
    return Spin::in_vain;
  }
  uint64_t now = uv_hrtime();
  if (now >= end_of_turn) return Spin::out_of_turn;
  pollfd descriptor{fd_, POLLIN, 0};
  for (const uint64_t deadline = now + spin_ns_; now < deadline; now = uv_hrtime()) {
    if (::poll(&descriptor, 1, 0) == 0) continue;
    spin_penalty_ = 1;
    return descriptor.revents == POLLIN ? Spin::readable : Spin::in_vain;  // anything else is for libuv to report
  }
  spins_to_skip_ = spin_penalty_;
  spin_penalty_ = std::min(spin_penalty_ * 2, kMaxSpinPenalty);
  return Spin::in_vain;
}

void Socket::dispatch(Event event, int value) {
  napi_env env = Env();
  napi_value arguments[2];
  napi_value function = nullptr;
  if (napi_create_uint32(env, static_cast<uint32_t>(event), &arguments[0]) != napi_ok ||
      napi_create_int32(env, value, &arguments[1]) != napi_ok ||
      napi_get_named_property(env, Value(), kOnEvent, &function) != napi_ok) {
    return;
  }
  // Without an async context: whoever owns the socket has one, made when and where the program asked for it.
  const napi_status status = napi_make_callback(env, nullptr, Value(), function, 2, arguments, nullptr);
  if (status != napi_pending_exception) return;  // napi_cannot_run_js: the environment is going down
  napi_value error = nullptr;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

Napi::Value Socket::duplicate(const Napi::CallbackInfo& info) {
  return result(info.Env(), ::fcntl(fd_, F_DUPFD_CLOEXEC, 0));
}

Napi::Value Socket::set_ref(const Napi::CallbackInfo& info) {
  ref_ = info[0].ToBoolean();
  if (poller_ != nullptr) {
    auto* handle = reinterpret_cast<uv_handle_t*>(&poller_->handle);
    if (ref_) {
      uv_ref(handle);
    } else {
      uv_unref(handle);
    }
  }
  return info.Env().Undefined();
}

Napi::Value Socket::close(const Napi::CallbackInfo& info) {
  release();
  return info.Env().Undefined();
}

void Socket::release() {
  stop_polling();
  if (poller_ != nullptr) {
    poller_->instance->close_poller(poller_);
    poller_ = nullptr;
  }
  if (fd_ >= 0) {
    ::close(fd_);
    fd_ = -1;
    open_error_ = -EBADF;
  }
}

Napi::Value Socket::fd(const Napi::CallbackInfo& info) {
  return number(info.Env(), fd_ < 0 ? open_error_ : fd_);
}

}  // namespace geysir
