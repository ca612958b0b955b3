/* permute, broadcast_to and slice: the output in order, read through strides. identity
 * copies.
 *
 * Neighbouring axes that are one axis for the source too are joined, so that most
 * calls become a walk over runs of memory (stride 1), repetitions (0) or columns. A
 * transposition, where the runs of the source lie along another axis, goes by square
 * tiles instead. */
#include <string.h>
#include "kernels/isa/loops.h"

enum {
    COPY_AXES,
    COPY_SIZE,
    COPY_STRIDE = COPY_SIZE + SHAPE_MAX, /* of the source, in elements */
    COPY_OFFSET = COPY_STRIDE + SHAPE_MAX,
    COPY_TURN /* transposition: the axis along which the source has stride 1; else -1 */
};
enum { TILE = 32, TILE_ROW = 256, TURN_LEAST = 8 };

static void prepare_copy(Call *call, const int64_t stride[], int64_t offset) {
    const Shape *shape = &call->out[0].shape;
    int64_t *note = call->note, *size = note + COPY_SIZE, *step = note + COPY_STRIDE;
    int axes = 0;
    for (int k = 0; k < shape->ndim; k++) {
        int64_t n = shape->dim[k];
        if (n == 1) continue;
        if (axes && step[axes - 1] == stride[k] * n) {
            size[axes - 1] *= n;
            step[axes - 1] = stride[k];
        } else {
            size[axes] = n;
            step[axes++] = stride[k];
        }
    }
    if (!axes) {
        size[0] = call->out[0].size; /* 1, or 0 of an empty tensor */
        step[0] = 1;
        axes = 1;
    }
    note[COPY_AXES] = axes;
    note[COPY_OFFSET] = offset;
    note[COPY_TURN] = -1;
    if (size[axes - 1] < TURN_LEAST || step[axes - 1] == 1 || step[axes - 1] == 0) return;
    for (int k = 0; k < axes - 1; k++)
        if (step[k] == 1 && size[k] >= TURN_LEAST) note[COPY_TURN] = k;
}

static void permute_prepare(Call *call) {
    const Shape *in = &call->in[0].shape;
    int64_t from[SHAPE_MAX], stride[SHAPE_MAX];
    shape_strides(in, from);
    for (int k = 0; k < in->ndim; k++) stride[k] = from[call->attrs.i[k]];
    prepare_copy(call, stride, 0);
}

static void broadcast_prepare(Call *call) {
    const Shape *in = &call->in[0].shape;
    int64_t from[SHAPE_MAX], stride[SHAPE_MAX];
    int extra = call->out[0].shape.ndim - in->ndim;
    shape_strides(in, from);
    for (int k = 0; k < call->out[0].shape.ndim; k++)
        stride[k] = k < extra || in->dim[k - extra] == 1 ? 0 : from[k - extra];
    prepare_copy(call, stride, 0);
}

static void slice_prepare(Call *call) {
    const Shape *in = &call->in[0].shape;
    int64_t from[SHAPE_MAX], stride[SHAPE_MAX], offset = 0;
    shape_strides(in, from);
    for (int k = 0; k < in->ndim; k++) {
        offset += call->attrs.i[k] * from[k];
        stride[k] = call->attrs.i[12 + k] * from[k];
    }
    prepare_copy(call, stride, offset);
}

/* Blocks of a transposition: TILE along the turned axis, TILE_ROW along the last, for
 * each index of the others. */
static int64_t turn_blocks(const Call *call, int64_t *across, int64_t *along) {
    const int64_t *note = call->note, *size = note + COPY_SIZE;
    int last = (int)note[COPY_AXES] - 1, turn = (int)note[COPY_TURN];
    *across = (size[turn] + TILE - 1) / TILE;
    *along = (size[last] + TILE_ROW - 1) / TILE_ROW;
    int64_t others = call->out[0].size / (size[turn] * size[last]);
    return others * *across * *along;
}

static int64_t copy_parts(const Call *call) {
    int64_t across, along;
    if (call->note[COPY_TURN] < 0 || !call->out[0].size) return loop_parts(call);
    return turn_blocks(call, &across, &along);
}

/* Runs of the output along its last axis. */
#define COPY_WALK(type)                                                                  \
    static void walk_##type(const Call *call, int64_t begin, int64_t end) {              \
        const int64_t *note = call->note, *size = note + COPY_SIZE;                      \
        const int64_t *stride = note + COPY_STRIDE;                                      \
        int last = (int)note[COPY_AXES] - 1;                                             \
        int64_t index[SHAPE_MAX], offset = note[COPY_OFFSET], left = begin;              \
        for (int k = last; k >= 0; k--) {                                                \
            index[k] = left % size[k];                                                   \
            left /= size[k];                                                             \
            offset += index[k] * stride[k];                                              \
        }                                                                                \
        const type *restrict x = call->in[0].data;                                       \
        type *restrict y = call->out[0].data;                                            \
        int64_t step = stride[last];                                                     \
        while (begin < end) {                                                            \
            int64_t n = size[last] - index[last];                                        \
            if (n > end - begin) n = end - begin;                                        \
            if (step == 1) {                                                             \
                memcpy(y + begin, x + offset, (size_t)n * sizeof *y);                    \
            } else if (step == 0) {                                                      \
                type value = x[offset];                                                  \
                SIMD_LOOP(i, n) y[begin + i] = value;                                    \
            } else {                                                                     \
                for (int64_t i = 0; i < n; i++) y[begin + i] = x[offset + i * step];     \
            }                                                                            \
            begin += n;                                                                  \
            offset -= index[last] * step;                                                \
            index[last] = 0;                                                             \
            for (int k = last - 1; k >= 0; k--) {                                        \
                offset += stride[k];                                                     \
                if (++index[k] < size[k]) break;                                         \
                offset -= size[k] * stride[k];                                           \
                index[k] = 0;                                                            \
            }                                                                            \
        }                                                                                \
    }

/* One block of a transposition, tile by tile: reads and writes stay within few cache
 * lines. */
#define COPY_TURN_BLOCK(type)                                                            \
    static void turn_##type(const Call *call, int64_t block) {                           \
        const int64_t *note = call->note, *size = note + COPY_SIZE;                      \
        const int64_t *stride = note + COPY_STRIDE;                                      \
        int last = (int)note[COPY_AXES] - 1, turn = (int)note[COPY_TURN];                \
        int64_t across, along;                                                           \
        turn_blocks(call, &across, &along);                                              \
        int64_t first_i = block % along * TILE_ROW, left = block / along;                \
        int64_t first_j = left % across * TILE;                                          \
        left /= across;                                                                  \
        int64_t from = note[COPY_OFFSET], to = 0, step_out = size[last], step_j = 0;     \
        for (int k = last - 1; k >= 0; k--) {                                            \
            if (k == turn) {                                                             \
                step_j = step_out;                                                       \
            } else {                                                                     \
                from += left % size[k] * stride[k];                                      \
                to += left % size[k] * step_out;                                         \
                left /= size[k];                                                         \
            }                                                                            \
            step_out *= size[k];                                                         \
        }                                                                                \
        int64_t step_i = stride[last];                                                   \
        int64_t rows = size[turn] - first_j, end_i = size[last];                         \
        if (rows > TILE) rows = TILE;                                                    \
        if (end_i > first_i + TILE_ROW) end_i = first_i + TILE_ROW;                      \
        const type *restrict x = (const type *)call->in[0].data + from + first_j;        \
        type *restrict y = (type *)call->out[0].data + to + first_j * step_j;            \
        for (int64_t tile = first_i; tile < end_i; tile += TILE) {                       \
            int64_t tile_end = tile + TILE < end_i ? tile + TILE : end_i;                \
            for (int64_t j = 0; j < rows; j++)                                           \
                for (int64_t i = tile; i < tile_end; i++)                                \
                    y[j * step_j + i] = x[i * step_i + j];                               \
        }                                                                                \
    }

#define COPY_RUN(type)                                                                   \
    COPY_WALK(type)                                                                      \
    COPY_TURN_BLOCK(type)                                                                \
    static void copy_##type(const Call *call, int64_t part) {                            \
        int64_t begin, end;                                                              \
        if (!call->out[0].size) return;                                                  \
        if (call->note[COPY_TURN] >= 0) {                                                \
            turn_##type(call, part);                                                     \
            return;                                                                      \
        }                                                                                \
        loop_range(call, part, &begin, &end);                                            \
        walk_##type(call, begin, end);                                                   \
    }
COPY_RUN(uint8_t)
COPY_RUN(uint32_t)
COPY_RUN(uint64_t)

static void copy_run(const Call *call, int64_t part) {
    int64_t bytes = loop_bytes[call->out[0].dtype];
    if (bytes == 4)
        copy_uint32_t(call, part);
    else if (bytes == 8)
        copy_uint64_t(call, part);
    else
        copy_uint8_t(call, part);
}

static double copy_cost(const Call *call) {
    int64_t step = call->note[COPY_STRIDE + call->note[COPY_AXES] - 1];
    return (double)call->out[0].size * (step == 0 || step == 1 ? 0.2 : 1.2);
}

KERNEL(permute) = {
    .prepare = permute_prepare, .cost = copy_cost, .phase = {{copy_parts, copy_run}}};
KERNEL(broadcast_to) = {
    .prepare = broadcast_prepare, .cost = copy_cost, .phase = {{copy_parts, copy_run}}};
KERNEL(slice) = {
    .prepare = slice_prepare, .cost = copy_cost, .phase = {{copy_parts, copy_run}}};

static void identity_run(const Call *call, int64_t part) {
    int64_t begin, end, bytes = loop_bytes[call->out[0].dtype];
    loop_range(call, part, &begin, &end);
    char *to = (char *)call->out[0].data + begin * bytes;
    const char *from = (const char *)call->in[0].data + begin * bytes;
    if (to != from && begin < end) memcpy(to, from, (size_t)((end - begin) * bytes));
}

KERNEL(identity) = {.flags = KERNEL_ELEMENTWISE, .phase = {{loop_parts, identity_run}}};
