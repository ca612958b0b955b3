/* The inner kernels of a convolution: tiles of M rows (pixels, or input channels) and NV
 * vectors of output channels that stay in registers over the whole sum. M and NV are
 * constants of each instance. */
#ifndef CDL_KERNELS_ISA_CONV_TILE_H
#define CDL_KERNELS_ISA_CONV_TILE_H
#include "kernels/isa/conv.h"
#include "kernels/isa/gemm_tile.h"

enum { PANEL = TILE_VECTORS * VW };

/* C[m] = sum over taps t and channels k of A[t][m][k] B[t][k], then bias and relu. B is
 * packed: k after k, whole vectors. */
typedef struct PixelTile {
    const REAL *a;
    int64_t a_row;   /* from one of the M pixels to the next, of three that follow ... */
    int64_t a_three; /* ... and from each three to the next */
    const REAL *b;
    int64_t b_row; /* from one channel to the next */
    int64_t taps[CONV_AXES];
    int64_t a_tap[CONV_AXES], b_tap[CONV_AXES]; /* from tap to tap: elements; rows */
    int64_t depth;
    /* Where all taps and channels are few: how many they are together, and where each lies
     * in A; B has them one after the other. 0: many. */
    int64_t few;
    const int64_t *place;
    REAL *c;
    int64_t c_row;
    const REAL *bias;
    bool relu;
    int last; /* lanes of the last vector that exist in C */
} PixelTile;

/* W[m] += sum over images, rows and pixels of X[pixel][m] Y[pixel]. */
typedef struct KernelTile {
    const REAL *x, *y;
    int64_t images, rows, pixels;
    int64_t x_image, x_row, x_pixel, y_image, y_row, y_pixel;
    REAL *w;
    int64_t w_row;
    int last;
} KernelTile;

INLINE void pixel_sum(const int M, const int NV, const PixelTile *t, const REAL *a,
                      const REAL *b, Vec sum[TILE_ROWS][4]) {
    const int64_t row = t->a_row * (int64_t)sizeof(REAL), b_row = t->b_row;
    /* A base for three rows: base, base + row, base + 2 row are addressing modes. */
    const char *base[(TILE_ROWS + 2) / 3];
    EACH_BASE base[i] = (const char *)(a + i * t->a_three);
    for (int64_t k = t->depth; k > 0; k--) {
        Vec right[4];
        EACH_VECTOR right[v] = vec_load(b + v * VW);
        EACH_ROW {
            Vec left = vec_set(*(const REAL *)(base[m / 3] + (m % 3) * row));
            EACH_VECTOR sum[m][v] = vec_fma(left, right[v], sum[m][v]);
        }
        b += b_row;
        EACH_BASE {
            base[i] += sizeof(REAL);
            __asm__("" : "+r"(base[i])); /* keeps the bases apart */
        }
    }
}

/* As pixel_sum for all taps, in one loop. */
INLINE void pixel_sum_few(const int M, const int NV, const PixelTile *t,
                          Vec sum[TILE_ROWS][4]) {
    const int64_t row = t->a_row * (int64_t)sizeof(REAL), b_row = t->b_row;
    const int64_t three = t->a_three * (int64_t)sizeof(REAL);
    const REAL *b = t->b;
    for (int64_t k = 0; k < t->few; k++, b += b_row) {
        Vec right[4];
        const char *base[(TILE_ROWS + 2) / 3];
        base[0] = (const char *)(t->a + t->place[k]);
        UNROLL for (int i = 1; i < (M + 2) / 3; i++) base[i] = base[i - 1] + three;
        EACH_VECTOR right[v] = vec_load(b + v * VW);
        EACH_ROW {
            Vec left = vec_set(*(const REAL *)(base[m / 3] + (m % 3) * row));
            EACH_VECTOR sum[m][v] = vec_fma(left, right[v], sum[m][v]);
        }
    }
}

INLINE void pixel_sum_many(const int M, const int NV, const PixelTile *t,
                           Vec sum[TILE_ROWS][4]) {
    EACH_ROW EACH_VECTOR __builtin_prefetch(t->c + m * t->c_row + v * VW, 1);
    for (int64_t i = 0; i < t->taps[0]; i++)
        for (int64_t j = 0; j < t->taps[1]; j++)
            for (int64_t k = 0; k < t->taps[2]; k++)
                pixel_sum(M, NV, t,
                          t->a + i * t->a_tap[0] + j * t->a_tap[1] + k * t->a_tap[2],
                          t->b + t->b_row * (i * t->b_tap[0] + j * t->b_tap[1] +
                                             k * t->b_tap[2]),
                          sum);
}

INLINE void pixel_body(const int M, const int NV, const PixelTile *t) {
    Vec sum[TILE_ROWS][4];
    EACH_ROW EACH_VECTOR sum[m][v] = (Vec){0};
    if (t->few)
        pixel_sum_few(M, NV, t, sum);
    else
        pixel_sum_many(M, NV, t, sum);
    tile_finish(M, NV, t->c, t->c_row, t->bias, t->relu, t->last, sum);
}

INLINE void kernel_body(const int M, const int NV, const KernelTile *t) {
    Vec sum[TILE_ROWS][4];
    const int last = t->last;
    const int64_t x_pixel = t->x_pixel, y_pixel = t->y_pixel;
    REAL *w = t->w;
    EACH_ROW EACH_VECTOR sum[m][v] =
        tile_edge_load(w + m * t->w_row + v * VW, v == NV - 1, last);
    for (int64_t i = 0; i < t->images; i++) {
        for (int64_t j = 0; j < t->rows; j++) {
            const REAL *x = t->x + i * t->x_image + j * t->x_row;
            const REAL *y = t->y + i * t->y_image + j * t->y_row;
            for (int64_t k = t->pixels; k > 0; k--) {
                Vec right[4];
                EACH_VECTOR right[v] =
                    tile_edge_load(y + v * VW, v == NV - 1 && last < VW, last);
                EACH_ROW {
                    Vec left = vec_set(x[m]);
                    EACH_VECTOR sum[m][v] = vec_fma(left, right[v], sum[m][v]);
                }
                x += x_pixel;
                y += y_pixel;
            }
        }
    }
    __asm__("" : "+r"(w));
    const int64_t w_row = t->w_row;
    EACH_ROW EACH_VECTOR {
        if (v < NV - 1 || last == VW)
            vec_store(w + m * w_row + v * VW, sum[m][v]);
        else
            vec_store_part(w + m * w_row + v * VW, sum[m][v], last);
    }
}

/* clang-format off */
#define SIZES_4(X, v)  X(1, v) X(2, v) X(3, v) X(4, v)
#define SIZES_6(X, v)  SIZES_4(X, v) X(5, v) X(6, v)
#define SIZES_8(X, v)  SIZES_6(X, v) X(7, v) X(8, v)
#define SIZES_9(X, v)  SIZES_8(X, v) X(9, v)
#define SIZES_10(X, v) SIZES_9(X, v) X(10, v)
#define SIZES_14(X, v) SIZES_10(X, v) X(11, v) X(12, v) X(13, v) X(14, v)
#if defined(__AVX512F__)
#define SIZES(X) SIZES_14(X, 1) SIZES_14(X, 2) SIZES_9(X, 3) SIZES_6(X, 4)
#elif defined(__AVX2__)
#define SIZES(X) SIZES_10(X, 1) SIZES_6(X, 2)
#else
#define SIZES(X) SIZES_8(X, 1) SIZES_4(X, 2)
#endif
/* clang-format on */

/* The vectors of the next block of `left` columns: never four and a stump. */
static int block_vectors(int64_t left) {
    int64_t vectors = chunks(left, VW);
    if (TILE_VECTORS == 4 && vectors == 5) return 3;
    return (int)least(vectors, TILE_VECTORS);
}

static int block_last(int64_t left, int vectors) {
    return left >= vectors * VW ? VW : (int)(left - (vectors - 1) * VW);
}

#endif
