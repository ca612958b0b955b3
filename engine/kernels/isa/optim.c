/* One pass of the optimizer over a variable: each element is read and written once,
 * whatever the number of slots. The formulas are those of Keras 3
 * (keras/src/optimizers), term by term, so that a training run can be compared with
 * one of Keras.
 *
 * The rows named after a product have no gradient in memory: each part computes a block of
 * it and updates with that while it is in the first level cache.
 *
 * Outputs may be the memory of inputs: each loop reads all of element i before it
 * writes. */
#include <math.h>
#include "kernels/isa/gemm.h"
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

static void sgd_step(const Call *call, const Span *span) { STEP(sgd, call, span); }

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

static void momentum_step(const Call *call, const Span *span) {
    STEP(momentum, call, span);
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
static void rmsprop_step(const Call *call, const Span *span) {
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

static void adam_step(const Call *call, const Span *span) { STEP(adam, call, span); }

/* ---- rates ---- */

/* The learning rate stands behind the gradient. */
static float rate_of(const Call *call, int gradient) {
    return scalar(call, gradient + 1);
}

static float adam_rate(const Call *call, int gradient) {
    const float beta_1 = scalar(call, 5), beta_2 = scalar(call, 6);
    const double t = (double)*(const int64_t *)call->in[8].data + 1;
    return (float)(scalar(call, 4) * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t)));
}

typedef struct Update {
    void (*step)(const Call *call, const Span *span);
    float (*rate)(const Call *call, int gradient);
    int gradient; /* its place among the inputs */
} Update;

/* ---- the gradient from memory ---- */

static double update_cost(const Call *call) { return 0.5 * (double)call->in[0].size; }

static void update_run(const Call *call, int64_t part, const Update *update) {
    int64_t begin, end;
    loop_range(call, part, &begin, &end);
    const float *g = call->in[update->gradient].data;
    Span span = {begin, 1,         end - begin,
                 0,     g + begin, update->rate(call, update->gradient)};
    update->step(call, &span);
}

/* ---- the gradient from a product: a where the gradient stood, b last ---- */

/* Elements of the gradient that exist at a time: half of the first level cache. */
enum { BLOCK = 4096, TILE_ROWS = 12 };

/* The whole product; its result would lie like p. i[2] transpose a, i[3] transpose b */
static Gemm product_of(const Call *call, int a) {
    const Operand *p = &call->out[0], *b = &call->in[call->n_in - 1];
    const bool ta = call->attrs.i[2], tb = call->attrs.i[3];
    return gemm_of(call->in[a].data, ta, b->data, tb, p->data, p->shape.dim[0],
                   p->shape.dim[1], b->shape.dim[tb ? 1 : 0], DTYPE_FLOAT32);
}

static GemmCut cut_of(const Gemm *g) {
    return gemm_cut(g->rows, g->columns, g->depth, g->dtype);
}

static int64_t product_parts(const Call *call) {
    Gemm g = product_of(call, 0);
    GemmCut cut = cut_of(&g);
    return cut.row_blocks * cut.column_blocks;
}

static double product_flops(const Call *call) {
    Gemm g = product_of(call, 0);
    return 2.0 * (double)g.rows * (double)g.columns * (double)g.depth;
}

static double product_cost(const Call *call) {
    Gemm g = product_of(call, 0);
    return gemm_cost(g.rows, g.columns, g.depth, g.dtype) + update_cost(call);
}

/* Has the span's elements of the variables come while the product is computed. */
static void fetch(const Call *call, const Span *span) {
    const int64_t line = 64 / sizeof(float);
    for (int k = 0; k < call->n_out; k++) {
        if (call->in[k].size != call->out[0].size) continue;
        for (int64_t row = 0; row < span->rows; row++)
            for (int64_t i = 0; i < span->columns; i += line)
                __builtin_prefetch(start_of(&call->in[k], span, row) + i, 0, 2);
    }
}

/* Whole rows lie one after the other. */
static void step_over(const Call *call, Span span, const Update *update) {
    if (span.columns == span.stride) {
        span.columns *= span.rows;
        span.rows = 1;
    }
    update->step(call, &span);
}

static void product_run(const Call *call, int64_t part, const Update *update) {
    if (!call->out[0].size) return;
    float block[BLOCK] __attribute__((aligned(64)));
    Gemm g = product_of(call, update->gradient);
    const GemmCut cut = cut_of(&g);
    gemm_narrow(&g, &cut, part);
    const int64_t rows = g.rows, strip = BLOCK / g.columns / TILE_ROWS * TILE_ROWS;
    const int64_t at = (const float *)g.c - (const float *)call->out[0].data;
    const float *from = g.a;
    Span span = {.columns = g.columns,
                 .stride = g.c_row,
                 .gradient = block,
                 .rate = update->rate(call, update->gradient)};
    g.c = block;
    g.c_row = g.columns;
    for (int64_t row = 0; row < rows; row += strip) {
        g.rows = span.rows = rows - row < strip ? rows - row : strip;
        g.a = from + row * g.a_row;
        span.at = at + row * span.stride;
        fetch(call, &span);
        gemm_run(&g);
        step_over(call, span, update);
    }
}

#define UPDATE_KERNELS(name, rule, rate, gradient)                                       \
    static const Update rule##_update = {rule##_step, rate, gradient};                   \
    static void rule##_run(const Call *call, int64_t part) {                             \
        update_run(call, part, &rule##_update);                                          \
    }                                                                                    \
    static void rule##_product_run(const Call *call, int64_t part) {                     \
        product_run(call, part, &rule##_update);                                         \
    }                                                                                    \
    KERNEL(name) = {.flags = KERNEL_ELEMENTWISE,                                         \
                    .cost = update_cost,                                                 \
                    .phase = {{loop_parts, rule##_run}}};                                \
    KERNEL(matmul_##name) = {.flags = KERNEL_IN_PLACE,                                   \
                             .cost = product_cost,                                       \
                             .flops = product_flops,                                     \
                             .phase = {{product_parts, rule##_product_run}}};
UPDATE_KERNELS(sgd_update, sgd, rate_of, 1)
UPDATE_KERNELS(momentum_update, momentum, rate_of, 2)
UPDATE_KERNELS(rmsprop_update, rmsprop, rate_of, 4)
UPDATE_KERNELS(adam_update, adam, adam_rate, 3)
