/* gather: slices of x (OUTER, SIZE, INNER) at indices (COUNT): y (OUTER, COUNT, INNER).
 * scatter: values (OUTER, COUNT, INNER) added at indices into y (OUTER, SIZE, INNER). */
#include <string.h>
#include "kernels/isa/index.h"
#include "kernels/isa/loops.h"

enum { OUTER, SIZE, INNER, COUNT, GROUP, BLOCK };

/* The axes of `sliced` (x of gather, y of scatter) around attrs.i[0]. */
static void split(Call *call, const Shape *sliced) {
    int64_t *note = call->note, axis = call->attrs.i[0];
    note[OUTER] = note[INNER] = 1;
    for (int k = 0; k < axis; k++) note[OUTER] *= sliced->dim[k];
    for (int k = (int)axis + 1; k < sliced->ndim; k++) note[INNER] *= sliced->dim[k];
    note[SIZE] = sliced->dim[axis];
    note[COUNT] = call->in[1].size;
}

static void gather_prepare(Call *call) {
    split(call, &call->in[0].shape);
    int64_t inner = call->note[INNER];
    call->note[GROUP] = inner < KERNEL_CHUNK ? KERNEL_CHUNK / (inner ? inner : 1) : 1;
}

/* Parts are groups of slices of the output. */
static int64_t gather_parts(const Call *call) {
    return chunks(call->note[OUTER] * call->note[COUNT], call->note[GROUP]);
}

/* Slices of one element are moved by a loop of their own. */
#define GATHER_SINGLE(type)                                                              \
    static void single_##type(const Call *call, int64_t first, int64_t last) {           \
        int64_t size = call->note[SIZE], count = call->note[COUNT];                      \
        const int64_t *indices = call->in[1].data;                                       \
        const type *x = call->in[0].data;                                                \
        type *y = call->out[0].data;                                                     \
        for (int64_t slice = first; slice < last; slice++) {                             \
            int64_t outer = slice / count, position = slice - outer * count;             \
            int64_t index = indices[position];                                           \
            bool inside = index_check(call, index, position, size);                      \
            y[slice] = inside ? x[outer * size + index] : 0;                             \
        }                                                                                \
    }
GATHER_SINGLE(uint8_t)
GATHER_SINGLE(uint32_t)
GATHER_SINGLE(uint64_t)

static void gather_run(const Call *call, int64_t part) {
    const int64_t *note = call->note, *indices = call->in[1].data;
    int64_t size = note[SIZE], count = note[COUNT],
            width = loop_bytes[call->out[0].dtype];
    int64_t first = part * note[GROUP];
    int64_t last = index_min(first + note[GROUP], note[OUTER] * count);
    if (note[INNER] == 1) {
        if (width == 4)
            single_uint32_t(call, first, last);
        else if (width == 8)
            single_uint64_t(call, first, last);
        else
            single_uint8_t(call, first, last);
        return;
    }
    int64_t bytes = note[INNER] * width;
    for (int64_t slice = first; slice < last; slice++) {
        int64_t outer = slice / count, position = slice - outer * count;
        int64_t index = indices[position];
        char *y = (char *)call->out[0].data + slice * bytes;
        if (index_check(call, index, position, size))
            memcpy(y, (const char *)call->in[0].data + (outer * size + index) * bytes,
                   (size_t)bytes);
        else
            memset(y, 0, (size_t)bytes);
    }
}

/* What is read is what is written, however large x is. */
static double gather_bytes(const Call *call) {
    return 2 * (double)(call->out[0].size * loop_bytes[call->out[0].dtype]);
}

static double gather_cost(const Call *call) {
    double slices = (double)(call->note[OUTER] * call->note[COUNT]);
    return 30 + 4 * slices + gather_bytes(call) / 10;
}

KERNEL(gather) = {.flags = KERNEL_FAULTS,
                  .prepare = gather_prepare,
                  .cost = gather_cost,
                  .bytes = gather_bytes,
                  .phase = {{gather_parts, gather_run}}};

/* Phase 0 sorts the positions by their index (counting), so that phase 1 knows the
 * slices that go to each row of y. Each part of it owns a range of rows of one outer
 * index, or a block of columns of one: no two parts add to one element, and to each
 * row slices are added in the order of their positions. */
enum { SCATTER_PARTS = 16, SCATTER_COLUMNS = 256 };

static void scatter_prepare(Call *call) {
    split(call, &call->out[0].shape);
    int64_t *note = call->note, inner = note[INNER], size = note[SIZE];
    note[BLOCK] = inner < SCATTER_COLUMNS ? inner : SCATTER_COLUMNS;
    int64_t others = note[OUTER] * ((inner + SCATTER_COLUMNS - 1) / SCATTER_COLUMNS);
    int64_t ranges = others < SCATTER_PARTS ? SCATTER_PARTS / (others ? others : 1) : 1;
    if ((size + note[COUNT]) * inner <= KERNEL_CHUNK) ranges = 1;
    note[GROUP] = (size + ranges - 1) / ranges;
    if (note[GROUP] < 1) note[GROUP] = 1;
}

/* first[row] .. first[row + 1] are the places in order[] of the positions that go to
 * row. */
static size_t scatter_scratch(const Call *call) {
    return (size_t)(call->note[SIZE] + 1 + call->note[COUNT]) * sizeof(int64_t);
}

static void scatter_order(const Call *call, int64_t part) {
    int64_t size = call->note[SIZE], count = call->note[COUNT];
    const int64_t *indices = call->in[1].data;
    int64_t *first = call->scratch, *order = first + size + 1;
    memset(first, 0, (size_t)(size + 1) * sizeof *first);
    for (int64_t position = 0; position < count; position++)
        if (index_check(call, indices[position], position, size))
            first[indices[position]]++;
    int64_t sum = 0;
    for (int64_t row = 0; row <= size; row++) {
        int64_t here = first[row];
        first[row] = sum;
        sum += here;
    }
    /* Filling moves each first to the end of its row, which is the next row's first. */
    for (int64_t position = 0; position < count; position++)
        if ((uint64_t)indices[position] < (uint64_t)size)
            order[first[indices[position]]++] = position;
    memmove(first + 1, first, (size_t)size * sizeof *first);
    first[0] = 0;
}

static int64_t scatter_parts(const Call *call) {
    const int64_t *note = call->note;
    if (!call->out[0].size) return 1;
    return note[OUTER] * chunks(note[SIZE], note[GROUP]) *
           chunks(note[INNER], note[BLOCK]);
}

/* Rows [low, high) and columns [begin, end) of one outer index. */
typedef struct ScatterPart {
    int64_t outer, low, high, begin, end;
} ScatterPart;

static ScatterPart scatter_part(const Call *call, int64_t part) {
    const int64_t *note = call->note;
    int64_t blocks = chunks(note[INNER], note[BLOCK]);
    int64_t ranges = chunks(note[SIZE], note[GROUP]);
    ScatterPart p = {.outer = part / blocks / ranges,
                     .low = part / blocks % ranges * note[GROUP],
                     .begin = part % blocks * note[BLOCK]};
    p.high = index_min(p.low + note[GROUP], note[SIZE]);
    p.end = index_min(p.begin + note[BLOCK], note[INNER]);
    return p;
}

#define SCATTER_ADD(type)                                                                \
    static void scatter_##type(const Call *call, ScatterPart p) {                        \
        int64_t inner = call->note[INNER], size = call->note[SIZE];                      \
        int64_t columns = p.end - p.begin;                                               \
        const int64_t *first = call->scratch, *order = first + size + 1;                 \
        const type *values = (const type *)call->in[0].data +                            \
                             p.outer * call->note[COUNT] * inner + p.begin;              \
        type *y = (type *)call->out[0].data + p.outer * size * inner + p.begin;          \
        for (int64_t row = p.low; row < p.high; row++) {                                 \
            type *restrict to = y + row * inner;                                         \
            memset(to, 0, (size_t)columns * sizeof *to);                                 \
            for (int64_t k = first[row]; k < first[row + 1]; k++) {                      \
                const type *restrict from = values + order[k] * inner;                   \
                SIMD_LOOP(c, columns) to[c] += from[c];                                  \
            }                                                                            \
        }                                                                                \
    }
SCATTER_ADD(uint8_t)
SCATTER_ADD(uint32_t)
SCATTER_ADD(uint64_t)
SCATTER_ADD(float)
SCATTER_ADD(double)

static void scatter_run(const Call *call, int64_t part) {
    static void (*const adds[DTYPE_COUNT])(const Call *, ScatterPart) = {
        scatter_uint8_t,  scatter_uint8_t, scatter_uint32_t,
        scatter_uint64_t, scatter_float,   scatter_double};
    if (call->out[0].size) adds[call->out[0].dtype](call, scatter_part(call, part));
}

static double scatter_cost(const Call *call) {
    return 4 * (double)call->in[1].size +
           0.3 * (double)(call->in[0].size + call->out[0].size);
}

KERNEL(scatter) = {.flags = KERNEL_FAULTS,
                   .prepare = scatter_prepare,
                   .scratch = scatter_scratch,
                   .cost = scatter_cost,
                   .phase = {{NULL, scatter_order}, {scatter_parts, scatter_run}}};
