/* One input, no transcendental function: signs, rounding, limits. */
#include <math.h>
#include "kernels/isa/loops.h"

#define FLOAT_ROWS(name, expression_float, expression_double)                            \
    UNARY_ROW(name, float, expression_float)                                             \
    UNARY_ROW(name, double, expression_double)

/* Where integers stay what they are. */
#define KEEP_ROWS(name)                                                                  \
    UNARY_ROW(name, uint8_t, x)                                                          \
    UNARY_ROW(name, int32_t, x)                                                          \
    UNARY_ROW(name, int64_t, x)

#define NUMBER_KERNEL(name)                                                              \
    UNARY_KERNEL(name, 0, 0.12, NULL, name##_uint8_t, name##_int32_t, name##_int64_t,    \
                 name##_float, name##_double)

/* -x and x * x have the same bits for signed and unsigned integers. */
#define WRAP_ROWS(name, expression)                                                      \
    UNARY_ROW(name, uint8_t, expression)                                                 \
    UNARY_ROW(name, uint32_t, expression)                                                \
    UNARY_ROW(name, uint64_t, expression)                                                \
    FLOAT_ROWS(name, expression, expression)                                             \
    UNARY_KERNEL(name, 0, 0.12, NULL, name##_uint8_t, name##_uint32_t, name##_uint64_t,  \
                 name##_float, name##_double)

WRAP_ROWS(neg, -x)
WRAP_ROWS(square, x *x)

UNARY_ROW(abs, uint8_t, x)
UNARY_ROW(abs, int32_t, x < 0 ? 0 - (uint32_t)x : (uint32_t)x)
UNARY_ROW(abs, int64_t, x < 0 ? 0 - (uint64_t)x : (uint64_t)x)
FLOAT_ROWS(abs, fabsf(x), fabs(x))
NUMBER_KERNEL(abs)

/* nan gives nan and -0 gives -0: the last x. */
UNARY_ROW(sign, uint8_t, x > 0)
UNARY_ROW(sign, int32_t, (x > 0) - (x < 0))
UNARY_ROW(sign, int64_t, (x > 0) - (x < 0))
FLOAT_ROWS(sign, x > 0 ? 1.0f : x < 0 ? -1.0f : x, x > 0 ? 1.0 : x < 0 ? -1.0 : x)
NUMBER_KERNEL(sign)

UNARY_ROW(relu, uint8_t, x)
UNARY_ROW(relu, int32_t, x < 0 ? 0 : x)
UNARY_ROW(relu, int64_t, x < 0 ? 0 : x)
FLOAT_ROWS(relu, x < 0 ? 0 : x, x < 0 ? 0 : x)
NUMBER_KERNEL(relu)

KEEP_ROWS(floor)
FLOAT_ROWS(floor, floorf(x), floor(x))
NUMBER_KERNEL(floor)

KEEP_ROWS(ceil)
FLOAT_ROWS(ceil, ceilf(x), ceil(x))
NUMBER_KERNEL(ceil)

/* rint rounds halves to even: nothing in the process changes the rounding mode. */
KEEP_ROWS(round)
FLOAT_ROWS(round, rintf(x), rint(x))
NUMBER_KERNEL(round)

FLOAT_ROWS(sqrt, sqrtf(x), sqrt(x))
UNARY_KERNEL(sqrt, 0, 0.3, NULL, NULL, NULL, NULL, sqrt_float, sqrt_double)
FLOAT_ROWS(rsqrt, 1.0f / sqrtf(x), 1.0 / sqrt(x))
UNARY_KERNEL(rsqrt, 0, 0.4, NULL, NULL, NULL, NULL, rsqrt_float, rsqrt_double)
FLOAT_ROWS(reciprocal, 1.0f / x, 1.0 / x)
UNARY_KERNEL(reciprocal, 0, 0.2, NULL, NULL, NULL, NULL, reciprocal_float,
             reciprocal_double)

/* Not below lo, then not above hi: hi wins when they cross. A nan stays. The limits of an
 * integer clip are the integers within the given ones, as far as the dtype reaches. */
#define AT_LEAST(x, lo) ((x) < (lo) ? (lo) : (x))
#define AT_MOST(x, hi)  ((x) > (hi) ? (hi) : (x))
#define CLIP_ROW(type, low, high)                                                        \
    static void clip_##type(const Row *row) {                                            \
        type *y = row->out;                                                              \
        const type *x = row->in[0];                                                      \
        int64_t n = row->n;                                                              \
        type lo = (type)(low), hi = (type)(high);                                        \
        SIMD_LOOP(i, n) {                                                                \
            type raised = AT_LEAST(x[i], lo);                                            \
            y[i] = AT_MOST(raised, hi);                                                  \
        }                                                                                \
    }

/* A limit as the nearest double that the integer type can hold; 2^63 itself is not
 * one. */
static inline double limit_low(const Row *row, double least, double most) {
    double limit = AT_LEAST(ceil(row->call->attrs.f[0]), least);
    return AT_MOST(limit, most);
}

static inline double limit_high(const Row *row, double least, double most) {
    double limit = AT_LEAST(floor(row->call->attrs.f[1]), least);
    return AT_MOST(limit, most);
}

static inline int64_t limit_int64(double limit) {
    if (limit >= 0x1p63) return INT64_MAX;
    return limit < -0x1p63 ? INT64_MIN : (int64_t)limit;
}

CLIP_ROW(uint8_t, limit_low(row, 0, UINT8_MAX), limit_high(row, 0, UINT8_MAX))
CLIP_ROW(int32_t, limit_low(row, INT32_MIN, INT32_MAX),
         limit_high(row, INT32_MIN, INT32_MAX))
CLIP_ROW(int64_t, limit_int64(ceil(row->call->attrs.f[0])),
         limit_int64(floor(row->call->attrs.f[1])))
CLIP_ROW(float, row->call->attrs.f[0], row->call->attrs.f[1])
CLIP_ROW(double, row->call->attrs.f[0], row->call->attrs.f[1])
NUMBER_KERNEL(clip)

UNARY_ROW_TO(isfinite, uint8_t, uint8_t, x == x)
UNARY_ROW_TO(isfinite, int32_t, uint8_t, x == x)
UNARY_ROW_TO(isfinite, int64_t, uint8_t, x == x)
UNARY_ROW_TO(isfinite, float, uint8_t, fabsf(x) <= 0x1.fffffep127f)
UNARY_ROW_TO(isfinite, double, uint8_t, fabs(x) <= 0x1.fffffffffffffp1023)
UNARY_KERNEL(isfinite, 0, 0.12, isfinite_uint8_t, isfinite_uint8_t, isfinite_int32_t,
             isfinite_int64_t, isfinite_float, isfinite_double)
