// XOR of blocks: what the erasure code spends its time on.
#pragma once

#include <napi.h>

namespace geysir {

// xorBlocks(into: Uint8Array, from: Uint8Array, blockBytes, pairs: Uint32Array, count): for each of the first `count`
// pairs (i, j), block i of `into` becomes itself XOR block j of `from`. The last block of either may be short: what is
// missing of `from` counts as zero, what is missing of `into` is left out. Neighbours with one i are done together.
Napi::Value xor_blocks(const Napi::CallbackInfo& info);

// xorMasked(into, from, blockBytes, masks: Uint32Array, wordsPerRow, pairs: Uint32Array, count, first, among?:
// Uint32Array): for each of the first `count` pairs (i, m), block i of `into` becomes itself XOR the blocks of `from`
// that row m of `masks` covers: bit first + j of the row is for block j. Bits without a block are left out, and those
// that are not set in `among`, where it is given. `into` and `from` are different memory; short blocks are as above.
Napi::Value xor_masked(const Napi::CallbackInfo& info);

}  // namespace geysir
