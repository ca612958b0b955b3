/* Tiles of one or two rows: reading B, as it lies in memory, takes the time. */
#ifndef CDL_KERNELS_ISA_GEMM_THIN_H
#define CDL_KERNELS_ISA_GEMM_THIN_H
#include "kernels/isa/gemm_tile.h"

/* Vectors of a tile: many, since long pieces of B are read faster. One row may have more. */
#if defined(__AVX512F__)
enum { THIN = 8, THIN_WIDE = 16 };
#else
enum { THIN = 4, THIN_WIDE = 8 };
#endif
enum { THIN_ROWS = 2, THIN_AHEAD = 8, THIN_STEP = 512 / VECTOR_BYTES };

/* The next `depth` rows of B. Of rows to come the first line of every 512 bytes is asked for
 * early; the others follow it by themselves. */
INLINE void thin_add(const int M, const int NV, int64_t depth, const Tile *t,
                     const REAL **a, const REAL **b, Vec sum[THIN_ROWS][THIN_WIDE]) {
    for (int64_t k = depth; k > 0; k--) {
        Vec left[THIN_ROWS];
        EACH_ROW left[m] = vec_set((*a)[m * t->a_row]);
        EACH_VECTOR {
            const REAL *at = *b + v * VW;
            if (v % THIN_STEP == 0) __builtin_prefetch(at + THIN_AHEAD * t->b_depth);
            Vec right = lanes_load(at, NV > 1 ? VW : t->last);
            EACH_ROW sum[m][v] = vec_fma(left[m], right, sum[m][v]);
        }
        *a += t->a_depth;
        *b += t->b_depth;
    }
}

/* A load that meets addresses in equal steps starts a prefetcher that halves the rate at
 * which the second level cache is read (AMD Zen 5: 32 instead of 64 bytes a clock). So two
 * copies of the loop take turns, two rows each: no load sees equal steps. */
INLINE void thin_body(const int M, const int NV, const Tile *t) {
    Vec sum[THIN_ROWS][THIN_WIDE];
    const REAL *a = t->a, *b = t->b;
    const int lanes = NV > 1 ? VW : t->last; /* single vectors may be in part */
    EACH_ROW EACH_VECTOR sum[m][v] = t->flags & TILE_CONTINUE
                                         ? lanes_load(t->c + m * t->c_row + v * VW, lanes)
                                         : (Vec){0};
    int64_t k = t->depth, two = 2;
    __asm__("" : "+r"(two)); /* else the compiler would unroll the loops into one */
    for (; k >= 4; k -= 4) {
        thin_add(M, NV, two, t, &a, &b, sum);
        thin_add(M, NV, two, t, &a, &b, sum);
    }
    thin_add(M, NV, k, t, &a, &b, sum);
    EACH_ROW EACH_VECTOR {
        Vec x = sum[m][v];
        if (t->bias) x += lanes_load(t->bias + v * VW, lanes);
        if (t->flags & TILE_RELU) x = vec_relu(x);
        lanes_store(t->c + m * t->c_row + v * VW, x, lanes);
    }
}

static void thin_wide(const Tile *t) { thin_body(1, THIN_WIDE, t); }
static void thin_1(const Tile *t) { thin_body(1, THIN, t); }
static void thin_2(const Tile *t) { thin_body(2, THIN, t); }
static void thin_edge_1(const Tile *t) { thin_body(1, 1, t); }
static void thin_edge_2(const Tile *t) { thin_body(2, 1, t); }

/* By rows - 1: whole vectors, and a vector of which a part exists. */
static TileFunction *const thin_functions[THIN_ROWS] = {thin_1, thin_2};
static TileFunction *const thin_edges[THIN_ROWS] = {thin_edge_1, thin_edge_2};

#endif
