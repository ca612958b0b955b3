/* A matrix product block by block: all rows of A pass over a part of B, which is packed
 * where the tiles could not stream it as it lies. Included once for each REAL. */
#ifndef CDL_KERNELS_ISA_GEMM_BLOCK_H
#define CDL_KERNELS_ISA_GEMM_BLOCK_H
#include "kernels/isa/gemm.h"
#include "kernels/isa/gemm_thin.h"

/* Packed B: DEPTH x WIDTH, 128 KiB, which stays in the second level cache; narrower blocks
 * are deeper, up to DEEPEST. It is cut into panels of PANEL columns that lie one after the
 * other, each row by row. */
enum { WIDTH = 1024 / sizeof(REAL), DEPTH = 128, PANEL = TILE_VECTORS * VW };

/* With AVX-512 most blocks are one panel, and packing A costs more than it saves. */
#if defined(__AVX512F__)
#define TURN_A 0
enum { DEEPEST = 512 };
#else
#define TURN_A 1
enum { DEEPEST = DEPTH };
#endif

/* Packed A: TURNED_ROWS rows. It is used where A's columns lie a multiple of GEMM_STRIDE
 * bytes apart, and where each tile passes over several panels. The gap keeps the packed
 * tiles from doing the same. */
enum {
    TURNED_ROWS = 512 / sizeof(REAL),
    TURNED_GAP = 64 / sizeof(REAL),
    TURNED_TILES = (TURNED_ROWS + TILE_2 - 1) / TILE_2,
    TURNED_SIZE = TURNED_TILES * (DEPTH * ((TILE_2 + VW - 1) / VW * VW) + TURNED_GAP)
};

static int vectors_of(int64_t columns) { return (int)((columns + VW - 1) / VW); }

/* Tiles of equal height, never tall ones and a stump. */
INLINE int tile_height(int64_t rows, int64_t tiles) {
    return (int)((rows + tiles - 1) / tiles);
}

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

/* Rows of A that lie as columns in memory, put together tile by tile: in each tile the rows
 * of one k follow each other, filled up to whole vectors. Reads A line by line. */
static void pack_tiles(const REAL *restrict a, int64_t a_depth, int64_t depth,
                       int64_t rows, int64_t tiles, REAL *restrict to) {
    const int64_t low = rows / tiles, higher = rows % tiles;
    for (int64_t k = 0; k < depth; k++, a += a_depth) {
        REAL *tile = to;
        for (int64_t i = 0, m = 0; i < tiles; i++) {
            int64_t height = low + (i < higher), stride = (height + VW - 1) / VW * VW;
            for (int64_t r = 0; r < height; r += VW) {
                int64_t left = rows - m - r;
                Vec x =
                    left < VW ? vec_load_part(a + m + r, (int)left) : vec_load(a + m + r);
                vec_store(tile + k * stride + r, x);
            }
            m += height;
            tile += depth * stride + TURNED_GAP;
        }
    }
}

/* The next tile of a block with so many columns left, and its width. */
static int64_t packed_tile(int height, int64_t columns, TileFunction **run) {
    int64_t width = columns < PANEL ? columns : PANEL;
    *run = tile_functions[vectors_of(width) - 1][height - 1];
    return width;
}

/* The same for B as it lies in memory, of which only what exists may be read. */
static int64_t direct_tile(int height, int64_t columns, TileFunction **run) {
    if (height == 1 && columns >= THIN_WIDE * VW) {
        *run = thin_wide;
        return THIN_WIDE * VW;
    }
    if (height <= THIN_ROWS && columns >= THIN * VW) {
        *run = thin_functions[height - 1];
        return THIN * VW;
    }
    if (columns < VW) {
        *run = thin_edges[height - 1];
        return columns;
    }
    return packed_tile(height, columns / VW * VW, run);
}

/* Some rows of A times one packed (or direct) block of B of at most WIDTH columns. */
static void block_rows(Tile *tile, int64_t rows, const REAL *b, int64_t columns,
                       bool direct) {
#if TURN_A
    REAL turned[TURNED_SIZE] __attribute__((aligned(64)));
#else
    REAL *const turned = NULL;
#endif
    const REAL *a = tile->a, *bias = tile->bias;
    REAL *c = tile->c;
    const int64_t a_row = tile->a_row;
    const int tallest = tile_rows[vectors_of(columns < PANEL ? columns : PANEL) - 1];
    const int64_t tiles = chunks(rows, tallest);
    const bool turn = TURN_A && a_row == 1 && columns > PANEL &&
                      tile->a_depth * (int64_t)sizeof(REAL) % GEMM_STRIDE == 0;
    if (turn) pack_tiles(a, tile->a_depth, tile->depth, rows, tiles, turned);
    const REAL *next = turned;
    for (int64_t i = 0, m = 0; i < tiles; i++) {
        int height = tile_height(rows - m, tiles - i);
        tile->a = a + m * a_row;
        if (turn) {
            tile->a = next;
            tile->a_depth = vectors_of(height) * VW;
            next += tile->depth * tile->a_depth + TURNED_GAP;
        }
        for (int64_t n = 0, width; n < columns; n += width) {
            TileFunction *run;
            width = direct ? direct_tile(height, columns - n, &run)
                           : packed_tile(height, columns - n, &run);
            int vectors = vectors_of(width);
            tile->b = direct ? b + n : b + n * tile->depth;
            if (!direct) tile->b_depth = vectors * VW;
            tile->c = c + m * tile->c_row + n;
            tile->bias = bias ? bias + n : NULL;
            tile->last = (int)width - (vectors - 1) * VW;
            run(tile);
        }
        m += height;
    }
}

/* The block of B from row k and column n on, packed. */
static void pack_block(const Gemm *g, int64_t k, int64_t depth, int64_t n,
                       int64_t columns, REAL *packed) {
    const REAL *b = (const REAL *)g->b + k * g->b_depth + n * g->b_column;
    for (int64_t p = 0; p < columns; p += PANEL) {
        int width = columns - p < PANEL ? (int)(columns - p) : PANEL;
        if (g->b_column == 1)
            pack_rows(b + p, g->b_depth, depth, width, packed + p * depth);
        else
            pack_columns(b + p * g->b_column, g->b_column, depth, width,
                         packed + p * depth);
    }
}

/* All of B as rows at, at + 1 ... of a packed matrix that is `depth` rows deep. */
static void pack_whole(const Gemm *g, int64_t at, int64_t depth, REAL *to) {
    for (int64_t n = 0; n < g->columns; n += PANEL) {
        int64_t width = g->columns - n < PANEL ? g->columns - n : PANEL;
        REAL *panel = to + n * depth + at * vectors_of(width) * VW;
        pack_block(g, 0, g->depth, n, width, panel);
    }
}

/* C from the whole of B, packed before. */
static void gemm_from_packed(const Gemm *g) {
    Tile tile = {.a = g->a,
                 .a_row = g->a_row,
                 .a_depth = g->a_depth,
                 .depth = g->depth,
                 .c = g->c,
                 .c_row = g->c_row,
                 .bias = g->bias,
                 .flags = (g->more ? TILE_CONTINUE : 0) | (g->relu ? TILE_RELU : 0)};
    block_rows(&tile, g->rows, g->b, g->columns, false);
}

/* Into how many blocks the depth falls. */
static int64_t depth_blocks(const Gemm *g, int64_t columns, bool direct) {
    int64_t room = DEPTH * WIDTH / (vectors_of(columns) * VW);
    return chunks(g->depth, direct || room > DEEPEST ? DEEPEST : room);
}

static void gemm_blocks(const Gemm *g) {
    if (g->packed) {
        gemm_from_packed(g);
        return;
    }
    REAL packed[DEPTH * WIDTH] __attribute__((aligned(64)));
    const bool is_thin = g->rows <= THIN_ROWS && g->b_column == 1;
    const int64_t talls = TURN_A && g->a_row == 1 ? chunks(g->rows, TURNED_ROWS) : 1;
    for (int64_t n = 0; n < g->columns; n += WIDTH) {
        int64_t columns = g->columns - n < WIDTH ? g->columns - n : WIDTH;
        bool direct = is_thin || gemm_streams(g, columns);
        int64_t deeps =
            g->depth <= DEPTH || is_thin ? 1 : depth_blocks(g, columns, direct);
        for (int64_t i = 0; i < deeps; i++) {
            int64_t k = g->depth * i / deeps, depth = g->depth * (i + 1) / deeps - k;
            bool end = i == deeps - 1;
            if (!direct) pack_block(g, k, depth, n, columns, packed);
            const REAL *b = direct ? (const REAL *)g->b + k * g->b_depth + n : packed;
            for (int64_t j = 0; j < talls; j++) {
                int64_t m = g->rows * j / talls;
                Tile tile = {.a = (const REAL *)g->a + m * g->a_row + k * g->a_depth,
                             .a_row = g->a_row,
                             .a_depth = g->a_depth,
                             .depth = depth,
                             .b_depth = g->b_depth,
                             .c = (REAL *)g->c + m * g->c_row + n,
                             .c_row = g->c_row,
                             .bias = end && g->bias ? (const REAL *)g->bias + n : NULL,
                             .flags = (i || g->more ? TILE_CONTINUE : 0) |
                                      (end && g->relu ? TILE_RELU : 0)};
                block_rows(&tile, g->rows * (j + 1) / talls - m, b, columns, direct);
            }
        }
    }
}

#endif
