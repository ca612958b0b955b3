/* Matrix products of float64. */
#define REAL_IS_DOUBLE 1
#include "kernels/isa/gemm_block.h"

void gemm_double(const Gemm *g) { gemm_blocks(g); }

void gemm_pack_double(const Gemm *g, int64_t at, int64_t depth, void *to) {
    pack_whole(g, at, depth, to);
}
