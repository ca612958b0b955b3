/* argmax and argmin: the place of the first extreme along an axis. A nan is more
 * extreme than any number. */
#include "kernels/isa/lines.h"

#define PRAGMA(text) _Pragma(#text)

/* One line in memory: the extreme, then its place. Without branches where the line is short,
 * for nobody can foretell them. */
#define ARG_LINE(name, type, sign, kind)                                                 \
    static int64_t name##_line_##type(const type *x, int64_t n) {                        \
        int64_t best = 0;                                                                \
        type extreme = x[0];                                                             \
        int odd = 0;                                                                     \
        if (n < 32) {                                                                    \
            for (int64_t i = 0; i < n; i++) {                                            \
                extreme = x[i] sign extreme ? x[i] : extreme;                            \
                odd |= x[i] != x[i];                                                     \
            }                                                                            \
            for (int64_t i = n - 1; i >= 0; i--) {                                       \
                int64_t here = -(int64_t)(odd ? x[i] != x[i] : x[i] == extreme);         \
                best = (i & here) | (best & ~here);                                      \
            }                                                                            \
            return best;                                                                 \
        }                                                                                \
        PRAGMA(omp simd reduction(kind : extreme) reduction(| : odd))                    \
        for (int64_t i = 0; i < n; i++) {                                                \
            extreme = x[i] sign extreme ? x[i] : extreme;                                \
            odd |= x[i] != x[i];                                                         \
        }                                                                                \
        while (odd ? x[best] == x[best] : x[best] != extreme) best++;                    \
        return best;                                                                     \
    }

/* Several lines side by side, elements of one line `inner` apart. */
#define ARG_BLOCK(name, type, sign)                                                      \
    static void name##_block_##type(const type *restrict x, int64_t *restrict y,         \
                                    int64_t n, int64_t inner, int64_t side) {            \
        type best[LINES_BLOCK];                                                          \
        int64_t place[LINES_BLOCK];                                                      \
        for (int64_t k = 0; k < side; k++) {                                             \
            best[k] = x[k];                                                              \
            place[k] = 0;                                                                \
        }                                                                                \
        for (int64_t i = 1; i < n; i++) {                                                \
            const type *row = x + i * inner;                                             \
            _Pragma("omp simd") for (int64_t k = 0; k < side; k++) {                     \
                type value = row[k];                                                     \
                int better =                                                             \
                    (value sign best[k]) | ((value != value) & (best[k] == best[k]));    \
                best[k] = better ? value : best[k];                                      \
                place[k] = better ? i : place[k];                                        \
            }                                                                            \
        }                                                                                \
        for (int64_t k = 0; k < side; k++) y[k] = place[k];                              \
    }

#define ARG_RUN(name, type, sign, kind)                                                  \
    ARG_LINE(name, type, sign, kind)                                                     \
    ARG_BLOCK(name, type, sign)                                                          \
    static void name##_run_##type(const Call *call, int64_t part) {                      \
        int64_t n = call->note[LINES_LENGTH], inner = call->note[LINES_INNER];           \
        int64_t first, last, *y = call->out[0].data;                                     \
        lines_range(call, part, &first, &last);                                          \
        for (int64_t unit = first; unit < last; unit++) {                                \
            Lines lines = lines_unit(call, unit);                                        \
            const type *x = (const type *)call->in[0].data + lines.outer * n * inner;    \
            int64_t at = lines.outer * inner + lines.inner;                              \
            if (inner == 1)                                                              \
                y[at] = name##_line_##type(x, n);                                        \
            else                                                                         \
                name##_block_##type(x + lines.inner, y + at, n, inner, lines.side);      \
        }                                                                                \
    }

#define ARG_KERNEL(name, sign, kind)                                                     \
    ARG_RUN(name, uint8_t, sign, kind)                                                   \
    ARG_RUN(name, int32_t, sign, kind)                                                   \
    ARG_RUN(name, int64_t, sign, kind)                                                   \
    ARG_RUN(name, float, sign, kind)                                                     \
    ARG_RUN(name, double, sign, kind)                                                    \
    static void name##_run(const Call *call, int64_t part) {                             \
        static void (*const runs[DTYPE_COUNT])(const Call *, int64_t) = {                \
            name##_run_uint8_t, name##_run_uint8_t, name##_run_int32_t,                  \
            name##_run_int64_t, name##_run_float,   name##_run_double};                  \
        runs[call->in[0].dtype](call, part);                                             \
    }                                                                                    \
    static double name##_cost(const Call *call) {                                        \
        return 0.6 * (double)call->in[0].size;                                           \
    }                                                                                    \
    KERNEL(name) = {.prepare = lines_prepare,                                            \
                    .cost = name##_cost,                                                 \
                    .phase = {{lines_parts, name##_run}}};

ARG_KERNEL(argmax, >, max)
ARG_KERNEL(argmin, <, min)
