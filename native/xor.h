// XOR of blocks: what the erasure code spends its time on.
#pragma once

#include <napi.h>

namespace geysir {

// xorBlocks(into: Uint8Array, from: Uint8Array, blockBytes, pairs: Uint32Array, count): for each of the first `count`
// pairs (i, j), block i of `into` becomes itself XOR block j of `from`. The last block of either may be short: what is
// missing of `from` counts as zero, what is missing of `into` is left out. Neighbours with one i are done together.
Napi::Value xor_blocks(const Napi::CallbackInfo& info);

}  // namespace geysir
