#include "xor.h"

#include <algorithm>
#include <cstring>

#include "instance.h"
#include "layout.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace geysir {

namespace {

// Sources that are read together, so that `into` is loaded and stored once for all of them.
constexpr size_t kTogether = 4;

// into ^= sources[0] ^ … ^ sources[count - 1], `bytes` bytes of each; count is 1 to kTogether.
using Kernel = void (*)(uint8_t* into, const uint8_t* const* sources, size_t count, size_t bytes);

void xor_words(uint8_t* into, const uint8_t* const* sources, size_t count, size_t from, size_t bytes) {
  size_t at = from;
  for (; at + sizeof(uint64_t) <= bytes; at += sizeof(uint64_t)) {
    uint64_t sum;
    std::memcpy(&sum, into + at, sizeof(sum));
    for (size_t i = 0; i < count; i++) {
      uint64_t word;
      std::memcpy(&word, sources[i] + at, sizeof(word));
      sum ^= word;
    }
    std::memcpy(into + at, &sum, sizeof(sum));
  }
  for (; at < bytes; at++) {
    for (size_t i = 0; i < count; i++) into[at] ^= sources[i][at];
  }
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) inline __m256i load_avx2(const uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

__attribute__((target("avx2"))) void xor_avx2(uint8_t* into, const uint8_t* const* sources, size_t count,
                                              size_t bytes) {
  size_t at = 0;
  if (count == kTogether) {
    const uint8_t* const a = sources[0];
    const uint8_t* const b = sources[1];
    const uint8_t* const c = sources[2];
    const uint8_t* const d = sources[3];
    for (; at + sizeof(__m256i) <= bytes; at += sizeof(__m256i)) {
      const __m256i first = _mm256_xor_si256(load_avx2(a + at), load_avx2(b + at));
      const __m256i second = _mm256_xor_si256(load_avx2(c + at), load_avx2(d + at));
      const __m256i sum = _mm256_xor_si256(load_avx2(into + at), _mm256_xor_si256(first, second));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(into + at), sum);
    }
    xor_words(into, sources, count, at, bytes);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    const uint8_t* const source = sources[i];
    for (at = 0; at + sizeof(__m256i) <= bytes; at += sizeof(__m256i)) {
      const __m256i sum = _mm256_xor_si256(load_avx2(into + at), load_avx2(source + at));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(into + at), sum);
    }
  }
  xor_words(into, sources, count, at, bytes);
}

__attribute__((target("avx512f"))) void xor_avx512(uint8_t* into, const uint8_t* const* sources, size_t count,
                                                   size_t bytes) {
  size_t at = 0;
  if (count == kTogether) {
    const uint8_t* const a = sources[0];
    const uint8_t* const b = sources[1];
    const uint8_t* const c = sources[2];
    const uint8_t* const d = sources[3];
    for (; at + sizeof(__m512i) <= bytes; at += sizeof(__m512i)) {
      // 0x96 is the truth table of the XOR of three.
      const __m512i first = _mm512_ternarylogic_epi64(_mm512_loadu_si512(a + at), _mm512_loadu_si512(b + at),
                                                      _mm512_loadu_si512(into + at), 0x96);
      const __m512i sum =
          _mm512_ternarylogic_epi64(_mm512_loadu_si512(c + at), _mm512_loadu_si512(d + at), first, 0x96);
      _mm512_storeu_si512(into + at, sum);
    }
    xor_words(into, sources, count, at, bytes);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    const uint8_t* const source = sources[i];
    for (at = 0; at + sizeof(__m512i) <= bytes; at += sizeof(__m512i)) {
      _mm512_storeu_si512(into + at, _mm512_xor_si512(_mm512_loadu_si512(into + at), _mm512_loadu_si512(source + at)));
    }
  }
  xor_words(into, sources, count, at, bytes);
}

// Asked for by hand: __builtin_cpu_supports needs a library of the compiler's, which cannot be linked into a shared
// object everywhere. Intel SDM volume 1, sections 14.3 and 15.2: what the processor has, and what the system saves.
__attribute__((target("xsave"))) bool saves(uint64_t state) {
  return (_xgetbv(0) & state) == state;
}

struct VectorExtensions {
  bool avx2 = false;
  bool avx512 = false;
};

VectorExtensions vector_extensions() {
  constexpr unsigned kOsXsave = 1U << 27;
  constexpr unsigned kAvx2 = 1U << 5;
  constexpr unsigned kAvx512 = 1U << 16;
  constexpr uint64_t kAvxState = 0x06;
  constexpr uint64_t kAvx512State = 0xe6;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kOsXsave) == 0) return {};
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return {};
  return {(b & kAvx2) != 0 && saves(kAvxState), (b & kAvx512) != 0 && saves(kAvx512State)};
}

#elif defined(__ARM_NEON)

// Where the compiler may assume NEON (arm64 always), there is nothing to choose at run time.
void xor_neon(uint8_t* into, const uint8_t* const* sources, size_t count, size_t bytes) {
  size_t at = 0;
  for (; at + sizeof(uint8x16_t) <= bytes; at += sizeof(uint8x16_t)) {
    uint8x16_t sum = vld1q_u8(into + at);
    for (size_t i = 0; i < count; i++) sum = veorq_u8(sum, vld1q_u8(sources[i] + at));
    vst1q_u8(into + at, sum);
  }
  xor_words(into, sources, count, at, bytes);
}

#endif

[[maybe_unused]] void xor_portable(uint8_t* into, const uint8_t* const* sources, size_t count, size_t bytes) {
  xor_words(into, sources, count, 0, bytes);
}

Kernel choose_kernel() {
#if defined(__x86_64__)
  const VectorExtensions has = vector_extensions();
  if (has.avx512) return xor_avx512;
  if (has.avx2) return xor_avx2;
  return xor_portable;
#elif defined(__ARM_NEON)
  return xor_neon;
#else
  return xor_portable;
#endif
}

struct Blocks {
  ByteView memory;
  size_t block_bytes;

  bool has(size_t i) const { return i * block_bytes < memory.bytes; }
  uint8_t* at(size_t i) const { return memory.data + i * block_bytes; }
  size_t length(size_t i) const { return std::min(block_bytes, memory.bytes - i * block_bytes); }
};

void xor_all(const Blocks& into, const Blocks& from, const uint32_t* pairs, size_t count) {
  static const Kernel kernel = choose_kernel();
  size_t done = 0;
  while (done < count) {
    const size_t target = pairs[2 * done];
    const size_t target_bytes = into.length(target);
    const uint8_t* sources[kTogether];
    size_t together = 0;
    // Only whole blocks go together, and never the block that is written.
    while (together < kTogether && done + together < count && pairs[2 * (done + together)] == target) {
      const size_t source = pairs[2 * (done + together) + 1];
      if (from.length(source) < target_bytes || from.at(source) == into.at(target)) break;
      sources[together++] = from.at(source);
    }
    if (together > 0) {
      kernel(into.at(target), sources, together, target_bytes);
      done += together;
      continue;
    }
    const size_t source = pairs[2 * done + 1];
    sources[0] = from.at(source);
    kernel(into.at(target), sources, 1, std::min(target_bytes, from.length(source)));
    done++;
  }
}

}  // namespace

Napi::Value xor_blocks(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsTypedArray() || !info[1].IsTypedArray() || !info[2].IsNumber() || !info[3].IsTypedArray() ||
      !info[4].IsNumber()) {
    Napi::TypeError::New(env, "xorBlocks(into, from, blockBytes, pairs, count)").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const size_t block_bytes = info[2].As<Napi::Number>().Uint32Value();
  const size_t count = info[4].As<Napi::Number>().Uint32Value();
  const Blocks into{view_of(env, info[0]), block_bytes};
  const Blocks from{view_of(env, info[1]), block_bytes};
  const ByteView table = view_of(env, info[3]);
  const auto* pairs = reinterpret_cast<const uint32_t*>(table.data);
  bool fits = block_bytes > 0 && table.bytes / (2 * kWord) >= count;
  for (size_t i = 0; fits && i < count; i++) fits = into.has(pairs[2 * i]) && from.has(pairs[2 * i + 1]);
  if (!fits) {
    Napi::RangeError::New(env, "xorBlocks: a pair reaches outside its memory").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  xor_all(into, from, pairs, count);
  return env.Undefined();
}

}  // namespace geysir
