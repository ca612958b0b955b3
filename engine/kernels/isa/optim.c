/* One pass of the optimizer over a variable: each element is read and written once,
 * whatever the number of slots.
 *
 * The rows named after a product have no gradient in memory: each part computes a block of
 * it and updates with that while it is in the first level cache. */
#include "kernels/isa/gemm.h"
#include "kernels/isa/optim.h"

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

/* The gradient exists in strips of a part's rows, whole tiles high: of STRIP elements, which
 * stay in the first level cache; or of HIGH rows where B is packed for each strip. */
enum { STRIP = 4096, TILE_ROWS = 12, HIGH = 60, MOST_COLUMNS = 256 };

static int64_t strip_rows(const Gemm *g) {
    return gemm_streams(g, g->columns) ? STRIP / g->columns / TILE_ROWS * TILE_ROWS
                                       : HIGH;
}

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

/* Has the span's elements of the variables come while the product is computed. The
 * variables take turns: one after the other, in equal steps, they cost more than they save
 * when the third level is busy. */
static void fetch(const Call *call, const Span *span) {
    const int64_t line = 64 / sizeof(float);
    for (int64_t row = 0; row < span->rows; row++)
        for (int64_t i = 0; i < span->columns; i += line)
            for (int k = 0; k < call->n_out; k++)
                if (call->in[k].size == call->out[0].size)
                    __builtin_prefetch(start_of(&call->in[k], span, row) + i, 0, 2);
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
    float block[HIGH * MOST_COLUMNS] __attribute__((aligned(64)));
    Gemm g = product_of(call, update->gradient);
    const GemmCut cut = cut_of(&g);
    gemm_narrow(&g, &cut, part);
    const int64_t rows = g.rows, strip = strip_rows(&g);
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

#define UPDATE_KERNELS(rule)                                                             \
    static void rule##_run(const Call *call, int64_t part) {                             \
        update_run(call, part, &rule##_update);                                          \
    }                                                                                    \
    static void rule##_product_run(const Call *call, int64_t part) {                     \
        product_run(call, part, &rule##_update);                                         \
    }                                                                                    \
    KERNEL(rule##_update) = {.flags = KERNEL_ELEMENTWISE,                                \
                             .cost = update_cost,                                        \
                             .phase = {{loop_parts, rule##_run}}};                       \
    KERNEL(matmul_##rule##_update) = {.flags = KERNEL_IN_PLACE,                          \
                                      .cost = product_cost,                              \
                                      .flops = product_flops,                            \
                                      .phase = {{product_parts, rule##_product_run}}};
UPDATE_KERNELS(sgd)
UPDATE_KERNELS(momentum)
UPDATE_KERNELS(adagrad)
UPDATE_KERNELS(rmsprop)
UPDATE_KERNELS(adam)
