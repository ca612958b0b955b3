/* Running sums along attrs.i[0]; i[1] from the end, i[2] exclusive: without the
 * element itself. Sums of floats are carried as doubles; small integers and bool add
 * up in int64, which wraps. */
#include "kernels/isa/lines.h"

#define CUMSUM_RUN(in_type, sum_type, out_type)                                          \
    static void run_##in_type(const Call *call, int64_t part) {                          \
        int64_t n = call->note[LINES_LENGTH], inner = call->note[LINES_INNER];           \
        bool reverse = call->attrs.i[1], exclusive = call->attrs.i[2];                   \
        int64_t first, last;                                                             \
        lines_range(call, part, &first, &last);                                          \
        for (int64_t unit = first; unit < last; unit++) {                                \
            Lines lines = lines_unit(call, unit);                                        \
            int64_t at = lines.outer * n * inner + lines.inner, side = lines.side;       \
            sum_type sum[LINES_BLOCK] = {0};                                             \
            for (int64_t i = 0; i < n; i++) {                                            \
                int64_t row = at + (reverse ? n - 1 - i : i) * inner;                    \
                const in_type *restrict x = (const in_type *)call->in[0].data + row;     \
                out_type *restrict y = (out_type *)call->out[0].data + row;              \
                _Pragma("omp simd") for (int64_t k = 0; k < side; k++) {                 \
                    sum_type before = sum[k], after = before + (sum_type)x[k];           \
                    sum[k] = after;                                                      \
                    y[k] = (out_type)(exclusive ? before : after);                       \
                }                                                                        \
            }                                                                            \
        }                                                                                \
    }
CUMSUM_RUN(uint8_t, uint64_t, int64_t)
CUMSUM_RUN(int32_t, uint64_t, int64_t)
CUMSUM_RUN(int64_t, uint64_t, int64_t)
CUMSUM_RUN(float, double, float)
CUMSUM_RUN(double, double, double)

static void cumsum_run(const Call *call, int64_t part) {
    static void (*const runs[DTYPE_COUNT])(const Call *, int64_t) = {
        run_uint8_t, run_uint8_t, run_int32_t, run_int64_t, run_float, run_double};
    runs[call->in[0].dtype](call, part);
}

static double cumsum_cost(const Call *call) { return 1.5 * (double)call->in[0].size; }

KERNEL(cumsum) = {
    .prepare = lines_prepare, .cost = cumsum_cost, .phase = {{lines_parts, cumsum_run}}};
