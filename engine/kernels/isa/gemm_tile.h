/* The inner kernels of a matrix product: tiles of M rows and NV vectors of C that stay in
 * registers over the whole depth. M and NV are constants of each instance. */
#ifndef CDL_KERNELS_ISA_GEMM_TILE_H
#define CDL_KERNELS_ISA_GEMM_TILE_H
#include "kernels/isa/gemm_vector.h"

/* The tallest tile for 1, 2, 3, 4 vectors: as many sums as the registers hold beside a
 * row of B. */
#if defined(__AVX512F__)
enum { TILE_VECTORS = 4, TILE_1 = 14, TILE_2 = 14, TILE_3 = 9, TILE_4 = 6 };
#elif defined(__AVX2__)
enum { TILE_VECTORS = 2, TILE_1 = 10, TILE_2 = 6, TILE_3 = 0, TILE_4 = 0 };
#else
enum { TILE_VECTORS = 2, TILE_1 = 8, TILE_2 = 4, TILE_3 = 0, TILE_4 = 0 };
#endif
enum { TILE_ROWS = 14 };

enum { TILE_CONTINUE = 1, TILE_RELU = 2 };

typedef struct Tile {
    const REAL *a;
    int64_t a_row, a_depth;
    const REAL *b; /* row k at b + k b_depth, whole vectors */
    int64_t b_depth, depth;
    REAL *c;
    int64_t c_row;
    const REAL *bias; /* NULL: none */
    int flags;        /* TILE_CONTINUE: the sums so far are in C; TILE_RELU */
    int last;         /* lanes of the last vector that exist in C */
} Tile;

#define EACH_ROW    UNROLL for (int m = 0; m < M; m++)
#define EACH_VECTOR UNROLL for (int v = 0; v < NV; v++)
#define EACH_BASE   UNROLL for (int i = 0; i < (M + 2) / 3; i++)

INLINE Vec tile_edge_load(const REAL *p, bool edge, int last) {
    return edge ? vec_load_part(p, last) : vec_load(p);
}

/* Writes a tile's sums to C, with bias and relu; of each row's last vector `last` lanes. */
INLINE void tile_finish(const int M, const int NV, REAL *c, int64_t c_row,
                        const REAL *bias, bool relu, int last, Vec sum[TILE_ROWS][4]) {
    /* No addresses of C before the loop that summed: registers are scarce there. */
    __asm__("" : "+r"(c));
    if (bias) {
        EACH_VECTOR {
            Vec x = tile_edge_load(bias + v * VW, v == NV - 1, last);
            EACH_ROW sum[m][v] += x;
        }
    }
    if (relu) {
        EACH_ROW EACH_VECTOR sum[m][v] = vec_relu(sum[m][v]);
    }
    if (last == VW) {
        EACH_ROW EACH_VECTOR vec_store(c + m * c_row + v * VW, sum[m][v]);
    } else {
        EACH_ROW EACH_VECTOR {
            if (v < NV - 1)
                vec_store(c + m * c_row + v * VW, sum[m][v]);
            else
                vec_store_part(c + m * c_row + v * VW, sum[m][v], last);
        }
    }
}

INLINE void tile_body(const int M, const int NV, const Tile *t) {
    Vec sum[TILE_ROWS][4];
    const int64_t row = t->a_row * (int64_t)sizeof(REAL);
    const int64_t step = t->a_depth * (int64_t)sizeof(REAL);
    const int64_t b_depth = t->b_depth;
    REAL *c = t->c;
    EACH_ROW EACH_VECTOR sum[m][v] = (Vec){0};
    if (t->flags & TILE_CONTINUE) {
        EACH_ROW EACH_VECTOR sum[m][v] =
            tile_edge_load(c + m * t->c_row + v * VW, v == NV - 1, t->last);
    } else {
        EACH_ROW EACH_VECTOR __builtin_prefetch(c + m * t->c_row + v * VW, 1);
    }
    /* A base for three rows: base, base + row, base + 2 row are addressing modes. */
    const char *base[(TILE_ROWS + 2) / 3];
    EACH_BASE base[i] = (const char *)t->a + 3 * i * row;
    const REAL *b = t->b;
    for (int64_t k = t->depth; k > 0; k--) {
        Vec right[4];
        EACH_VECTOR right[v] = vec_load(b + v * VW);
        EACH_ROW {
            Vec left = vec_set(*(const REAL *)(base[m / 3] + (m % 3) * row));
            EACH_VECTOR sum[m][v] = vec_fma(left, right[v], sum[m][v]);
        }
        b += b_depth;
        EACH_BASE {
            base[i] += step;
            __asm__("" : "+r"(base[i])); /* keeps the bases apart */
        }
    }
    tile_finish(M, NV, t->c, t->c_row, t->bias, t->flags & TILE_RELU, t->last, sum);
}

typedef void TileFunction(const Tile *tile);

/* clang-format off */
#define TILE(m, v) static void tile_##m##_##v(const Tile *t) { tile_body(m, v, t); }
#define TILES_4(v)  TILE(1, v) TILE(2, v) TILE(3, v) TILE(4, v)
#define TILES_6(v)  TILES_4(v) TILE(5, v) TILE(6, v)
#define TILES_8(v)  TILES_6(v) TILE(7, v) TILE(8, v)
#define TILES_9(v)  TILES_8(v) TILE(9, v)
#define TILES_10(v) TILES_9(v) TILE(10, v)
#define TILES_14(v) TILES_10(v) TILE(11, v) TILE(12, v) TILE(13, v) TILE(14, v)
#define NAMES_4(v)  tile_1_##v, tile_2_##v, tile_3_##v, tile_4_##v
#define NAMES_6(v)  NAMES_4(v), tile_5_##v, tile_6_##v
#define NAMES_8(v)  NAMES_6(v), tile_7_##v, tile_8_##v
#define NAMES_9(v)  NAMES_8(v), tile_9_##v
#define NAMES_10(v) NAMES_9(v), tile_10_##v
#define NAMES_14(v) NAMES_10(v), tile_11_##v, tile_12_##v, tile_13_##v, tile_14_##v

#if defined(__AVX512F__)
TILES_14(1) TILES_14(2) TILES_9(3) TILES_6(4)
#define NAMES {NAMES_14(1)}, {NAMES_14(2)}, {NAMES_9(3)}, {NAMES_6(4)}
#elif defined(__AVX2__)
TILES_10(1) TILES_6(2)
#define NAMES {NAMES_10(1)}, {NAMES_6(2)}
#else
TILES_8(1) TILES_4(2)
#define NAMES {NAMES_8(1)}, {NAMES_4(2)}
#endif
    /* clang-format on */

    /* By vectors - 1 and rows - 1; and the tallest by vectors - 1. */
    static TileFunction *const tile_functions[TILE_VECTORS][TILE_ROWS] = {NAMES};
static const int tile_rows[4] = {TILE_1, TILE_2, TILE_3, TILE_4};

#endif
