// The door: one class, its functions, and the layout table that the TypeScript side checks itself against.
#include <napi.h>

#include "instance.h"
#include "interfaces.h"
#include "layout.h"
#include "socket.h"
#include "xor.h"

namespace geysir {

namespace {

// setReceiveTables(slab: Uint8Array, datagrams: Uint32Array, messages: Uint32Array): void
Napi::Value set_receive_tables(const Napi::CallbackInfo& info) {
  if (!Instance::of(info.Env()).memory.assign(info)) {
    Napi::TypeError::New(info.Env(), "setReceiveTables(slab, datagrams, messages)").ThrowAsJavaScriptException();
  }
  return info.Env().Undefined();
}

Napi::Object layout(Napi::Env env) {
  const Napi::Object table = Napi::Object::New(env);
  const auto set = [&](const char* name, size_t value) { table.Set(name, static_cast<double>(value)); };
  set("datagramWords", sizeof(DatagramRecord) / kWord);
  set("receiveHeaderWords", sizeof(ReceiveHeader) / kWord);
  set("receivedMessageWords", sizeof(ReceivedMessage) / kWord);
  set("outgoingMessageWords", sizeof(OutgoingMessage) / kWord);
  set("addressBytes", kAddressBytes);
  set("maxMessagesPerCall", kMaxMessagesPerCall);
  set("pointerBytes", sizeof(void*));
  set("groupRequestAddressOffset", offsetof(group_req, gr_group));
  set("groupSourceRequestSourceOffset", offsetof(group_source_req, gsr_source));
  set("groupSourceRequestBytes", sizeof(group_source_req));
  return table;
}

}  // namespace

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Instance(env));
  exports.Set("Socket", Socket::define(env));
  exports.Set("setReceiveTables", Napi::Function::New<set_receive_tables>(env, "setReceiveTables"));
  exports.Set("interfaces", Napi::Function::New<interfaces>(env, "interfaces"));
  exports.Set("xorBlocks", Napi::Function::New<xor_blocks>(env, "xorBlocks"));
  exports.Set("xorMasked", Napi::Function::New<xor_masked>(env, "xorMasked"));
  exports.Set("layout", layout(env));
  return exports;
}

}  // namespace geysir

static Napi::Object InitGeysir(Napi::Env env, Napi::Object exports) {
  return geysir::init(env, exports);
}

NODE_API_MODULE(geysir, InitGeysir)
