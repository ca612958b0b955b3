/* softmax and log_softmax along the last axis. */
#include "kernels/isa/softmax.h"

#define SOFTMAX_RUN(type, log_of)                                                        \
    static void softmax_##type(const Call *call, int64_t part) {                         \
        int64_t classes = softmax_classes(call), first = part * softmax_group(call), n;  \
        type most[SOFTMAX_ROWS], sum[SOFTMAX_ROWS];                                      \
        for (; (n = softmax_block(call, part, &first)) > 0; first += n) {                \
            const type *x = (const type *)call->in[0].data + first * classes;            \
            type *y = (type *)call->out[0].data + first * classes;                       \
            softmax_exp_##type(x, y, n, classes, most, sum);                             \
            softmax_scale_##type(y, n, classes, sum);                                    \
        }                                                                                \
    }                                                                                    \
    static void log_softmax_##type(const Call *call, int64_t part) {                     \
        int64_t classes = softmax_classes(call), first = part * softmax_group(call), n;  \
        type most[SOFTMAX_ROWS], sum[SOFTMAX_ROWS];                                      \
        for (; (n = softmax_block(call, part, &first)) > 0; first += n) {                \
            const type *restrict x = (const type *)call->in[0].data + first * classes;   \
            type *restrict y = (type *)call->out[0].data + first * classes;              \
            softmax_exp_##type(x, y, n, classes, most, sum);                             \
            for (int64_t r = 0; r < n; r++) {                                            \
                type largest = most[r], log_sum = log_of(sum[r]);                        \
                _Pragma("omp simd") for (int64_t c = r * classes; c < (r + 1) * classes; \
                                         c++) y[c] = (x[c] - largest) - log_sum;         \
            }                                                                            \
        }                                                                                \
    }
SOFTMAX_RUN(float, vmath_log)
SOFTMAX_RUN(double, log)

static void softmax_run(const Call *call, int64_t part) {
    if (call->in[0].dtype == DTYPE_FLOAT32)
        softmax_float(call, part);
    else
        softmax_double(call, part);
}

static void log_softmax_run(const Call *call, int64_t part) {
    if (call->in[0].dtype == DTYPE_FLOAT32)
        log_softmax_float(call, part);
    else
        log_softmax_double(call, part);
}

KERNEL(softmax) = {.cost = softmax_cost, .phase = {{softmax_parts, softmax_run}}};
KERNEL(log_softmax) = {.cost = softmax_cost, .phase = {{softmax_parts, log_softmax_run}}};
