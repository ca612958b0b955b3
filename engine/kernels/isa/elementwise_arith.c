/* Arithmetic on two operands that broadcast. Integers wrap: they are computed as unsigned
 * numbers, whose overflow is defined and whose bits are the same. */
#include <math.h>
#include "kernels/isa/loops.h"

#define ARITH_KERNEL(name, expression)                                                   \
    BINARY_ROW(name, uint8_t, expression)                                                \
    BINARY_ROW(name, uint32_t, expression)                                               \
    BINARY_ROW(name, uint64_t, expression)                                               \
    BINARY_ROW(name, float, expression)                                                  \
    BINARY_ROW(name, double, expression)                                                 \
    BINARY_KERNEL(name, 0, 0.15, NULL, name##_uint8_t, name##_uint32_t, name##_uint64_t, \
                  name##_float, name##_double)

ARITH_KERNEL(add, a + b)
ARITH_KERNEL(sub, a - b)
ARITH_KERNEL(mul, a *b)

BINARY_ROW(div, float, a / b)
BINARY_ROW(div, double, a / b)
BINARY_KERNEL(div, 0, 0.2, NULL, NULL, NULL, NULL, div_float, div_double)

/* The comparison is false for a nan on either side: one in a is caught by the second
 * test, one in b is what the else gives. */
#define EXTREME_KERNEL(name, sign)                                                       \
    BINARY_ROW(name, uint8_t, a sign b ? a : b)                                          \
    BINARY_ROW(name, int32_t, a sign b ? a : b)                                          \
    BINARY_ROW(name, int64_t, a sign b ? a : b)                                          \
    BINARY_ROW(name, float, ((a sign b) | (a != a)) ? a : b)                             \
    BINARY_ROW(name, double, ((a sign b) | (a != a)) ? a : b)                            \
    BINARY_KERNEL(name, 0, 0.15, NULL, name##_uint8_t, name##_int32_t, name##_int64_t,   \
                  name##_float, name##_double)

EXTREME_KERNEL(maximum, >)
EXTREME_KERNEL(minimum, <)

/* Division rounded down; the remainder has the divisor's sign, as in Lua. b is not 0.
 * Dividing the smallest integer by -1 traps on the machine, so that is a negation. */
#define SIGNED_DIVISION(type, unsigned_type)                                             \
    static inline type floordiv_of_##type(type a, type b) {                              \
        if (b == -1) return (type)(0 - (unsigned_type)a);                                \
        return a / b - (a % b != 0 && (a < 0) != (b < 0));                               \
    }                                                                                    \
    static inline type mod_of_##type(type a, type b) {                                   \
        if (b == -1) return 0;                                                           \
        type rest = a % b;                                                               \
        return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;                     \
    }
SIGNED_DIVISION(int32_t, uint32_t)
SIGNED_DIVISION(int64_t, uint64_t)

static inline uint8_t floordiv_of_uint8_t(uint8_t a, uint8_t b) { return a / b; }
static inline uint8_t mod_of_uint8_t(uint8_t a, uint8_t b) { return a % b; }

static inline float mod_of_float(float a, float b) {
    float rest = fmodf(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static inline double mod_of_double(double a, double b) {
    double rest = fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static void report_zero(const Row *row, int64_t i) {
    fault_set(row->call->fault, row->at + i, "integer division by zero at element %ld",
              (long)(row->at + i + 1));
}

#define INTEGER_ROW(name, type)                                                          \
    static void name##_##type(const Row *row) {                                          \
        type *y = row->out;                                                              \
        const type *left = row->in[0], *right = row->in[1];                              \
        int64_t step_a = !(row->scalars & 1), step_b = !(row->scalars & 2);              \
        for (int64_t i = 0; i < row->n; i++) {                                           \
            type a = left[i * step_a], b = right[i * step_b];                            \
            if (b == 0) report_zero(row, i);                                             \
            y[i] = b == 0 ? 0 : name##_of_##type(a, b);                                  \
        }                                                                                \
    }
#define DIVISION_KERNEL(name, nanoseconds)                                               \
    INTEGER_ROW(name, uint8_t)                                                           \
    INTEGER_ROW(name, int32_t)                                                           \
    INTEGER_ROW(name, int64_t)                                                           \
    BINARY_KERNEL(name, KERNEL_FAULTS, nanoseconds, NULL, name##_uint8_t,                \
                  name##_int32_t, name##_int64_t, name##_float, name##_double)

BINARY_ROW(floordiv, float, floorf(a / b))
BINARY_ROW(floordiv, double, floor(a / b))
DIVISION_KERNEL(floordiv, 1.5)

BINARY_ROW(mod, float, mod_of_float(a, b))
BINARY_ROW(mod, double, mod_of_double(a, b))
DIVISION_KERNEL(mod, 8.0)

BINARY_ROW(relu_grad, float, a > 0 ? b : 0)
BINARY_ROW(relu_grad, double, a > 0 ? b : 0)
BINARY_KERNEL(relu_grad, 0, 0.1, NULL, NULL, NULL, NULL, relu_grad_float,
              relu_grad_double)

/* Squares are by far the commonest power. */
#define POWER_ROW(type, pow_of)                                                          \
    BINARY_ROW(power, type, pow_of(a, b))                                                \
    static void pow_##type(const Row *row) {                                             \
        type *y = row->out;                                                              \
        const type *x = row->in[0];                                                      \
        int64_t n = row->n;                                                              \
        if (row->scalars == 2 && *(const type *)row->in[1] == 2) {                       \
            SIMD_LOOP(i, n) y[i] = x[i] * x[i];                                          \
        } else {                                                                         \
            power_##type(row);                                                           \
        }                                                                                \
    }
POWER_ROW(float, powf)
POWER_ROW(double, pow)
BINARY_KERNEL(pow, 0, 2.0, NULL, NULL, NULL, NULL, pow_float, pow_double)

BINARY_ROW(arctan2, float, atan2f(a, b))
BINARY_ROW(arctan2, double, atan2(a, b))
BINARY_KERNEL(arctan2, 0, 10.0, NULL, NULL, NULL, NULL, arctan2_float, arctan2_double)
