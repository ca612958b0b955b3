/* A matrix product block by block: a part of B is packed so that the tiles stream it,
 * then all rows of A pass over it. Included once for each REAL. */
#ifndef CDL_KERNELS_ISA_GEMM_BLOCK_H
#define CDL_KERNELS_ISA_GEMM_BLOCK_H
#include "kernels/isa/gemm.h"
#include "kernels/isa/gemm_tile.h"

/* Packed B: DEPTH x WIDTH, 128 KiB, which stays in the second level cache. It is cut into
 * panels of PANEL columns that lie one after the other, each row by row. For fewer than
 * PACK_ROWS rows of A packing does not pay. */
enum {
    WIDTH = 1024 / sizeof(REAL),
    DEPTH = 128,
    PANEL = TILE_VECTORS * VW,
    PACK_ROWS = 16
};

static int vectors_of(int64_t columns) { return (int)((columns + VW - 1) / VW); }

/* Rows of B, copied; the last vector is filled up with zeros. */
static void pack_rows(const REAL *restrict b, int64_t b_depth, int64_t depth, int columns,
                      REAL *restrict to) {
    int whole = columns / VW * VW, rest = columns - whole;
    for (int64_t k = 0; k < depth; k++, b += b_depth) {
        for (int n = 0; n < whole; n += VW, to += VW) vec_store(to, vec_load(b + n));
        if (rest) {
            vec_store(to, vec_load_part(b + whole, rest));
            to += VW;
        }
    }
}

/* Columns of B that lie as rows in memory, turned in squares of VW x VW. */
static void pack_columns(const REAL *restrict b, int64_t b_column, int64_t depth,
                         int columns, REAL *restrict to) {
    int vectors = vectors_of(columns);
    for (int v = 0; v < vectors; v++) {
        int n = columns - v * VW < VW ? columns - v * VW : VW;
        const REAL *from = b + v * VW * b_column;
        for (int64_t k = 0; k < depth; k += VW) {
            int kk = depth - k < VW ? (int)(depth - k) : VW;
            Vec x[VW];
            for (int i = 0; i < VW; i++)
                x[i] = i < n ? vec_load_part(from + i * b_column + k, kk) : (Vec){0};
            vec_transpose(x);
            for (int i = 0; i < kk; i++)
                vec_store(to + (k + i) * vectors * VW + v * VW, x[i]);
        }
    }
}

/* All rows of A times one packed (or direct) block of B of at most WIDTH columns. */
static void block_rows(const Gemm *g, Tile *tile, const REAL *b, int64_t columns,
                       bool direct) {
    const REAL *a = tile->a, *bias = tile->bias;
    REAL *c = tile->c;
    /* Tiles of equal height, never tall ones and a stump. */
    int first = vectors_of(columns < PANEL ? columns : PANEL);
    int64_t tiles = (g->rows + tile_rows[first - 1] - 1) / tile_rows[first - 1];
    for (int64_t i = 0, m = 0; i < tiles; i++) {
        int height = (int)((g->rows - m + tiles - i - 1) / (tiles - i));
        tile->a = a + m * tile->a_row;
        for (int64_t n = 0; n < columns; n += PANEL) {
            int width = columns - n < PANEL ? (int)(columns - n) : PANEL;
            int vectors = vectors_of(width);
            tile->b = direct ? b + n : b + n * tile->depth;
            if (!direct) tile->b_depth = vectors * VW;
            tile->c = c + m * tile->c_row + n;
            tile->bias = bias ? bias + n : NULL;
            tile->last = width - (vectors - 1) * VW;
            tile_functions[vectors - 1][height - 1](tile);
        }
        m += height;
    }
}

static void gemm_blocks(const Gemm *g) {
    REAL packed[DEPTH * WIDTH] __attribute__((aligned(64)));
    const int64_t blocks = g->depth > DEPTH ? (g->depth + DEPTH - 1) / DEPTH : 1;
    for (int64_t n = 0; n < g->columns; n += WIDTH) {
        int64_t columns = g->columns - n < WIDTH ? g->columns - n : WIDTH;
        bool direct = g->rows < PACK_ROWS && g->b_column == 1 && columns % VW == 0;
        for (int64_t i = 0, k = 0; i < blocks; i++) {
            int64_t depth = (g->depth - k + blocks - i - 1) / (blocks - i);
            const REAL *b = (const REAL *)g->b + k * g->b_depth + n * g->b_column;
            bool end = i == blocks - 1;
            Tile tile = {.a = (const REAL *)g->a + k * g->a_depth,
                         .a_row = g->a_row,
                         .a_depth = g->a_depth,
                         .depth = depth,
                         .b_depth = g->b_depth,
                         .c = (REAL *)g->c + n,
                         .c_row = g->c_row,
                         .bias = end && g->bias ? (const REAL *)g->bias + n : NULL,
                         .flags =
                             (i ? TILE_CONTINUE : 0) | (end && g->relu ? TILE_RELU : 0)};
            for (int64_t p = 0; p < columns && !direct; p += PANEL) {
                int width = columns - p < PANEL ? (int)(columns - p) : PANEL;
                if (g->b_column == 1)
                    pack_rows(b + p, g->b_depth, depth, width, packed + p * depth);
                else
                    pack_columns(b + p * g->b_column, g->b_column, depth, width,
                                 packed + p * depth);
            }
            block_rows(g, &tile, direct ? b : packed, columns, direct);
            k += depth;
        }
    }
}

#endif
