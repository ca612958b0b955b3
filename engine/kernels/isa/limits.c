/* The loops of kernels/limits.c. */
#include <string.h>
#include "kernels/call.h"
#include "kernels/isa/gemm_vector.h"

#define limits_multiply KERNEL_JOIN(limits_, multiply, ISA)
double limits_multiply(int64_t rounds, float *result);

/* Chains that depend on nothing but themselves: as many as hide the latency of a
 * multiply-add and still stay in registers. Gives the number of operations. */
double limits_multiply(int64_t rounds, float *result) {
    enum { CHAINS = 12 };
    Vec chain[CHAINS];
    const Vec factor = vec_set(0.5f), summand = vec_set(0.25f);
    UNROLL for (int i = 0; i < CHAINS; i++) chain[i] = vec_set((float)i);
    for (int64_t k = 0; k < rounds; k++)
        UNROLL for (int i = 0; i < CHAINS; i++) chain[i] =
            vec_fma(chain[i], factor, summand);
    Vec sum = chain[0];
    for (int i = 1; i < CHAINS; i++) sum += chain[i];
    *result = sum[0];
    return 2.0 * CHAINS * VW * (double)rounds;
}
