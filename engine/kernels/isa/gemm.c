/* How a matrix product is cut into parts, and what it costs. */
#include "kernels/isa/gemm.h"

/* A block of columns is 256 bytes wide (with AVX-512 one tile), or 1 KiB when the product
 * is so large that reading A once for each block would wear out the caches. Where B
 * must be packed each part packs its own block, which costs about as much as three rows of
 * A: hence tall blocks of rows. */
enum {
    NARROW_BYTES = 256,
    WIDE_BYTES = 1024,
    WIDE_FROM = 1 << 20, /* elements of C */
    FEW =
        2, /* rows: reading B takes the time, and long pieces of its rows are read faster */
    FEW_BYTES = 512,
    FEW_WIDE_FROM = 4096, /* bytes of a row of B */
    BLOCK_ROWS = 256,     /* at most */
    PARTS_WANTED = 8,
    ROWS_WANTED = 48,     /* blocks of rows are not halved below this */
    WORK_WANTED = 1 << 17 /* multiply-adds in a part that is worth a thread */
};

static int64_t block_bytes(int64_t rows, int64_t columns, int64_t row_bytes) {
    if ((double)rows * (double)columns >= WIDE_FROM) return WIDE_BYTES;
    if (rows > FEW) return NARROW_BYTES;
    return row_bytes >= FEW_WIDE_FROM ? WIDE_BYTES : FEW_BYTES;
}

GemmCut gemm_cut(int64_t rows, int64_t columns, int64_t depth, DType dtype) {
    const int64_t element = (int64_t)dtype_size(dtype);
    GemmCut cut = {.block_columns =
                       block_bytes(rows, columns, columns * element) / element};
    cut.column_blocks = chunks(columns, cut.block_columns);
    cut.row_blocks = chunks(rows, BLOCK_ROWS);
    while (cut.row_blocks * cut.column_blocks < PARTS_WANTED) {
        int64_t twice = 2 * cut.row_blocks;
        double work = (double)rows * (double)columns * (double)depth;
        if (rows / twice < ROWS_WANTED ||
            work / (double)(twice * cut.column_blocks) < WORK_WANTED)
            break;
        cut.row_blocks = twice;
    }
    return cut;
}

void gemm_narrow(Gemm *g, const GemmCut *cut, int64_t part) {
    const int64_t element = (int64_t)dtype_size(g->dtype);
    int64_t i = part % cut->row_blocks,
            column = part / cut->row_blocks * cut->block_columns;
    int64_t row = g->rows * i / cut->row_blocks,
            end = g->rows * (i + 1) / cut->row_blocks;
    g->a = (const char *)g->a + row * g->a_row * element;
    g->b = (const char *)g->b + column * g->b_column * element;
    g->c = (char *)g->c + (row * g->c_row + column) * element;
    if (g->bias) g->bias = (const char *)g->bias + column * element;
    g->rows = end - row;
    if (g->columns - column < cut->block_columns)
        g->columns -= column;
    else
        g->columns = cut->block_columns;
}

#if defined(__AVX512F__)
enum { LANE_BYTES = 64, ALWAYS_STREAMS = 1 };
#elif defined(__AVX2__)
enum { LANE_BYTES = 32, ALWAYS_STREAMS = 0 };
#else
enum { LANE_BYTES = 16, ALWAYS_STREAMS = 0 };
#endif

/* For fewer rows than PACK_ROWS packing does not pay. With AVX-512 a row of a panel is four
 * whole lines, which come from the second level as fast from B itself, whatever its stride.
 * Narrower panels do where rows do not fall on one another in the first level. */
enum { PACK_ROWS = 16 };

bool gemm_streams(const Gemm *g, int64_t columns) {
    const int64_t element = (int64_t)dtype_size(g->dtype);
    if (g->b_column != 1 || columns * element % LANE_BYTES != 0) return false;
    return ALWAYS_STREAMS || g->rows < PACK_ROWS ||
           g->b_depth * element % GEMM_STRIDE != 0;
}

void gemm_run(const Gemm *g) {
    if (g->dtype == DTYPE_FLOAT32)
        gemm_float(g);
    else
        gemm_double(g);
}

int64_t gemm_room(int64_t columns, int64_t depth, DType dtype) {
    int64_t lanes = LANE_BYTES / (int64_t)dtype_size(dtype);
    return columns > 0 ? chunks(columns, lanes) * lanes * depth : 0;
}

void gemm_pack(const Gemm *g, int64_t at, int64_t depth, void *to) {
    if (g->dtype == DTYPE_FLOAT32)
        gemm_pack_float(g, at, depth, to);
    else
        gemm_pack_double(g, at, depth, to);
}

double gemm_cost(int64_t rows, int64_t columns, int64_t depth, DType dtype) {
    const double bytes = LANE_BYTES, rate = LANE_BYTES > 16 ? 6 : 4;
    /* rate: vectors of multiply-adds in a nanosecond, of whole vectors. With few rows
     * reading B takes the time, about 64 bytes in a nanosecond from the second level. */
    double lanes = bytes / (double)dtype_size(dtype);
    double right =
        (double)chunks(columns, (int64_t)lanes) * (double)depth; /* B in vectors */
    return 20 + right * ((double)rows / rate + bytes / 64);
}
