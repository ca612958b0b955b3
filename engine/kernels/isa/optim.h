/* The optimizers' formulas, for the passes over a variable (optim.c) and over the rows of a
 * table that were used (optim_rows.c), which so give the same bits. They are those of
 * Keras 3 (keras/src/optimizers), term by term, so that a training run can be compared with
 * one of Keras.
 *
 * Outputs may be the memory of inputs: each loop reads all of element i before it
 * writes. */
#ifndef CDL_KERNELS_ISA_OPTIM_H
#define CDL_KERNELS_ISA_OPTIM_H
#include <math.h>
#include "kernels/isa/loops.h"

/* Elements of a variable, and their gradient: `rows` runs of `columns`, the first at `at`,
 * the others `stride` further each; the gradient's rows are `columns` apart. */
typedef struct Span {
    int64_t at, rows, columns, stride;
    const float *gradient;
    float rate; /* what a step is multiplied with; see rate_of and adam_rate */
} Span;

/* Runs that are whole blocks of a product are the short ones: with a constant length they
 * need no code around the vectors. Each rule is a function of that length. */
enum { RUN = 64 };
#define INLINE static inline __attribute__((always_inline))
#define STEP(rule, call, span)                                                           \
    (span)->columns == RUN ? rule(call, span, RUN) : rule(call, span, (span)->columns)

INLINE float scalar(const Call *call, int operand) {
    return *(const float *)call->in[operand].data;
}

INLINE float *start_of(const Operand *operand, const Span *span, int64_t row) {
    return (float *)operand->data + span->at + row * span->stride;
}

/* p, g, lr */
INLINE void sgd(const Call *call, const Span *span, int64_t n) {
    const float lr = span->rate;
    for (int64_t row = 0; row < span->rows; row++) {
        const float *p = start_of(&call->in[0], span, row);
        const float *g = span->gradient + row * n;
        float *p_out = start_of(&call->out[0], span, row);
        SIMD_LOOP(i, n) p_out[i] = p[i] - lr * g[i];
    }
}

static inline void sgd_step(const Call *call, const Span *span) { STEP(sgd, call, span); }

/* p, m, g, lr, momentum; i[0] nesterov */
INLINE void momentum(const Call *call, const Span *span, int64_t n) {
    const float lr = span->rate, momentum = scalar(call, 4);
    const bool nesterov = call->attrs.i[0];
    for (int64_t row = 0; row < span->rows; row++) {
        const float *p = start_of(&call->in[0], span, row);
        const float *m = start_of(&call->in[1], span, row);
        const float *g = span->gradient + row * n;
        float *p_out = start_of(&call->out[0], span, row);
        float *m_out = start_of(&call->out[1], span, row);
        SIMD_LOOP(i, n) {
            float step = lr * g[i], next = momentum * m[i] - step;
            p_out[i] = p[i] + (nesterov ? momentum * next - step : next);
            m_out[i] = next;
        }
    }
}

static inline void momentum_step(const Call *call, const Span *span) {
    STEP(momentum, call, span);
}

/* p, a, g, lr, epsilon */
INLINE void adagrad(const Call *call, const Span *span, int64_t n) {
    const float lr = span->rate, epsilon = scalar(call, 4);
    for (int64_t row = 0; row < span->rows; row++) {
        const float *p = start_of(&call->in[0], span, row);
        const float *a = start_of(&call->in[1], span, row);
        const float *g = span->gradient + row * n;
        float *p_out = start_of(&call->out[0], span, row);
        float *a_out = start_of(&call->out[1], span, row);
        SIMD_LOOP(i, n) {
            float sum = a[i] + g[i] * g[i];
            p_out[i] = p[i] - g[i] * lr / sqrtf(sum + epsilon);
            a_out[i] = sum;
        }
    }
}

static inline void adagrad_step(const Call *call, const Span *span) {
    STEP(adagrad, call, span);
}

/* p, v, m, a, g, lr, rho, momentum, epsilon. Constant flags give the four loops. */
INLINE void rmsprop_with(const Call *call, const Span *span, int64_t n, bool with_m,
                         bool centered) {
    const float lr = span->rate, rho = scalar(call, 6), momentum = scalar(call, 7);
    const float epsilon = scalar(call, 8), rest = 1.0f - rho;
    for (int64_t row = 0; row < span->rows; row++) {
        const float *p = start_of(&call->in[0], span, row);
        const float *v = start_of(&call->in[1], span, row);
        const float *m = with_m ? start_of(&call->in[2], span, row) : NULL;
        const float *a = centered ? start_of(&call->in[3], span, row) : NULL;
        const float *g = span->gradient + row * n;
        float *p_out = start_of(&call->out[0], span, row);
        float *v_out = start_of(&call->out[1], span, row);
        float *m_out = with_m ? start_of(&call->out[2], span, row) : NULL;
        float *a_out = centered ? start_of(&call->out[3], span, row) : NULL;
        SIMD_LOOP(i, n) {
            float gradient = g[i], old = p[i], before = with_m ? m[i] : 0;
            float square = rho * v[i] + rest * (gradient * gradient);
            float average = centered ? rho * a[i] + rest * gradient : 0;
            float under = square + epsilon;
            if (centered) under -= average * average;
            float step = lr * gradient / sqrtf(under);
            if (with_m) step = momentum * before + step;
            p_out[i] = old - step;
            v_out[i] = square;
            if (with_m) m_out[i] = step;
            if (centered) a_out[i] = average;
        }
    }
}

INLINE void rmsprop(const Call *call, const Span *span, int64_t n) {
    const bool with_m = call->attrs.i[0], centered = call->attrs.i[1];
    if (with_m && centered) rmsprop_with(call, span, n, true, true);
    if (with_m && !centered) rmsprop_with(call, span, n, true, false);
    if (!with_m && centered) rmsprop_with(call, span, n, false, true);
    if (!with_m && !centered) rmsprop_with(call, span, n, false, false);
}

/* i[0] use m, i[1] centered: use a. Those not used are scalars, which come back. */
static inline void rmsprop_step(const Call *call, const Span *span) {
    const bool with_m = call->attrs.i[0], centered = call->attrs.i[1];
    /* Read before anything is written: p may be a scalar too, and take their memory. */
    const bool first = span->at == 0;
    const float unused_m = first ? scalar(call, 2) : 0;
    const float unused_a = first ? scalar(call, 3) : 0;
    STEP(rmsprop, call, span);
    if (first && !with_m) *(float *)call->out[2].data = unused_m;
    if (first && !centered) *(float *)call->out[3].data = unused_a;
}

/* p, m, v, g, lr, beta_1, beta_2, epsilon, t. Epsilon is added to the root of the
 * uncorrected v; the corrections of m and v are in the rate. */
INLINE void adam(const Call *call, const Span *span, int64_t n) {
    const float rest_1 = 1.0f - scalar(call, 5), rest_2 = 1.0f - scalar(call, 6);
    const float alpha = span->rate, epsilon = scalar(call, 7);
    for (int64_t row = 0; row < span->rows; row++) {
        const float *p = start_of(&call->in[0], span, row);
        const float *m = start_of(&call->in[1], span, row);
        const float *v = start_of(&call->in[2], span, row);
        const float *g = span->gradient + row * n;
        float *p_out = start_of(&call->out[0], span, row);
        float *m_out = start_of(&call->out[1], span, row);
        float *v_out = start_of(&call->out[2], span, row);
        SIMD_LOOP(i, n) {
            float gradient = g[i];
            float next_m = m[i] + (gradient - m[i]) * rest_1;
            float next_v = v[i] + (gradient * gradient - v[i]) * rest_2;
            p_out[i] = p[i] - next_m * alpha / (sqrtf(next_v) + epsilon);
            m_out[i] = next_m;
            v_out[i] = next_v;
        }
    }
}

static inline void adam_step(const Call *call, const Span *span) {
    STEP(adam, call, span);
}

/* ---- rates ---- */

/* The learning rate stands behind the gradient. */
static inline float rate_of(const Call *call, int gradient) {
    return scalar(call, gradient + 1);
}

static inline float adam_rate(const Call *call, int gradient) {
    const float beta_1 = scalar(call, 5), beta_2 = scalar(call, 6);
    const double t = (double)*(const int64_t *)call->in[8].data + 1;
    return (float)(scalar(call, 4) * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t)));
}

typedef struct Update {
    void (*step)(const Call *call, const Span *span);
    float (*rate)(const Call *call, int gradient);
    int gradient; /* its place among the inputs */
} Update;

static const Update sgd_update = {sgd_step, rate_of, 1};
static const Update momentum_update = {momentum_step, rate_of, 2};
static const Update adagrad_update = {adagrad_step, rate_of, 2};
static const Update rmsprop_update = {rmsprop_step, rate_of, 4};
static const Update adam_update = {adam_step, adam_rate, 3};

#endif
