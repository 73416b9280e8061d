#include "instance.h"

#include "socket.h"

namespace geysir {

ByteView view_of(napi_env env, napi_value typed_array) {
  ByteView view;
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, typed_array, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    return view;
  }
  const size_t element_bytes = type == napi_uint32_array ? kWord : 1;
  view.data = static_cast<uint8_t*>(data);
  view.bytes = data == nullptr ? 0 : length * element_bytes;
  return view;
}

bool ReceiveMemory::assign(const Napi::CallbackInfo& info) {
  if (!info[0].IsTypedArray() || !info[1].IsTypedArray() || !info[2].IsTypedArray()) return false;
  slab.assign(info[0].As<Napi::Object>());
  datagram_table.assign(info[1].As<Napi::Object>());
  message_table.assign(info[2].As<Napi::Object>());
  return true;
}

Instance::Instance(Napi::Env env) {
  napi_get_uv_event_loop(env, &loop_);
  // A handle left open when a worker ends aborts the process, so the environment waits for ours (it holds
  // itself alive until the hook is removed).
  napi_add_async_cleanup_hook(env, on_environment_cleanup, this, &cleanup_hook_);
}

Scratch& Instance::send_scratch() {
  if (!send_scratch_) send_scratch_ = std::make_unique<Scratch>();
  return *send_scratch_;
}

ReceiveScratch& Instance::receive_scratch() {
  if (!receive_scratch_) receive_scratch_ = std::make_unique<ReceiveScratch>();
  return *receive_scratch_;
}

Poller* Instance::open_poller(Socket* socket, int fd, int& error) {
  auto* poller = new Poller{};
  error = uv_poll_init(loop_, &poller->handle, fd);
  if (error != 0) {
    delete poller;
    return nullptr;
  }
  poller->handle.data = poller;
  poller->socket = socket;
  poller->instance = this;
  poller->next = open_pollers_;
  if (open_pollers_ != nullptr) open_pollers_->previous = poller;
  open_pollers_ = poller;
  return poller;
}

void Instance::close_poller(Poller* poller) {
  if (poller->previous != nullptr) poller->previous->next = poller->next;
  if (poller->next != nullptr) poller->next->previous = poller->previous;
  if (open_pollers_ == poller) open_pollers_ = poller->next;
  poller->socket = nullptr;
  closing_handles_++;
  uv_close(reinterpret_cast<uv_handle_t*>(&poller->handle), on_poller_closed);
}

void Instance::on_poller_closed(uv_handle_t* handle) {
  auto* poller = static_cast<Poller*>(handle->data);
  Instance* instance = poller->instance;
  delete poller;
  instance->closing_handles_--;
  instance->finish_cleanup_if_idle();
}

void Instance::continue_turn_of(Socket* socket) {
  if (idle_ == nullptr) {
    idle_ = new uv_idle_t;
    uv_idle_init(loop_, idle_);
    idle_->data = this;
    // The socket's own handle keeps the loop alive, or does not.
    uv_unref(reinterpret_cast<uv_handle_t*>(idle_));
  }
  turning_ = socket;
  uv_idle_start(idle_, on_idle);
}

void Instance::forget_turn_of(const Socket* socket) {
  if (turning_ != socket) return;
  turning_ = nullptr;
  uv_idle_stop(idle_);
}

void Instance::on_idle(uv_idle_t* idle) {
  auto* instance = static_cast<Instance*>(idle->data);
  Socket* socket = instance->turning_;
  instance->forget_turn_of(socket);
  if (socket != nullptr) socket->continue_turn();
}

void Instance::on_idle_closed(uv_handle_t* handle) {
  auto* instance = static_cast<Instance*>(handle->data);
  delete reinterpret_cast<uv_idle_t*>(handle);
  instance->closing_handles_--;
  instance->finish_cleanup_if_idle();
}

void Instance::on_environment_cleanup(napi_async_cleanup_hook_handle, void* data) {
  auto* instance = static_cast<Instance*>(data);
  instance->cleaning_up_ = true;
  while (instance->open_pollers_ != nullptr) instance->open_pollers_->socket->release();
  if (instance->idle_ != nullptr) {
    instance->closing_handles_++;
    uv_close(reinterpret_cast<uv_handle_t*>(instance->idle_), on_idle_closed);
    instance->idle_ = nullptr;
  }
  instance->finish_cleanup_if_idle();
}

void Instance::finish_cleanup_if_idle() {
  if (!cleaning_up_ || closing_handles_ > 0 || cleanup_hook_ == nullptr) return;
  napi_remove_async_cleanup_hook(cleanup_hook_);
  cleanup_hook_ = nullptr;
}

}  // namespace geysir
