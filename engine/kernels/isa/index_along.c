/* take_along, put_along: one index for each element along an axis; one_hot. x is
 * (OUTER, SIZE, INNER), indices and what they take or put are (OUTER, COUNT, INNER). */
#include <string.h>
#include "kernels/isa/index.h"
#include "kernels/isa/loops.h"

enum { OUTER, SIZE, INNER, COUNT, BLOCK };

static void split(Call *call, const Shape *sliced) {
    int64_t *note = call->note, axis = call->attrs.i[0];
    note[OUTER] = note[INNER] = 1;
    for (int k = 0; k < axis; k++) note[OUTER] *= sliced->dim[k];
    for (int k = (int)axis + 1; k < sliced->ndim; k++) note[INNER] *= sliced->dim[k];
    note[SIZE] = sliced->dim[axis];
    note[COUNT] = call->in[1].shape.dim[axis];
}

static void take_prepare(Call *call) { split(call, &call->in[0].shape); }

#define TAKE_ROW(type)                                                                   \
    static void take_##type(const Call *call, int64_t begin, int64_t end) {              \
        const int64_t *note = call->note, *indices = call->in[1].data;                   \
        int64_t size = note[SIZE], inner = note[INNER], plane = note[COUNT] * inner;     \
        const type *x = call->in[0].data;                                                \
        type *y = call->out[0].data;                                                     \
        int64_t outer = begin / plane, left = begin % plane, column = left % inner;      \
        for (int64_t at = begin; at < end; at++) {                                       \
            int64_t index = indices[at];                                                 \
            bool inside = index_check(call, index, at, size);                            \
            y[at] = inside ? x[(outer * size + index) * inner + column] : 0;             \
            if (++column == inner) column = 0;                                           \
            if (++left == plane) {                                                       \
                left = 0;                                                                \
                outer++;                                                                 \
            }                                                                            \
        }                                                                                \
    }
TAKE_ROW(uint8_t)
TAKE_ROW(uint32_t)
TAKE_ROW(uint64_t)

static void take_run(const Call *call, int64_t part) {
    int64_t begin, end, width = loop_bytes[call->out[0].dtype];
    loop_range(call, part, &begin, &end);
    if (begin >= end) return;
    if (width == 4)
        take_uint32_t(call, begin, end);
    else if (width == 8)
        take_uint64_t(call, begin, end);
    else
        take_uint8_t(call, begin, end);
}

static double along_cost(const Call *call) { return 1.5 * (double)call->in[1].size; }

KERNEL(take_along) = {.flags = KERNEL_FAULTS,
                      .prepare = take_prepare,
                      .cost = along_cost,
                      .phase = {{loop_parts, take_run}}};

/* A part owns some outer indices, or with few of those a block of columns of each, so
 * that no two parts add to one element. */
enum { PUT_COLUMNS = 64 };

static void put_prepare(Call *call) {
    split(call, &call->out[0].shape);
    int64_t *note = call->note, outer = note[OUTER] ? note[OUTER] : 1;
    bool wide = outer < 16 && note[INNER] > PUT_COLUMNS;
    note[BLOCK] = wide ? PUT_COLUMNS : note[INNER];
}

static int64_t put_group(const Call *call) {
    const int64_t *note = call->note;
    int64_t work = (note[COUNT] + note[SIZE]) * note[BLOCK];
    return work > 0 && work < KERNEL_CHUNK ? KERNEL_CHUNK / work : 1;
}

static int64_t put_units(const Call *call) {
    return call->note[OUTER] * chunks(call->note[INNER], call->note[BLOCK]);
}

static int64_t put_parts(const Call *call) {
    return chunks(put_units(call), put_group(call));
}

#define PUT_UNIT(type)                                                                   \
    static void put_##type(const Call *call, int64_t unit) {                             \
        const int64_t *note = call->note, *indices = call->in[1].data;                   \
        int64_t size = note[SIZE], inner = note[INNER], count = note[COUNT];             \
        int64_t blocks = chunks(inner, note[BLOCK]), outer = unit / blocks;              \
        int64_t first = unit % blocks * note[BLOCK];                                     \
        int64_t last = index_min(first + note[BLOCK], inner);                            \
        const type *values = call->in[0].data;                                           \
        type *y = (type *)call->out[0].data + outer * size * inner;                      \
        for (int64_t row = 0; row < size; row++)                                         \
            memset(y + row * inner + first, 0, (size_t)(last - first) * sizeof *y);      \
        for (int64_t row = 0; row < count; row++) {                                      \
            int64_t at = (outer * count + row) * inner;                                  \
            for (int64_t c = first; c < last; c++)                                       \
                if (index_check(call, indices[at + c], at + c, size))                    \
                    y[indices[at + c] * inner + c] += values[at + c];                    \
        }                                                                                \
    }
PUT_UNIT(uint8_t)
PUT_UNIT(uint32_t)
PUT_UNIT(uint64_t)
PUT_UNIT(float)
PUT_UNIT(double)

static void put_run(const Call *call, int64_t part) {
    static void (*const puts[DTYPE_COUNT])(const Call *, int64_t) = {
        put_uint8_t, put_uint8_t, put_uint32_t, put_uint64_t, put_float, put_double};
    int64_t first = part * put_group(call);
    int64_t last = index_min(first + put_group(call), put_units(call));
    for (int64_t unit = first; unit < last; unit++) puts[call->out[0].dtype](call, unit);
}

KERNEL(put_along) = {.flags = KERNEL_FAULTS,
                     .prepare = put_prepare,
                     .cost = along_cost,
                     .phase = {{put_parts, put_run}}};

static int64_t one_hot_group(const Call *call) {
    int64_t classes = call->attrs.i[0];
    return classes < KERNEL_CHUNK ? KERNEL_CHUNK / classes : 1;
}

static int64_t one_hot_parts(const Call *call) {
    return chunks(call->in[0].size, one_hot_group(call));
}

static void one_hot_run(const Call *call, int64_t part) {
    int64_t classes = call->attrs.i[0], first = part * one_hot_group(call);
    int64_t last = index_min(first + one_hot_group(call), call->in[0].size);
    const int64_t *indices = call->in[0].data;
    float *y = (float *)call->out[0].data;
    if (first < last)
        memset(y + first * classes, 0, (size_t)((last - first) * classes) * sizeof *y);
    for (int64_t i = first; i < last; i++)
        if (index_check(call, indices[i], i, classes)) y[i * classes + indices[i]] = 1;
}

KERNEL(one_hot) = {.flags = KERNEL_FAULTS, .phase = {{one_hot_parts, one_hot_run}}};
