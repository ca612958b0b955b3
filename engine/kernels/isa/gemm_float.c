/* Matrix products of float32. */
#include "kernels/isa/gemm_block.h"

void gemm_float(const Gemm *g) { gemm_blocks(g); }

void gemm_pack_float(const Gemm *g, int64_t at, int64_t depth, void *to) {
    pack_whole(g, at, depth, to);
}
