/* From each dtype to each. Integers become narrower as in C (the low bits); floats
 * lose their fraction, stop at the ends of the integer's range, and nan gives 0; bool
 * is x != 0. With attrs.i[1] a float that is not an integer of the target's range is
 * an error. */
#include <math.h>
#include "kernels/isa/loops.h"

#define CAST_ROW(from, to, expression)                                                   \
    static void from##_to_##to(const Row *row) {                                         \
        to *y = row->out;                                                                \
        const from *in = row->in[0];                                                     \
        int64_t n = row->n;                                                              \
        SIMD_LOOP(i, n) {                                                                \
            from x = in[i];                                                              \
            y[i] = (to)(expression);                                                     \
        }                                                                                \
    }

/* below is the least number of the type, above the first beyond its range: both are
 * exact in float and in double. */
#define SATURATE(type, below, above, last)                                               \
    (x != x ? (type)0 : x <= (below) ? (type)(below) : x >= (above) ? (last) : (type)x)

#define CASTS_FROM_INTEGER(from)                                                         \
    CAST_ROW(from, uint8_t, x)                                                           \
    CAST_ROW(from, int32_t, x)                                                           \
    CAST_ROW(from, int64_t, x)                                                           \
    CAST_ROW(from, float, x)                                                             \
    CAST_ROW(from, double, x)
#define CASTS_FROM_FLOAT(from)                                                           \
    CAST_ROW(from, uint8_t, SATURATE(uint8_t, 0, 256, UINT8_MAX))                        \
    CAST_ROW(from, int32_t, SATURATE(int32_t, -0x1p31f, 0x1p31f, INT32_MAX))             \
    CAST_ROW(from, int64_t, SATURATE(int64_t, -0x1p63f, 0x1p63f, INT64_MAX))             \
    CAST_ROW(from, float, x)                                                             \
    CAST_ROW(from, double, x)

CASTS_FROM_INTEGER(uint8_t)
CASTS_FROM_INTEGER(int32_t)
CASTS_FROM_INTEGER(int64_t)
CASTS_FROM_FLOAT(float)
CASTS_FROM_FLOAT(double)

#define BOOL_ROW(from)                                                                   \
    static void from##_to_bool(const Row *row) {                                         \
        uint8_t *y = row->out;                                                           \
        const from *x = row->in[0];                                                      \
        int64_t n = row->n;                                                              \
        SIMD_LOOP(i, n) y[i] = x[i] != 0;                                                \
    }
BOOL_ROW(uint8_t)
BOOL_ROW(int32_t)
BOOL_ROW(int64_t)
BOOL_ROW(float)
BOOL_ROW(double)

#define CASTS_OF(from)                                                                   \
    {                                                                                    \
        from##_to_bool, from##_to_uint8_t, from##_to_int32_t, from##_to_int64_t,         \
            from##_to_float, from##_to_double                                            \
    }
static RowFunction *const casts[DTYPE_COUNT][DTYPE_COUNT] = {
    CASTS_OF(uint8_t), CASTS_OF(uint8_t), CASTS_OF(int32_t),
    CASTS_OF(int64_t), CASTS_OF(float),   CASTS_OF(double)};

static void report(const Row *row, int64_t i, double value, bool whole) {
    int64_t position = row->at + i;
    DType to = (DType)row->call->attrs.i[0];
    if (whole)
        fault_set(row->call->fault, position,
                  "index %.9g at element %ld is out of range for %s", value,
                  (long)(position + 1), dtype_name(to));
    else
        fault_set(row->call->fault, position,
                  "index %.9g at element %ld is not an integer", value,
                  (long)(position + 1));
}

/* Reports what no integer of the target stands for. The usual case, nothing to report,
 * is a loop that vectorises. */
#define CHECK_ROW(type, truncate)                                                        \
    static void check_##type(const Row *row, double below, double above) {               \
        const type *x = row->in[0];                                                      \
        type least = (type)below, beyond = (type)above;                                  \
        int64_t n = row->n;                                                              \
        int bad = 0;                                                                     \
        _Pragma("omp simd reduction(|: bad)") for (int64_t i = 0; i < n; i++) bad |=     \
            !((x[i] >= least) & (x[i] < beyond) & (truncate(x[i]) == x[i]));             \
        for (int64_t i = 0; bad && i < n; i++) {                                         \
            bool whole = truncate(x[i]) == x[i];                                         \
            if (whole && x[i] >= least && x[i] < beyond) continue;                       \
            report(row, i, (double)x[i], whole);                                         \
            break;                                                                       \
        }                                                                                \
    }
CHECK_ROW(float, truncf)
CHECK_ROW(double, trunc)

static void check(const Row *row) {
    static const double below[DTYPE_COUNT] = {0, 0, -0x1p31, -0x1p63, 0, 0};
    static const double above[DTYPE_COUNT] = {2, 256, 0x1p31, 0x1p63, 0, 0};
    DType from = row->call->in[0].dtype, to = (DType)row->call->attrs.i[0];
    if (from == DTYPE_FLOAT32) check_float(row, below[to], above[to]);
    if (from == DTYPE_FLOAT64) check_double(row, below[to], above[to]);
}

static void cast_row(const Row *row) {
    DType to = (DType)row->call->attrs.i[0];
    if (row->call->attrs.i[1] && !dtype_is_float(to)) check(row);
    casts[row->call->in[0].dtype][to](row);
}

static void cast_run(const Call *call, int64_t part) { loop_same(call, part, cast_row); }

KERNEL(cast) = {.flags = KERNEL_ELEMENTWISE | KERNEL_FAULTS,
                .phase = {{loop_parts, cast_run}}};
