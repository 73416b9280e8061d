#include "xor.h"

#include <algorithm>
#include <cstring>
#include <utility>

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
constexpr size_t kTogether = 8;
constexpr size_t kWordBits = 8 * kWord;

// Asked for when a block is found, a few blocks before it is read: the processor's own prefetching, which takes some
// lines to notice that a block is read from front to back, then goes on from there.
constexpr size_t kCacheLineBytes = 64;
constexpr size_t kPrefetchBytes = 4 * kCacheLineBytes;

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

// Adds kSources blocks up as far as whole vectors go, and returns how far that is.
template <size_t... kSources>
__attribute__((target("avx2"))) size_t add_avx2(uint8_t* into, const uint8_t* const* sources, size_t bytes,
                                                std::index_sequence<kSources...> /*which*/) {
  const uint8_t* const from[] = {sources[kSources]...};
  size_t at = 0;
  for (; at + sizeof(__m256i) <= bytes; at += sizeof(__m256i)) {
    __m256i sum = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(into + at));
    ((sum = _mm256_xor_si256(sum, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from[kSources] + at)))), ...);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(into + at), sum);
  }
  return at;
}

template <size_t... kSources>
__attribute__((target("avx512f"))) size_t add_avx512(uint8_t* into, const uint8_t* const* sources, size_t bytes,
                                                     std::index_sequence<kSources...> /*which*/) {
  const uint8_t* const from[] = {sources[kSources]...};
  size_t at = 0;
  for (; at + sizeof(__m512i) <= bytes; at += sizeof(__m512i)) {
    __m512i sum = _mm512_loadu_si512(into + at);
    ((sum = _mm512_xor_si512(sum, _mm512_loadu_si512(from[kSources] + at))), ...);
    _mm512_storeu_si512(into + at, sum);
  }
  return at;
}

// Eight together, and what is left as a sum of powers of two: four variants are enough for any number.
template <typename Add>
void xor_by_powers(Add add, uint8_t* into, const uint8_t* const* sources, size_t count, size_t bytes) {
  size_t at = 0;
  const uint8_t* const* next = sources;
  if ((count & 8) != 0) {
    at = add(into, next, bytes, std::make_index_sequence<8>());
    next += 8;
  }
  if ((count & 4) != 0) {
    at = add(into, next, bytes, std::make_index_sequence<4>());
    next += 4;
  }
  if ((count & 2) != 0) {
    at = add(into, next, bytes, std::make_index_sequence<2>());
    next += 2;
  }
  if ((count & 1) != 0) at = add(into, next, bytes, std::make_index_sequence<1>());
  xor_words(into, sources, count, at, bytes);
}

void xor_avx2(uint8_t* into, const uint8_t* const* sources, size_t count, size_t bytes) {
  const auto add = [](auto... arguments) { return add_avx2(arguments...); };
  xor_by_powers(add, into, sources, count, bytes);
}

void xor_avx512(uint8_t* into, const uint8_t* const* sources, size_t count, size_t bytes) {
  const auto add = [](auto... arguments) { return add_avx512(arguments...); };
  xor_by_powers(add, into, sources, count, bytes);
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

  size_t count() const { return memory.bytes / block_bytes + (memory.bytes % block_bytes == 0 ? 0 : 1); }
  uint8_t* at(size_t i) const { return memory.data + i * block_bytes; }
  size_t length(size_t i) const { return std::min(block_bytes, memory.bytes - i * block_bytes); }
};

Kernel kernel() {
  static const Kernel chosen = choose_kernel();
  return chosen;
}

void xor_pairs(const Blocks& into, const Blocks& from, const uint32_t* pairs, size_t count) {
  const Kernel add = kernel();
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
      add(into.at(target), sources, together, target_bytes);
      done += together;
      continue;
    }
    const size_t source = pairs[2 * done + 1];
    sources[0] = from.at(source);
    add(into.at(target), sources, 1, std::min(target_bytes, from.length(source)));
    done++;
  }
}

struct Masks {
  const uint32_t* words;
  size_t words_per_row;
  const uint32_t* among;  // null: all columns count
  size_t first;           // the column of block 0
};

// Two words of a row as one, or the last one alone.
uint64_t two_words(const uint32_t* row, size_t word, size_t words_per_row) {
  const uint64_t upper = word + 1 < words_per_row ? row[word + 1] : 0;
  return row[word] | upper << kWordBits;
}

// The bits of columns `base` to `base + 63` that stand for blocks, which end at column `end`.
uint64_t bits_at(const Masks& masks, const uint32_t* row, size_t base, size_t end) {
  const size_t word = base / kWordBits;
  uint64_t bits = two_words(row, word, masks.words_per_row);
  if (masks.among != nullptr) bits &= two_words(masks.among, word, masks.words_per_row);
  if (base < masks.first) bits &= ~uint64_t{0} << (masks.first - base);
  if (end - base < 2 * kWordBits) bits &= ~(~uint64_t{0} << (end - base));
  return bits;
}

// Adds the blocks of `from` that `row` covers to the block at `target`.
void xor_row(uint8_t* target, size_t target_bytes, const Blocks& from, const Masks& masks, const uint32_t* row) {
  const Kernel add = kernel();
  const size_t end = std::min(masks.first + from.count(), masks.words_per_row * kWordBits);
  const uint8_t* sources[kTogether];
  size_t together = 0;
  for (size_t base = masks.first - masks.first % (2 * kWordBits); base < end; base += 2 * kWordBits) {
    for (uint64_t bits = bits_at(masks, row, base, end); bits != 0; bits &= bits - 1) {
      const size_t source = base + static_cast<size_t>(__builtin_ctzll(bits)) - masks.first;
      sources[together] = from.at(source);
      for (size_t at = 0; at < kPrefetchBytes; at += kCacheLineBytes) __builtin_prefetch(sources[together] + at);
      if (from.length(source) < target_bytes) {
        add(target, sources + together, 1, from.length(source));
      } else if (++together == kTogether) {
        add(target, sources, together, target_bytes);
        together = 0;
      }
    }
  }
  if (together > 0) add(target, sources, together, target_bytes);
}

// A Uint32Array.
struct Words {
  const uint32_t* words = nullptr;
  size_t count = 0;
};

Words words_of(napi_env env, napi_value typed_array) {
  const ByteView view = view_of(env, typed_array);
  return {reinterpret_cast<const uint32_t*>(view.data), view.bytes / kWord};
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
  const Words table = words_of(env, info[3]);
  bool fits = block_bytes > 0 && table.count / 2 >= count;
  // By counts: where a word is 32 bits long, a product of what was passed could wrap around.
  const size_t into_blocks = fits ? into.count() : 0;
  const size_t from_blocks = fits ? from.count() : 0;
  for (size_t i = 0; fits && i < count; i++) {
    fits = table.words[2 * i] < into_blocks && table.words[2 * i + 1] < from_blocks;
  }
  if (!fits) {
    Napi::RangeError::New(env, "xorBlocks: a pair reaches outside its memory").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  xor_pairs(into, from, table.words, count);
  return env.Undefined();
}

Napi::Value xor_masked(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const bool has_among = !info[8].IsUndefined();
  if (!info[0].IsTypedArray() || !info[1].IsTypedArray() || !info[2].IsNumber() || !info[3].IsTypedArray() ||
      !info[4].IsNumber() || !info[5].IsTypedArray() || !info[6].IsNumber() || !info[7].IsNumber() ||
      (has_among && !info[8].IsTypedArray())) {
    Napi::TypeError::New(env, "xorMasked(into, from, blockBytes, masks, wordsPerRow, pairs, count, first, among)")
        .ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const size_t block_bytes = info[2].As<Napi::Number>().Uint32Value();
  const size_t count = info[6].As<Napi::Number>().Uint32Value();
  const Blocks into{view_of(env, info[0]), block_bytes};
  const Blocks from{view_of(env, info[1]), block_bytes};
  const Words rows = words_of(env, info[3]);
  const Words table = words_of(env, info[5]);
  const Words among = has_among ? words_of(env, info[8]) : Words{};
  const Masks masks{rows.words, info[4].As<Napi::Number>().Uint32Value(), among.words,
                    info[7].As<Napi::Number>().Uint32Value()};
  bool fits = block_bytes > 0 && table.count / 2 >= count && (!has_among || among.count >= masks.words_per_row);
  fits = fits && masks.words_per_row > 0;
  const size_t into_blocks = fits ? into.count() : 0;
  const size_t row_count = fits ? rows.count / masks.words_per_row : 0;
  for (size_t i = 0; fits && i < count; i++) {
    fits = table.words[2 * i] < into_blocks && table.words[2 * i + 1] < row_count;
  }
  if (!fits) {
    Napi::RangeError::New(env, "xorMasked: a pair reaches outside its memory").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  for (size_t i = 0; i < count; i++) {
    const size_t target = table.words[2 * i];
    const uint32_t* const row = masks.words + table.words[2 * i + 1] * masks.words_per_row;
    xor_row(into.at(target), into.length(target), from, masks, row);
  }
  return env.Undefined();
}

}  // namespace geysir
