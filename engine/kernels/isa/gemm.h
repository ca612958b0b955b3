/* Matrix products for the kernels of this folder: C = activation(A B + bias).
 *
 *     Gemm g = {.rows = M, .columns = N, .depth = K, .a = x, .a_row = K, .a_depth = 1,
 *               .b = w, .b_depth = N, .b_column = 1, .c = y, .c_row = N, .dtype = ...};
 *     GemmCut cut = gemm_cut(M, N, K, g.dtype);      // into row_blocks * column_blocks
 * parts gemm_narrow(&g, &cut, part); gemm_run(&g);     // one part, on this thread
 *
 * Every element of C is one chain of multiply-adds over the depth, in order, from zero,
 * and the bias is added at its end. So the bits of C do not depend on how a product is
 * cut, and A B + bias has the bits of the same computed in two steps. C must not overlap
 * A, B or bias.
 *
 * A product uses up to 256 KiB of the caller's stack for packed parts of A and B. */
#ifndef CDL_KERNELS_ISA_GEMM_H
#define CDL_KERNELS_ISA_GEMM_H
#include "kernels/call.h"

/* Lines that are a multiple of so many bytes apart fall on one another in the first level
 * cache. */
enum { GEMM_STRIDE = 4096 };

typedef struct Gemm {
    int64_t rows, columns, depth;
    const void *a; /* element (m, k) at a + m a_row + k a_depth */
    int64_t a_row, a_depth;
    const void *b; /* element (k, n) at b + k b_depth + n b_column; one of the two is 1 */
    int64_t b_depth, b_column;
    void *c; /* element (m, n) at c + m c_row + n */
    int64_t c_row;
    const void *bias; /* one per column, or NULL */
    bool relu;
    bool more;   /* C holds sums to which the products are added; each chain goes on */
    bool packed; /* b is what gemm_pack made of the whole B; a_depth is 1 */
    DType dtype; /* float32 or float64, of all operands */
} Gemm;

typedef struct GemmCut {
    int64_t row_blocks, column_blocks, block_columns;
} GemmCut;

#define gemm_cut         KERNEL_JOIN(gemm_, cut, ISA)
#define gemm_narrow      KERNEL_JOIN(gemm_, narrow, ISA)
#define gemm_run         KERNEL_JOIN(gemm_, run, ISA)
#define gemm_streams     KERNEL_JOIN(gemm_, streams, ISA)
#define gemm_cost        KERNEL_JOIN(gemm_, cost, ISA)
#define gemm_pack        KERNEL_JOIN(gemm_, pack, ISA)
#define gemm_room        KERNEL_JOIN(gemm_, room, ISA)
#define gemm_float       KERNEL_JOIN(gemm_, float, ISA)
#define gemm_double      KERNEL_JOIN(gemm_, double, ISA)
#define gemm_pack_float  KERNEL_JOIN(gemm_pack_, float, ISA)
#define gemm_pack_double KERNEL_JOIN(gemm_pack_, double, ISA)

/* The product of two matrices or, where ta or tb is true, of their transposes. */
static inline Gemm gemm_of(const void *a, bool ta, const void *b, bool tb, void *c,
                           int64_t rows, int64_t columns, int64_t depth, DType dtype) {
    return (Gemm){.rows = rows,
                  .columns = columns,
                  .depth = depth,
                  .a = a,
                  .a_row = ta ? 1 : depth,
                  .a_depth = ta ? rows : 1,
                  .b = b,
                  .b_depth = tb ? 1 : columns,
                  .b_column = tb ? depth : 1,
                  .c = c,
                  .c_row = columns,
                  .dtype = dtype};
}

GemmCut gemm_cut(int64_t rows, int64_t columns, int64_t depth, DType dtype);
void gemm_narrow(Gemm *g, const GemmCut *cut,
                 int64_t part); /* from the whole to one part */
void gemm_run(const Gemm *g);
/* Do the tiles read so many columns of B as they lie in memory, or are they packed first? */
bool gemm_streams(const Gemm *g, int64_t columns);
double gemm_cost(int64_t rows, int64_t columns, int64_t depth,
                 DType dtype); /* nanoseconds */

/* Where many products have one B: it is packed once, into gemm_room elements at `to`. It
 * may be put together from matrices of g->depth rows: this one's come to row `at` of
 * `depth` rows. */
int64_t gemm_room(int64_t columns, int64_t depth, DType dtype);
void gemm_pack(const Gemm *g, int64_t at, int64_t depth, void *to);

/* For one dtype. */
void gemm_float(const Gemm *g);
void gemm_double(const Gemm *g);
void gemm_pack_float(const Gemm *g, int64_t at, int64_t depth, void *to);
void gemm_pack_double(const Gemm *g, int64_t at, int64_t depth, void *to);

#endif
