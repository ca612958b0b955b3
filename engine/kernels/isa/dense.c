/* activation(x w + b): a matrix product whose epilogue adds the bias and applies relu
 * while the sums are still in registers; tanh and sigmoid pass over the part's block in
 * the cache. */
#include "kernels/isa/gemm.h"
#include "kernels/isa/vmath.h"

enum { LINEAR, RELU, TANH, SIGMOID };

static Gemm product(const Call *call) {
    const Operand *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
    int64_t K = w->shape.dim[0], N = w->shape.dim[1]; /* x (M, K), w (K, N), y (M, N) */
    Gemm g = gemm_of(x->data, false, w->data, false, y->data, N ? y->size / N : 0, N, K,
                     y->dtype);
    g.bias = call->in[2].data;
    g.relu = call->attrs.i[0] == RELU;
    return g;
}

static GemmCut cut_of(const Call *call) {
    Gemm g = product(call);
    return gemm_cut(g.rows, g.columns, g.depth, g.dtype);
}

static int64_t parts(const Call *call) {
    GemmCut cut = cut_of(call);
    return cut.row_blocks * cut.column_blocks;
}

static double cost(const Call *call) {
    Gemm g = product(call);
    double each = call->attrs.i[0] >= TANH ? (g.dtype == DTYPE_FLOAT32 ? 0.7 : 10) : 0;
    return gemm_cost(g.rows, g.columns, g.depth, g.dtype) +
           each * (double)call->out[0].size;
}

static double flops(const Call *call) {
    Gemm g = product(call);
    return 2.0 * (double)g.rows * (double)g.columns * (double)g.depth;
}

static void activate_float(float *restrict y, int64_t n, int64_t activation) {
    if (activation == TANH) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) y[i] = vmath_tanh(y[i]);
    } else {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) y[i] = vmath_sigmoid(y[i]);
    }
}

static void activate_double(double *restrict y, int64_t n, int64_t activation) {
    for (int64_t i = 0; i < n; i++)
        y[i] = activation == TANH ? tanh(y[i]) : 1 / (1 + exp(-y[i]));
}

static void run(const Call *call, int64_t part) {
    Gemm g = product(call);
    if (!call->out[0].size) return;
    GemmCut cut = cut_of(call);
    gemm_narrow(&g, &cut, part);
    gemm_run(&g);
    int64_t activation = call->attrs.i[0];
    if (activation < TANH) return;
    for (int64_t m = 0; m < g.rows; m++) {
        if (g.dtype == DTYPE_FLOAT32)
            activate_float((float *)g.c + m * g.c_row, g.columns, activation);
        else
            activate_double((double *)g.c + m * g.c_row, g.columns, activation);
    }
}

extern KERNEL(dense);
KERNEL(dense) = {.cost = cost, .flops = flops, .phase = {{parts, run}}};
