/* How elementwise kernels walk their operands.
 *
 * Work is cut into parts of KERNEL_CHUNK output elements. A part is handed to a row
 * function as rows: runs of elements in which each operand either advances with the
 * output or is one number for the whole row. Operands of the output's shape, scalars,
 * row vectors and columns so become one or few calls of simple loops; any other
 * broadcast is a walk over such rows.
 *
 * Operands may be the output's own memory, element for element; hence no restrict, but
 * `omp simd`: iterations are independent. */
#ifndef CDL_KERNELS_ISA_LOOPS_H
#define CDL_KERNELS_ISA_LOOPS_H
#include "kernels/call.h"

#define SIMD_LOOP(i, n) _Pragma("omp simd") for (int64_t i = 0; i < (n); i++)

typedef struct Row {
    void *out;
    const void *in[3];
    int64_t n;
    unsigned scalars; /* bit k: operand k is one number for the whole row */
    int64_t at;       /* place of the row's first element in the output */
    const Call *call;
} Row;

typedef void RowFunction(const Row *row);

static const int64_t loop_bytes[DTYPE_COUNT] = {
#define X(id, name, type) sizeof(type),
    DTYPES(X)
#undef X
};

/* In call->note: collapsed axes, their sizes, and which operands advance along each. */
enum { LOOP_AXES = 0, LOOP_SIZE = 1, LOOP_MOVES = LOOP_SIZE + SHAPE_MAX };

static inline int64_t loop_parts(const Call *call) {
    return chunks(call->out[0].size, KERNEL_CHUNK);
}

static inline void loop_range(const Call *call, int64_t part, int64_t *begin,
                              int64_t *end) {
    *begin = part * KERNEL_CHUNK;
    int64_t last = *begin + KERNEL_CHUNK, size = call->out[0].size;
    *end = last < size ? last : size;
}

/* Drops axes of size 1 and joins neighbours along which the same operands advance. */
static inline void loop_prepare(Call *call) {
    const Shape *out = &call->out[0].shape;
    int64_t *note = call->note;
    int axes = 0;
    for (int axis = 0; axis < out->ndim; axis++) {
        if (out->dim[axis] == 1) continue;
        int64_t moves = 0;
        for (int k = 0; k < call->n_in; k++) {
            const Shape *in = &call->in[k].shape;
            int own = axis - (out->ndim - in->ndim);
            if (own >= 0 && in->dim[own] != 1) moves |= 1 << k;
        }
        if (axes && note[LOOP_MOVES + axes - 1] == moves) {
            note[LOOP_SIZE + axes - 1] *= out->dim[axis];
            continue;
        }
        note[LOOP_SIZE + axes] = out->dim[axis];
        note[LOOP_MOVES + axes++] = moves;
    }
    if (!axes) {
        note[LOOP_SIZE] = 1;
        note[LOOP_MOVES] = 0;
        axes = 1;
    }
    note[LOOP_AXES] = axes;
}

/* The general case: two or more collapsed axes. */
static inline void loop_walk(const Call *call, int64_t begin, int64_t end,
                             RowFunction *run) {
    const int64_t *size = call->note + LOOP_SIZE, *moves = call->note + LOOP_MOVES;
    int inner = (int)call->note[LOOP_AXES] - 1, n_in = call->n_in;
    int64_t stride[3][SHAPE_MAX], index[SHAPE_MAX], offset[3], left = begin;
    for (int k = 0; k < n_in; k++) {
        int64_t step = 1;
        for (int axis = inner; axis >= 0; axis--) {
            bool move = moves[axis] >> k & 1;
            stride[k][axis] = move ? step : 0;
            if (move) step *= size[axis];
        }
        offset[k] = 0;
    }
    for (int axis = inner; axis >= 0; axis--) {
        index[axis] = left % size[axis];
        left /= size[axis];
        for (int k = 0; k < n_in; k++) offset[k] += index[axis] * stride[k][axis];
    }
    int64_t width = loop_bytes[call->out[0].dtype];
    Row row = {.call = call};
    for (int k = 0; k < n_in; k++)
        if (!(moves[inner] >> k & 1)) row.scalars |= 1u << k;
    for (int64_t at = begin; at < end;) {
        int64_t run_length = size[inner] - index[inner];
        if (run_length > end - at) run_length = end - at;
        row.out = (char *)call->out[0].data + at * width;
        for (int k = 0; k < n_in; k++)
            row.in[k] = (const char *)call->in[k].data +
                        offset[k] * loop_bytes[call->in[k].dtype];
        row.n = run_length;
        row.at = at;
        run(&row);
        at += run_length;
        /* To the start of the next row: back over this one, then on as an odometer
         * does. */
        for (int k = 0; k < n_in; k++) offset[k] -= index[inner] * stride[k][inner];
        index[inner] = 0;
        for (int axis = inner - 1; axis >= 0; axis--) {
            for (int k = 0; k < n_in; k++) offset[k] += stride[k][axis];
            if (++index[axis] < size[axis]) break;
            for (int k = 0; k < n_in; k++) offset[k] -= size[axis] * stride[k][axis];
            index[axis] = 0;
        }
    }
}

/* Runs one part of an op whose inputs broadcast to out[0]. */
static inline void loop_broadcast(const Call *call, int64_t part, RowFunction *run) {
    int64_t begin, end;
    loop_range(call, part, &begin, &end);
    if (begin >= end) return;
    if (call->note[LOOP_AXES] > 1) {
        loop_walk(call, begin, end, run);
        return;
    }
    Row row = {.call = call, .n = end - begin, .at = begin};
    row.out = (char *)call->out[0].data + begin * loop_bytes[call->out[0].dtype];
    for (int k = 0; k < call->n_in; k++) {
        bool move = call->note[LOOP_MOVES] >> k & 1;
        row.in[k] = (const char *)call->in[k].data +
                    (move ? begin * loop_bytes[call->in[k].dtype] : 0);
        if (!move) row.scalars |= 1u << k;
    }
    run(&row);
}

/* Runs one part of an op with one input of the output's shape; needs no preparation. */
static inline void loop_same(const Call *call, int64_t part, RowFunction *run) {
    int64_t begin, end;
    loop_range(call, part, &begin, &end);
    if (begin >= end) return;
    Row row = {.call = call, .n = end - begin, .at = begin};
    row.out = (char *)call->out[0].data + begin * loop_bytes[call->out[0].dtype];
    row.in[0] = (const char *)call->in[0].data + begin * loop_bytes[call->in[0].dtype];
    run(&row);
}

/* Row functions. UNARY_ROW(neg, float, -x): y = -x on floats, as neg_float. */
#define UNARY_ROW_TO(name, type, result, expression)                                     \
    static void name##_##type(const Row *row) {                                          \
        result *y = row->out;                                                            \
        const type *from = row->in[0];                                                   \
        int64_t n = row->n;                                                              \
        SIMD_LOOP(i, n) {                                                                \
            type x = from[i];                                                            \
            y[i] = (result)(expression);                                                 \
        }                                                                                \
    }
#define UNARY_ROW(name, type, expression) UNARY_ROW_TO(name, type, type, expression)

/* BINARY_ROW(add, float, a + b). When both are single numbers the row has one element. */
#define BINARY_ROW_TO(name, type, result, expression)                                    \
    static void name##_##type(const Row *row) {                                          \
        result *y = row->out;                                                            \
        const type *left = row->in[0], *right = row->in[1];                              \
        int64_t n = row->n;                                                              \
        if (!row->scalars) {                                                             \
            SIMD_LOOP(i, n) {                                                            \
                type a = left[i], b = right[i];                                          \
                y[i] = (result)(expression);                                             \
            }                                                                            \
        } else if (row->scalars & 2) {                                                   \
            type b = *right;                                                             \
            SIMD_LOOP(i, n) {                                                            \
                type a = left[i];                                                        \
                y[i] = (result)(expression);                                             \
            }                                                                            \
        } else {                                                                         \
            type a = *left;                                                              \
            SIMD_LOOP(i, n) {                                                            \
                type b = right[i];                                                       \
                y[i] = (result)(expression);                                             \
            }                                                                            \
        }                                                                                \
    }
#define BINARY_ROW(name, type, expression) BINARY_ROW_TO(name, type, type, expression)

/* Kernels. The row functions are those for bool, uint8, int32, int64, float32, float64
 * inputs (NULL where the op's cast rule never gives that dtype). Nanoseconds are for
 * one element. */
#define UNARY_KERNEL(name, more_flags, nanoseconds, ...)                                 \
    static void name##_run(const Call *call, int64_t part) {                             \
        static RowFunction *const rows[DTYPE_COUNT] = {__VA_ARGS__};                     \
        loop_same(call, part, rows[call->in[0].dtype]);                                  \
    }                                                                                    \
    static double name##_cost(const Call *call) {                                        \
        return (double)call->out[0].size * (nanoseconds);                                \
    }                                                                                    \
    KERNEL(name) = {.flags = KERNEL_ELEMENTWISE | (more_flags),                          \
                    .cost = name##_cost,                                                 \
                    .phase = {{loop_parts, name##_run}}};
#define BINARY_KERNEL(name, more_flags, nanoseconds, ...)                                \
    static void name##_run(const Call *call, int64_t part) {                             \
        static RowFunction *const rows[DTYPE_COUNT] = {__VA_ARGS__};                     \
        loop_broadcast(call, part, rows[call->in[0].dtype]);                             \
    }                                                                                    \
    static double name##_cost(const Call *call) {                                        \
        return (double)call->out[0].size * (nanoseconds);                                \
    }                                                                                    \
    KERNEL(name) = {.flags = KERNEL_ELEMENTWISE | (more_flags),                          \
                    .prepare = loop_prepare,                                             \
                    .cost = name##_cost,                                                 \
                    .phase = {{loop_parts, name##_run}}};

#endif
