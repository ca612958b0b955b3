/* Comparisons (bool results; any comparison with nan is false but ne), logic, and
 * where. */
#include <string.h>
#include "kernels/isa/loops.h"

#define COMPARE_KERNEL(name, sign)                                                       \
    BINARY_ROW_TO(name, uint8_t, uint8_t, a sign b)                                      \
    BINARY_ROW_TO(name, int32_t, uint8_t, a sign b)                                      \
    BINARY_ROW_TO(name, int64_t, uint8_t, a sign b)                                      \
    BINARY_ROW_TO(name, float, uint8_t, a sign b)                                        \
    BINARY_ROW_TO(name, double, uint8_t, a sign b)                                       \
    BINARY_KERNEL(name, 0, 0.15, name##_uint8_t, name##_uint8_t, name##_int32_t,         \
                  name##_int64_t, name##_float, name##_double)

COMPARE_KERNEL(eq, ==)
COMPARE_KERNEL(ne, !=)
COMPARE_KERNEL(lt, <)
COMPARE_KERNEL(le, <=)
COMPARE_KERNEL(gt, >)
COMPARE_KERNEL(ge, >=)

BINARY_ROW(and_, uint8_t, (a != 0) & (b != 0))
BINARY_ROW(or_, uint8_t, (a != 0) | (b != 0))
UNARY_ROW(not_, uint8_t, x == 0)
BINARY_KERNEL(and_, 0, 0.05, and__uint8_t)
BINARY_KERNEL(or_, 0, 0.05, or__uint8_t)
UNARY_KERNEL(not_, 0, 0.05, not__uint8_t)

/* where moves bits, so there is one row function for each size of element. Operands:
 * the condition (bit 0 of scalars), the value where it is true (bit 1), and where not
 * (bit 2). */
#define WHERE_ROW(type)                                                                  \
    static void where_##type(const Row *row) {                                           \
        type *y = row->out;                                                              \
        const uint8_t *condition = row->in[0];                                           \
        const type *yes = row->in[1], *no = row->in[2];                                  \
        int64_t n = row->n;                                                              \
        if (row->scalars & 1) {                                                          \
            const type *chosen = *condition ? yes : no;                                  \
            if (row->scalars & (*condition ? 2 : 4)) {                                   \
                type value = *chosen;                                                    \
                SIMD_LOOP(i, n) y[i] = value;                                            \
            } else if (y != chosen) {                                                    \
                memcpy(y, chosen, (size_t)n * sizeof *y);                                \
            }                                                                            \
        } else if ((row->scalars & 6) == 6) {                                            \
            type a = *yes, b = *no;                                                      \
            SIMD_LOOP(i, n) y[i] = condition[i] ? a : b;                                 \
        } else if (row->scalars & 2) {                                                   \
            type a = *yes;                                                               \
            SIMD_LOOP(i, n) {                                                            \
                type b = no[i];                                                          \
                y[i] = condition[i] ? a : b;                                             \
            }                                                                            \
        } else if (row->scalars & 4) {                                                   \
            type b = *no;                                                                \
            SIMD_LOOP(i, n) {                                                            \
                type a = yes[i];                                                         \
                y[i] = condition[i] ? a : b;                                             \
            }                                                                            \
        } else {                                                                         \
            SIMD_LOOP(i, n) {                                                            \
                type a = yes[i], b = no[i];                                              \
                y[i] = condition[i] ? a : b;                                             \
            }                                                                            \
        }                                                                                \
    }
WHERE_ROW(uint8_t)
WHERE_ROW(uint32_t)
WHERE_ROW(uint64_t)

static void where_run(const Call *call, int64_t part) {
    static RowFunction *const rows[DTYPE_COUNT] = {where_uint8_t,  where_uint8_t,
                                                   where_uint32_t, where_uint64_t,
                                                   where_uint32_t, where_uint64_t};
    loop_broadcast(call, part, rows[call->out[0].dtype]);
}

KERNEL(where) = {.flags = KERNEL_ELEMENTWISE,
                 .prepare = loop_prepare,
                 .phase = {{loop_parts, where_run}}};
