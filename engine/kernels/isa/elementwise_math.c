/* Transcendental functions: floats by vmath.h, doubles by the C library. */
#include <math.h>
#include "kernels/isa/loops.h"
#include "kernels/isa/vmath.h"

#define MATH_KERNEL(name, nanoseconds, expression_float, expression_double)              \
    UNARY_ROW(name, float, expression_float)                                             \
    UNARY_ROW(name, double, expression_double)                                           \
    UNARY_KERNEL(name, 0, call->in[0].dtype == DTYPE_FLOAT32 ? (nanoseconds) : 12.0,     \
                 NULL, NULL, NULL, NULL, name##_float, name##_double)

static inline double softplus_of(double x) {
    return (x < 0 ? 0 : x) + log1p(exp(-fabs(x)));
}

static inline double gelu_of(double x) {
    return x < -40 ? -0.0 : 0.5 * x * erfc(-x * 0.70710678118654752440);
}

MATH_KERNEL(exp, 0.35, vmath_exp(x), exp(x))
MATH_KERNEL(expm1, 0.5, vmath_expm1(x), expm1(x))
MATH_KERNEL(log, 0.4, vmath_log(x), log(x))
MATH_KERNEL(log1p, 0.6, vmath_log1p(x), log1p(x))
MATH_KERNEL(tanh, 0.6, vmath_tanh(x), tanh(x))
MATH_KERNEL(sigmoid, 0.4, vmath_sigmoid(x), 1 / (1 + exp(-x)))
MATH_KERNEL(erf, 0.8, vmath_erf(x), erf(x))
MATH_KERNEL(gelu, 0.9, vmath_gelu(x), gelu_of(x))
MATH_KERNEL(softplus, 1.5, vmath_softplus(x), softplus_of(x))

/* sin and cos: very large angles, inf and nan go to the C library, one by one, after a
 * block has been computed as if there were none. */
enum { ANGLE_BLOCK = 128 };
#define ANGLE_ROW(name, quarters)                                                        \
    static void name##_float(const Row *row) {                                           \
        float *y = row->out;                                                             \
        const float *x = row->in[0];                                                     \
        for (int64_t begin = 0; begin < row->n; begin += ANGLE_BLOCK) {                  \
            float block[ANGLE_BLOCK];                                                    \
            int64_t left = row->n - begin, n = left < ANGLE_BLOCK ? left : ANGLE_BLOCK;  \
            int large = 0;                                                               \
            _Pragma("omp simd reduction(|: large)") for (int64_t i = 0; i < n; i++) {    \
                float angle = x[begin + i];                                              \
                large |= !(fabsf(angle) <= VMATH_ANGLE_MAX);                             \
                block[i] = vmath_sin_shifted(angle, quarters);                           \
            }                                                                            \
            for (int64_t i = 0; large && i < n; i++)                                     \
                if (!(fabsf(x[begin + i]) <= VMATH_ANGLE_MAX))                           \
                    block[i] = (float)name(x[begin + i]);                                \
            memcpy(y + begin, block, (size_t)n * sizeof *y);                             \
        }                                                                                \
    }                                                                                    \
    UNARY_ROW(name, double, name(x))                                                     \
    UNARY_KERNEL(name, 0, call->in[0].dtype == DTYPE_FLOAT32 ? 0.6 : 12.0, NULL, NULL,   \
                 NULL, NULL, name##_float, name##_double)
ANGLE_ROW(sin, 0)
ANGLE_ROW(cos, 1)
