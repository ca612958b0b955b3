/* Cross entropy of logits, and their softmax, in one pass. The loss of a row is
 * log(sum) - (z[label] - max): no probability is rounded to 0 before its logarithm is
 * taken. With attrs.i[0] it is what Keras computes from probabilities: these are
 * limited to [1e-7, 1 - 1e-7] first. */
#include "kernels/isa/softmax.h"

enum { ATTR_CLIP, ATTR_HAS_IGNORED, ATTR_IGNORED };

#define LIMITED(p, type)                                                                 \
    ((p) < (type)1e-7 ? (type)1e-7 : (p) > (type)(1 - 1e-7) ? (type)(1 - 1e-7) : (p))

/* False: the row has no loss. */
static inline bool find_label(const Call *call, int64_t row, int64_t classes,
                              int64_t *label) {
    *label = ((const int64_t *)call->in[1].data)[row];
    if (call->attrs.i[ATTR_HAS_IGNORED] && *label == call->attrs.i[ATTR_IGNORED])
        return false;
    if ((uint64_t)*label < (uint64_t)classes) return true;
    fault_set(call->fault, row, "label %ld at row %ld is out of range for %ld classes",
              (long)*label, (long)(row + 1), (long)classes);
    return false;
}

#define SPARSE_RUN(type, log_of)                                                         \
    static void sparse_##type(const Call *call, int64_t part) {                          \
        int64_t classes = softmax_classes(call), first = part * softmax_group(call), n;  \
        bool clip = call->attrs.i[ATTR_CLIP];                                            \
        type most[SOFTMAX_ROWS], sum[SOFTMAX_ROWS];                                      \
        for (; (n = softmax_block(call, part, &first)) > 0; first += n) {                \
            const type *z = (const type *)call->in[0].data + first * classes;            \
            type *loss = (type *)call->out[0].data + first;                              \
            type *p = (type *)call->out[1].data + first * classes;                       \
            softmax_exp_##type(z, p, n, classes, most, sum);                             \
            softmax_scale_##type(p, n, classes, sum);                                    \
            for (int64_t r = 0; r < n; r++) {                                            \
                int64_t label, at = r * classes;                                         \
                if (!find_label(call, first + r, classes, &label))                       \
                    loss[r] = 0;                                                         \
                else if (clip)                                                           \
                    loss[r] = -log_of(LIMITED(p[at + label], type));                     \
                else                                                                     \
                    loss[r] = log_of(sum[r]) - (z[at + label] - most[r]);                \
            }                                                                            \
        }                                                                                \
    }
SPARSE_RUN(float, vmath_log)
SPARSE_RUN(double, log)

/* A class of weight 0 adds nothing, whatever its logit. */
#define DENSE_RUN(type, log_of)                                                          \
    static void dense_##type(const Call *call, int64_t part) {                           \
        int64_t classes = softmax_classes(call), first = part * softmax_group(call), n;  \
        bool clip = call->attrs.i[ATTR_CLIP];                                            \
        type most[SOFTMAX_ROWS], sum[SOFTMAX_ROWS];                                      \
        for (; (n = softmax_block(call, part, &first)) > 0; first += n) {                \
            const type *z = (const type *)call->in[0].data + first * classes;            \
            const type *t = (const type *)call->in[1].data + first * classes;            \
            type *loss = (type *)call->out[0].data + first;                              \
            type *p = (type *)call->out[1].data + first * classes;                       \
            softmax_exp_##type(z, p, n, classes, most, sum);                             \
            softmax_scale_##type(p, n, classes, sum);                                    \
            for (int64_t r = 0; r < n; r++) {                                            \
                type log_sum = log_of(sum[r]), total = 0;                                \
                for (int64_t c = r * classes; c < (r + 1) * classes; c++) {              \
                    if (t[c] == 0) continue;                                             \
                    if (clip)                                                            \
                        total -= t[c] * log_of(LIMITED(p[c], type));                     \
                    else                                                                 \
                        total += t[c] * (log_sum - (z[c] - most[r]));                    \
                }                                                                        \
                loss[r] = total;                                                         \
            }                                                                            \
        }                                                                                \
    }
DENSE_RUN(float, vmath_log)
DENSE_RUN(double, log)

static void sparse_run(const Call *call, int64_t part) {
    if (call->in[0].dtype == DTYPE_FLOAT32)
        sparse_float(call, part);
    else
        sparse_double(call, part);
}

static void dense_run(const Call *call, int64_t part) {
    if (call->in[0].dtype == DTYPE_FLOAT32)
        dense_float(call, part);
    else
        dense_double(call, part);
}

KERNEL(sparse_softmax_crossentropy) = {
    .flags = KERNEL_FAULTS, .cost = softmax_cost, .phase = {{softmax_parts, sparse_run}}};
KERNEL(softmax_crossentropy) = {.cost = softmax_cost,
                                .phase = {{softmax_parts, dense_run}}};
