// How fast memory can be added up by XOR, as an erasure code has to do it: many blocks of a message of so many bytes into one, four at a time,
// blocks as long as a compact message's chunks for Ethernet. Which blocks costs it nothing. Prints bytes of source a second, the best of many
// rounds.
//   xor-bandwidth host port bytes seconds      (the first two are of no meaning, as for all contenders that need no partner)
#include "common.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1408, TOGETHER = 4, PER_TARGET = 72 };

typedef uint64_t words __attribute__((vector_size(64), aligned(1), may_alias));

#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static void add(uint8_t *into, const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d) {
  size_t at = 0;
  for (; at + sizeof(words) <= BLOCK; at += sizeof(words)) {
    *(words *)(into + at) ^= *(const words *)(a + at) ^ *(const words *)(b + at) ^ *(const words *)(c + at) ^ *(const words *)(d + at);
  }
  for (; at < BLOCK; at++) into[at] ^= a[at] ^ b[at] ^ c[at] ^ d[at];
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  const size_t blocks = (size_t)atol(argv[3]) / BLOCK;
  const double seconds = atof(argv[4]);
  uint8_t *source = malloc(blocks * BLOCK);
  uint8_t *target = calloc(blocks, BLOCK);
  memset(source, 7, blocks * BLOCK);
  const size_t targets = blocks * 7 / PER_TARGET;
  double best = 0;
  const double end = now_seconds() + seconds;
  while (now_seconds() < end) {
    const double start = now_seconds();
    size_t next = 0;
    for (size_t i = 0; i < targets; i++) {
      for (size_t j = 0; j < PER_TARGET; j += TOGETHER) {
        const uint8_t *from[TOGETHER];
        for (size_t k = 0; k < TOGETHER; k++) {
          // About as far apart as the chunks of a row, in order.
          next = (next + 1 + (j + k) % 80) % blocks;
          from[k] = source + next * BLOCK;
        }
        add(target + i * BLOCK, from[0], from[1], from[2], from[3]);
      }
    }
    const double rate = (double)(targets * PER_TARGET * BLOCK) / (now_seconds() - start);
    if (rate > best) best = rate;
  }
  printf("{\"encodedBytesPerSecond\":%.0f,\"check\":%d}\n", best, target[BLOCK - 1]);
  return 0;
}
