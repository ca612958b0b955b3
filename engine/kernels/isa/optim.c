/* One pass of the optimizer over a variable: each element is read and written once,
 * whatever the number of slots. The formulas are those of Keras 3
 * (keras/src/optimizers), term by term, so that a training run can be compared with
 * one of Keras.
 *
 * Outputs may be the memory of inputs: each loop reads all of element i before it
 * writes. */
#include <math.h>
#include "kernels/isa/loops.h"

static inline float scalar(const Call *call, int operand) {
    return *(const float *)call->in[operand].data;
}

static double update_cost(const Call *call) { return 0.5 * (double)call->in[0].size; }

/* p, g, lr */
static void sgd_run(const Call *call, int64_t part) {
    int64_t begin, end;
    loop_range(call, part, &begin, &end);
    const float *p = call->in[0].data, *g = call->in[1].data;
    float *p_out = call->out[0].data, lr = scalar(call, 2);
#pragma omp simd
    for (int64_t i = begin; i < end; i++) p_out[i] = p[i] - lr * g[i];
}

/* p, m, g, lr, momentum */
static void momentum_run(const Call *call, int64_t part) {
    int64_t begin, end;
    loop_range(call, part, &begin, &end);
    const float *p = call->in[0].data, *m = call->in[1].data, *g = call->in[2].data;
    float *p_out = call->out[0].data, *m_out = call->out[1].data;
    float lr = scalar(call, 3), momentum = scalar(call, 4);
    if (call->attrs.i[0]) {
#pragma omp simd
        for (int64_t i = begin; i < end; i++) {
            float step = lr * g[i], next = momentum * m[i] - step;
            p_out[i] = p[i] + momentum * next - step;
            m_out[i] = next;
        }
    } else {
#pragma omp simd
        for (int64_t i = begin; i < end; i++) {
            float next = momentum * m[i] - lr * g[i];
            p_out[i] = p[i] + next;
            m_out[i] = next;
        }
    }
}

/* p, v, m, a, g, lr, rho, momentum, epsilon. Constant flags give the four loops. */
static inline __attribute__((always_inline)) void
rmsprop_loop(const Call *call, int64_t begin, int64_t end, bool with_m, bool centered) {
    const float *p = call->in[0].data, *v = call->in[1].data, *m = call->in[2].data;
    const float *a = call->in[3].data, *g = call->in[4].data;
    float *p_out = call->out[0].data, *v_out = call->out[1].data;
    float *m_out = call->out[2].data, *a_out = call->out[3].data;
    float lr = scalar(call, 5), rho = scalar(call, 6), momentum = scalar(call, 7);
    float epsilon = scalar(call, 8), rest = 1.0f - rho;
#pragma omp simd
    for (int64_t i = begin; i < end; i++) {
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

static void rmsprop_run(const Call *call, int64_t part) {
    int64_t begin, end;
    bool with_m = call->attrs.i[0], centered = call->attrs.i[1];
    loop_range(call, part, &begin, &end);
    /* Read before anything is written: p may be a scalar too, and take their memory. */
    float unused_m = part == 0 ? scalar(call, 2) : 0;
    float unused_a = part == 0 ? scalar(call, 3) : 0;
    if (with_m && centered) rmsprop_loop(call, begin, end, true, true);
    if (with_m && !centered) rmsprop_loop(call, begin, end, true, false);
    if (!with_m && centered) rmsprop_loop(call, begin, end, false, true);
    if (!with_m && !centered) rmsprop_loop(call, begin, end, false, false);
    if (part == 0 && !with_m) *(float *)call->out[2].data = unused_m;
    if (part == 0 && !centered) *(float *)call->out[3].data = unused_a;
}

/* p, m, v, g, lr, beta_1, beta_2, epsilon, t. Epsilon is added to the root of the
 * uncorrected v; the corrections of m and v are in alpha. */
static void adam_run(const Call *call, int64_t part) {
    int64_t begin, end;
    loop_range(call, part, &begin, &end);
    const float *p = call->in[0].data, *m = call->in[1].data, *v = call->in[2].data;
    const float *g = call->in[3].data;
    float *p_out = call->out[0].data, *m_out = call->out[1].data,
          *v_out = call->out[2].data;
    float beta_1 = scalar(call, 5), beta_2 = scalar(call, 6), epsilon = scalar(call, 7);
    double t = (double)*(const int64_t *)call->in[8].data + 1;
    float alpha =
        (float)(scalar(call, 4) * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t)));
    float rest_1 = 1.0f - beta_1, rest_2 = 1.0f - beta_2;
#pragma omp simd
    for (int64_t i = begin; i < end; i++) {
        float gradient = g[i];
        float next_m = m[i] + (gradient - m[i]) * rest_1;
        float next_v = v[i] + (gradient * gradient - v[i]) * rest_2;
        p_out[i] = p[i] - next_m * alpha / (sqrtf(next_v) + epsilon);
        m_out[i] = next_m;
        v_out[i] = next_v;
    }
}

#define UPDATE_KERNEL(name, run)                                                         \
    KERNEL(name) = {                                                                     \
        .flags = KERNEL_ELEMENTWISE, .cost = update_cost, .phase = {{loop_parts, run}}};
UPDATE_KERNEL(sgd_update, sgd_run)
UPDATE_KERNEL(momentum_update, momentum_run)
UPDATE_KERNEL(rmsprop_update, rmsprop_run)
UPDATE_KERNEL(adam_update, adam_run)
