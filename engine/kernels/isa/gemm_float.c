/* Matrix products of float32. */
#include "kernels/isa/gemm_block.h"

void gemm_float(const Gemm *g) { gemm_blocks(g); }
