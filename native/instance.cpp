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

Instance::Instance(Napi::Env env) {
  napi_get_uv_event_loop(env, &loop_);
  // A handle left open when a worker ends aborts the process, so the environment waits for ours (it holds
  // itself alive until the hook is removed).
  napi_add_async_cleanup_hook(env, on_environment_cleanup, this, &cleanup_hook_);
}

Scratch& Instance::scratch() {
  if (!scratch_) scratch_ = std::make_unique<Scratch>();
  return *scratch_;
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
  closing_pollers_++;
  uv_close(reinterpret_cast<uv_handle_t*>(&poller->handle), on_poller_closed);
}

void Instance::on_poller_closed(uv_handle_t* handle) {
  auto* poller = static_cast<Poller*>(handle->data);
  Instance* instance = poller->instance;
  delete poller;
  instance->closing_pollers_--;
  instance->finish_cleanup_if_idle();
}

void Instance::on_environment_cleanup(napi_async_cleanup_hook_handle, void* data) {
  auto* instance = static_cast<Instance*>(data);
  instance->cleaning_up_ = true;
  while (instance->open_pollers_ != nullptr) instance->open_pollers_->socket->release();
  instance->finish_cleanup_if_idle();
}

void Instance::finish_cleanup_if_idle() {
  if (!cleaning_up_ || closing_pollers_ > 0 || cleanup_hook_ == nullptr) return;
  napi_remove_async_cleanup_hook(cleanup_hook_);
  cleanup_hook_ = nullptr;
}

}  // namespace geysir
