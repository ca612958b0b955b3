/* The matrix product of the last two axes: a (..., M, K), b (..., K, N), or either of
 * them transposed; the axes before are batches and broadcast.
 *
 * A large product is cut into blocks of C. In a batch of small ones a part is a group of
 * whole products. Where the library is better (see LIBRARY below) each part is a product
 * of the library over 256 columns: its bits depend on the shape of a call, so the shape
 * of the call must not depend on threads. */
#include <limits.h>
#include <math.h>
#include "kernels/blas.h"
#include "kernels/isa/gemm.h"

/* In call->note. GROUP: products in a part, 0 when a product is cut into several parts.
 */
enum {
    ROWS,
    COLUMNS,
    DEPTH,
    BATCH,
    ROW_BLOCKS,
    COLUMN_BLOCKS,
    BLOCK_COLUMNS,
    GROUP,
    LIBRARY
};
enum { LIBRARY_COLUMNS = 256, GROUP_WORK = 1 << 17 };

/* With AVX-512 these kernels are as fast as OpenBLAS; with AVX2 and below the library is a
 * little faster on very large products. */
#if defined(__AVX512F__)
static const double library_from = INFINITY;
#else
static const double library_from = BLAS_WORK;
#endif

static bool library_wanted(const int64_t *n) {
    double work = (double)n[ROWS] * (double)n[COLUMNS] * (double)n[DEPTH];
    bool fits = n[ROWS] <= INT_MAX && n[COLUMNS] <= INT_MAX && n[DEPTH] <= INT_MAX;
    return fits && work >= library_from;
}

static void prepare(Call *call) {
    const Operand *a = &call->in[0], *c = &call->out[0];
    int64_t *n = call->note;
    const int axes = c->shape.ndim;
    n[ROWS] = c->shape.dim[axes - 2];
    n[COLUMNS] = c->shape.dim[axes - 1];
    n[DEPTH] = a->shape.dim[a->shape.ndim - (call->attrs.i[0] ? 2 : 1)];
    n[BATCH] = 1;
    for (int k = 0; k < axes - 2; k++) n[BATCH] *= c->shape.dim[k];
    /* One b for all rows of all batches: a taller product. */
    int64_t b_size = n[DEPTH] * n[COLUMNS];
    if (!call->attrs.i[0] && a->size == n[BATCH] * n[ROWS] * n[DEPTH] &&
        call->in[1].size == b_size) {
        n[ROWS] *= n[BATCH];
        n[BATCH] = 1;
    }
    GemmCut cut = gemm_cut(n[ROWS], n[COLUMNS], n[DEPTH], c->dtype);
    n[ROW_BLOCKS] = cut.row_blocks;
    n[COLUMN_BLOCKS] = cut.column_blocks;
    n[BLOCK_COLUMNS] = cut.block_columns;
    n[GROUP] = 0;
    if (cut.row_blocks * cut.column_blocks == 1) {
        double work = (double)n[ROWS] * (double)n[COLUMNS] * (double)n[DEPTH];
        n[GROUP] = work < GROUP_WORK ? 1 + (int64_t)(GROUP_WORK / (work + 1)) : 1;
    }
    n[LIBRARY] = library_wanted(n) && blas_get();
}

static int64_t parts_of_one(const int64_t *n) {
    return n[LIBRARY] ? chunks(n[COLUMNS], LIBRARY_COLUMNS)
                      : n[ROW_BLOCKS] * n[COLUMN_BLOCKS];
}

static int64_t parts(const Call *call) {
    const int64_t *n = call->note;
    return n[GROUP] ? chunks(n[BATCH], n[GROUP]) : n[BATCH] * parts_of_one(n);
}

static double cost(const Call *call) {
    const int64_t *n = call->note;
    return (double)n[BATCH] *
           gemm_cost(n[ROWS], n[COLUMNS], n[DEPTH], call->out[0].dtype);
}

static double flops(const Call *call) {
    const int64_t *n = call->note;
    return 2.0 * (double)n[BATCH] * (double)n[ROWS] * (double)n[COLUMNS] *
           (double)n[DEPTH];
}

/* Where the matrix of an operand for batch number `batch` begins, in elements. */
static int64_t batch_offset(const Operand *operand, const Shape *out, int64_t batch) {
    const Shape *shape = &operand->shape;
    int64_t stride = shape->dim[shape->ndim - 2] * shape->dim[shape->ndim - 1],
            offset = 0;
    for (int k = shape->ndim - 3, o = out->ndim - 3; k >= 0; k--, o--) {
        if (shape->dim[k] > 1) offset += batch % out->dim[o] * stride;
        batch /= out->dim[o];
        stride *= shape->dim[k];
    }
    return offset;
}

/* The whole product number `batch`. */
static Gemm product(const Call *call, int64_t batch) {
    const int64_t *n = call->note;
    const Operand *a = &call->in[0], *b = &call->in[1], *c = &call->out[0];
    const int64_t element = c->dtype == DTYPE_FLOAT32 ? 4 : 8;
    Gemm g = gemm_of(a->data, call->attrs.i[0] != 0, b->data, call->attrs.i[1] != 0,
                     c->data, n[ROWS], n[COLUMNS], n[DEPTH], c->dtype);
    if (n[BATCH] > 1) {
        g.a = (const char *)g.a + batch_offset(a, &c->shape, batch) * element;
        g.b = (const char *)g.b + batch_offset(b, &c->shape, batch) * element;
        g.c = (char *)g.c + batch * n[ROWS] * n[COLUMNS] * element;
    }
    return g;
}

static void run_library(const Call *call, const Gemm *whole, int64_t block) {
    const Blas *blas = blas_get();
    GemmCut cut = {.row_blocks = 1, .block_columns = LIBRARY_COLUMNS};
    Gemm g = *whole;
    gemm_narrow(&g, &cut, block);
    const bool a_turned = call->attrs.i[0] != 0, b_turned = call->attrs.i[1] != 0;
    int ta = a_turned ? BLAS_TRANSPOSED : BLAS_PLAIN,
        lda = (int)(a_turned ? g.a_depth : g.a_row);
    int tb = b_turned ? BLAS_TRANSPOSED : BLAS_PLAIN;
    int ldb = (int)(b_turned ? g.b_column : g.b_depth);
    int M = (int)g.rows, N = (int)g.columns, K = (int)g.depth, ldc = (int)g.c_row;
    if (g.dtype == DTYPE_FLOAT32)
        blas->sgemm(BLAS_ROW_MAJOR, ta, tb, M, N, K, 1, g.a, lda, g.b, ldb, 0, g.c, ldc);
    else
        blas->dgemm(BLAS_ROW_MAJOR, ta, tb, M, N, K, 1, g.a, lda, g.b, ldb, 0, g.c, ldc);
}

static void run(const Call *call, int64_t part) {
    const int64_t *n = call->note;
    if (!call->out[0].size) return;
    if (n[GROUP]) {
        int64_t end = (part + 1) * n[GROUP] < n[BATCH] ? (part + 1) * n[GROUP] : n[BATCH];
        for (int64_t batch = part * n[GROUP]; batch < end; batch++) {
            Gemm g = product(call, batch);
            gemm_run(&g);
        }
        return;
    }
    int64_t of_one = parts_of_one(n);
    Gemm g = product(call, part / of_one);
    if (n[LIBRARY]) {
        run_library(call, &g, part % of_one);
        return;
    }
    GemmCut cut = {n[ROW_BLOCKS], n[COLUMN_BLOCKS], n[BLOCK_COLUMNS]};
    gemm_narrow(&g, &cut, part % of_one);
    gemm_run(&g);
}

extern KERNEL(matmul);
KERNEL(matmul) = {
    .prepare = prepare, .cost = cost, .flops = flops, .phase = {{parts, run}}};
