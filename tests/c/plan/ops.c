/* Every op of the table, planned and eager. */
#include "base/mem.h"
#include "support.h"

typedef struct Case {
    OpId op;
    Attrs attrs;
    int n_in;
    Type in[11];
} Case;

/* clang-format off: the cases are a table. */
#define F DTYPE_FLOAT32
#define D DTYPE_FLOAT64
#define I DTYPE_INT64
#define B DTYPE_BOOL
#define U DTYPE_UINT8
#define T0(dtype)                                                                        \
    {                                                                                    \
        dtype, {                                                                         \
            0, { 0 }                                                                     \
        }                                                                                \
    }
#define T1(dtype, a)                                                                     \
    {                                                                                    \
        dtype, {                                                                         \
            1, { a }                                                                     \
        }                                                                                \
    }
#define T2(dtype, a, b)                                                                  \
    {                                                                                    \
        dtype, {                                                                         \
            2, { a, b }                                                                  \
        }                                                                                \
    }
#define T3(dtype, a, b, c)                                                               \
    {                                                                                    \
        dtype, {                                                                         \
            3, { a, b, c }                                                               \
        }                                                                                \
    }
#define T4(dtype, a, b, c, d)                                                            \
    {                                                                                    \
        dtype, {                                                                         \
            4, { a, b, c, d }                                                            \
        }                                                                                \
    }
#define UNARY(name)                                                                      \
    {                                                                                    \
        OP_##name, {{0}, {0}}, 1, { T2(F, 70, 300) }                                     \
    }
#define BINARY(name)                                                                     \
    {                                                                                    \
        OP_##name, {{0}, {0}}, 2, { T2(F, 70, 300), T1(F, 300) }                         \
    }
#define REDUCE(name)                                                                     \
    {                                                                                    \
        OP_##name, {{1, 1}, {0}}, 1, { T2(F, 70, 300) }                                  \
    }
#define UPDATE(...)                                                                      \
    { __VA_ARGS__ }

static const Case cases[] = {
    UNARY(neg),
    UNARY(abs),
    UNARY(sign),
    UNARY(square),
    UNARY(relu),
    UNARY(floor),
    UNARY(ceil),
    UNARY(round),
    UNARY(exp),
    UNARY(expm1),
    UNARY(log),
    UNARY(log1p),
    UNARY(sqrt),
    UNARY(rsqrt),
    UNARY(reciprocal),
    UNARY(sin),
    UNARY(cos),
    UNARY(tanh),
    UNARY(sigmoid),
    UNARY(erf),
    UNARY(gelu),
    UNARY(softplus),
    UNARY(isfinite),
    UNARY(stop_gradient),
    {OP_not_, {{0}, {0}}, 1, {T1(B, 50)}},
    {OP_cast, {{DTYPE_INT32}, {0}}, 1, {T2(F, 9, 7)}},
    {OP_cast, {{DTYPE_FLOAT32}, {0}}, 1, {T2(U, 90, 700)}},
    {OP_clip, {{0}, {-0.5, 0.5}}, 1, {T2(F, 70, 300)}},
    BINARY(add),
    BINARY(sub),
    BINARY(mul),
    BINARY(div),
    BINARY(pow),
    BINARY(arctan2),
    BINARY(floordiv),
    BINARY(mod),
    BINARY(maximum),
    BINARY(minimum),
    BINARY(relu_grad),
    BINARY(eq),
    BINARY(ne),
    BINARY(lt),
    BINARY(le),
    BINARY(gt),
    BINARY(ge),
    {OP_add, {{0}, {0}}, 2, {T2(I, 5, 1), T2(I, 1, 6)}},
    {OP_mul, {{0}, {0}}, 2, {T2(D, 70, 1), T2(D, 70, 300)}},
    {OP_and_, {{0}, {0}}, 2, {T1(B, 50), T1(B, 50)}},
    {OP_or_, {{0}, {0}}, 2, {T1(B, 50), T1(B, 1)}},
    {OP_where, {{0}, {0}}, 3, {T2(B, 70, 300), T2(F, 70, 300), T0(F)}},
    REDUCE(sum),
    REDUCE(mean),
    REDUCE(prod),
    REDUCE(max),
    REDUCE(min),
    REDUCE(logsumexp),
    {OP_sum, {{3}, {0}}, 1, {T2(F, 300, 200)}},
    {OP_sum, {{2}, {0}}, 1, {T3(D, 3, 40, 50)}},
    {OP_all, {{2}, {0}}, 1, {T2(B, 40, 30)}},
    {OP_any, {{3}, {0}}, 1, {T2(B, 40, 30)}},
    {OP_argmax, {{1, 1}, {0}}, 1, {T2(F, 40, 30)}},
    {OP_argmin, {{0}, {0}}, 1, {T2(F, 40, 30)}},
    {OP_cumsum, {{1}, {0}}, 1, {T2(F, 40, 30)}},
    {OP_sort, {{1}, {0}}, 1, {T2(F, 40, 30)}},
    {OP_reshape, {{2, 600, 35}, {0}}, 1, {T2(F, 70, 300)}},
    {OP_permute, {{1, 0}, {0}}, 1, {T2(F, 70, 300)}},
    {OP_broadcast_to, {{2, 70, 300}, {0}}, 1, {T1(F, 300)}},
    {OP_slice, {{1, 8, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 2, -2}, {0}}, 1, {T2(F, 7, 9)}},
    {OP_unslice, {{1, 8, 0, 0, 0, 0, 7, 9, 0, 0, 0, 0, 2, -2}, {0}}, 1, {T2(F, 3, 4)}},
    {OP_pad, {{1, 2, 0, 3}, {0.5}}, 1, {T2(F, 7, 9)}},
    {OP_concat, {{1}, {0}}, 3, {T2(F, 7, 9), T2(F, 7, 1), T2(F, 7, 4)}},
    {OP_gather, {{0}, {0}}, 2, {T2(F, 4, 90), T1(I, 30)}},
    {OP_scatter, {{0, 5}, {0}}, 2, {T2(F, 30, 9), T1(I, 30)}},
    {OP_index_order, {{5}, {0}}, 1, {T1(I, 30)}},
    {OP_take_along, {{1}, {0}}, 2, {T2(F, 30, 5), T2(I, 30, 2)}},
    {OP_put_along, {{1, 5}, {0}}, 2, {T2(F, 30, 2), T2(I, 30, 2)}},
    {OP_one_hot, {{6}, {0}}, 1, {T1(I, 30)}},
    {OP_matmul, {{0}, {0}}, 2, {T2(F, 65, 40), T2(F, 40, 130)}},
    {OP_matmul, {{1}, {0}}, 2, {T3(D, 3, 20, 17), T2(D, 20, 31)}},
    {OP_dense, {{1}, {0}}, 3, {T2(F, 65, 40), T2(F, 40, 130), T1(F, 130)}},
    {OP_conv,
     {{2, 1, 0, 1, 0, 1, 1, 0, 0, 1, 2, 0, 2}, {0}},
     2,
     {T4(F, 9, 20, 21, 6), T4(F, 3, 2, 3, 40)}},
    {OP_conv,
     {{1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 20}, {0}},
     2,
     {T4(F, 5, 9, 9, 20), T4(F, 3, 3, 1, 20)}},
    {OP_conv,
     {{1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1}, {0}},
     2,
     {T4(F, 5, 9, 9, 20), T4(F, 1, 1, 20, 30)}},
    {OP_conv_bias,
     {{1, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1}, {0}},
     3,
     {T3(F, 7, 90, 5), T3(F, 3, 5, 40), T1(F, 40)}},
    {OP_conv_grad_input,
     {{2, 1, 0, 1, 0, 1, 1, 0, 0, 1, 2, 0, 2, 0, 20, 21}, {0}},
     2,
     {T4(F, 9, 10, 19, 40), T4(F, 3, 3, 3, 40)}},
    {OP_conv_grad_kernel,
     {{2, 1, 0, 1, 0, 1, 1, 0, 0, 1, 2, 0, 2, 0, 3, 3}, {0}},
     2,
     {T4(F, 9, 20, 21, 6), T4(F, 9, 10, 19, 40)}},
    {OP_conv_grad_kernel,
     {{1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 20, 0, 3, 3}, {0}},
     2,
     {T4(F, 5, 9, 9, 20), T4(F, 5, 9, 9, 20)}},
    {OP_max_pool, {{2, 2, 0, 0, 1, 0, 0, 0, 0, 2, 3}, {0}}, 1, {T4(F, 6, 19, 20, 17)}},
    {OP_max_pool_grad,
     {{2, 2, 0, 0, 1, 0, 0, 0, 0, 2, 3}, {0}},
     2,
     {T4(F, 6, 19, 20, 17), T4(F, 6, 10, 9, 17)}},
    {OP_max_pool_pick,
     {{2, 2, 0, 0, 1, 0, 0, 0, 0, 2, 3}, {0}},
     2,
     {T4(F, 6, 19, 20, 17), T4(F, 6, 19, 20, 17)}},
    {OP_average_pool,
     {{2, 1, 0, 1, 1, 0, 0, 0, 0, 2, 3}, {0}},
     1,
     {T4(F, 6, 19, 20, 17)}},
    {OP_average_pool_grad,
     {{2, 1, 0, 1, 1, 0, 0, 0, 0, 2, 3, 0, 19, 20}, {0}},
     1,
     {T4(F, 6, 10, 18, 17)}},
    {OP_conv_pool,
     {{1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 2, 3, 0, 0, 1, 1, 0, 0, 0, 2, 3, 0, 1},
      {0}},
     3,
     {T4(F, 6, 19, 20, 5), T4(F, 3, 3, 5, 40), T1(F, 40)}},
    {OP_resize, {{1, 30, 1, 1}, {0}}, 1, {T4(F, 6, 40, 20, 17)}},
    {OP_resize, {{2, 50, 0, 0}, {0}}, 1, {T4(F, 6, 40, 20, 3)}},
    {OP_resize_grad, {{1, 40, 1, 1}, {0}}, 1, {T4(F, 6, 30, 20, 17)}},
    {OP_resize_grad, {{0, 9, 0, 0}, {0}}, 1, {T2(F, 5, 1100)}},
    {OP_affine_transform, {{1, 2}, {0}}, 2, {T4(F, 6, 19, 20, 3), T2(F, 6, 8)}},
    {OP_affine_transform, {{0, 0}, {0.5}}, 2, {T4(F, 6, 19, 20, 3), T2(F, 1, 8)}},
    {OP_affine_transform_grad, {{1, 1}, {0}}, 2, {T4(F, 6, 19, 20, 3), T2(F, 6, 8)}},
    {OP_rnn,
     {{0, 1, 2}, {0}},
     6,
     {T3(F, 9, 7, 5), T2(F, 5, 33), T2(F, 33, 33), T1(F, 33), T2(F, 9, 33), T2(B, 9, 7)}},
    {OP_rnn_saving,
     {{1, 0, 0}, {0}},
     5,
     {T3(F, 35, 6, 20), T2(F, 20, 51), T2(F, 17, 51), T2(F, 2, 51), T2(F, 35, 17)}},
    {OP_rnn_saving,
     {{2, 0, 0}, {0}},
     7,
     {T3(F, 35, 6, 70), T2(F, 70, 68), T2(F, 17, 68), T1(F, 68), T2(F, 35, 17),
      T2(F, 35, 17), T2(B, 35, 6)}},
    {OP_rnn_grad,
     {{2, 0, 0, 5, 1}, {0}},
     10,
     {T3(F, 35, 6, 70), T2(F, 70, 68), T2(F, 17, 68), T1(F, 68), T2(F, 35, 17),
      T2(F, 35, 17), T3(F, 35, 6, 17), T1(U, 35 * 6 * 17 * 20), T3(F, 35, 6, 17),
      T2(F, 35, 17)}},
    {OP_rnn_grad,
     {{1, 1, 0, 2, 0}, {0}},
     9,
     {T3(F, 35, 6, 20), T2(F, 20, 51), T2(F, 17, 51), T2(F, 2, 51), T2(F, 35, 17),
      T2(F, 35, 6), T3(F, 35, 6, 17), T1(U, 35 * 6 * 17 * 16), T2(F, 35, 17)}},
    {OP_rnn_grad,
     {{1, 0, 0, 3, 1, 1}, {0}},
     11,
     {T3(F, 20, 4, 9), T2(F, 9, 51), T2(F, 17, 51), T2(F, 2, 51), T2(F, 20, 17),
      T3(F, 3, 20, 9), T3(F, 3, 20, 17), T3(F, 20, 4, 17), T1(U, 20 * 4 * 17 * 16),
      T3(F, 20, 4, 17), T2(F, 20, 17)}},
    UNARY(softmax),
    UNARY(log_softmax),
    {OP_sparse_softmax_crossentropy, {{0}, {0}}, 2, {T2(F, 65, 10), T1(I, 65)}},
    {OP_standardise, {{1, 1}, {1e-3}}, 1, {T2(F, 70, 300)}},
    {OP_standardise, {{0, 2}, {1e-3}}, 1, {(Type){F, {.ndim = 3, .dim = {70, 31, 90}}}}},
    {OP_standardise_grad,
     {{1, 1}, {0.1}},
     3,
     {T2(F, 70, 300), T2(F, 70, 1), T2(F, 70, 300)}},
    {OP_standardise_grad,
     {{0, 1}, {0.1}},
     3,
     {T2(F, 700, 80), T2(F, 1, 80), T2(F, 700, 80)}},
    {OP_softmax_crossentropy, {{1}, {0}}, 2, {T2(F, 65, 10), T2(F, 65, 10)}},
    {OP_random_uniform, {{3, F, 2, 50, 60}, {-1, 1}}, 1, {T1(I, 2)}},
    {OP_random_normal, {{3, F, 2, 50, 60}, {0, 1, 1}}, 1, {T1(I, 2)}},
    {OP_random_int, {{3, I, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 9}, {0}}, 1, {T1(I, 2)}},
    {OP_random_bernoulli, {{3, F, 2, 50, 60}, {0.3}}, 1, {T1(I, 2)}},
    {OP_random_permutation, {{3, I, 1, 100}, {0}}, 1, {T1(I, 2)}},
    {OP_dropout, {{3, 0, 2, 50, 60}, {0.3}}, 2, {T2(F, 50, 60), T1(I, 2)}},
    UPDATE(OP_sgd_update, {{0}, {0}}, 3, {T2(F, 90, 110), T2(F, 90, 110), T0(F)}),
    UPDATE(OP_momentum_update, {{1}, {0}}, 5,
           {T2(F, 90, 110), T2(F, 90, 110), T2(F, 90, 110), T0(F), T0(F)}),
    UPDATE(OP_adagrad_update, {{0}, {0}}, 5,
           {T2(F, 90, 110), T2(F, 90, 110), T2(F, 90, 110), T0(F), T0(F)}),
    UPDATE(
        OP_rmsprop_update, {{1, 0}, {0}}, 9,
        {T1(F, 90), T1(F, 90), T1(F, 90), T0(F), T1(F, 90), T0(F), T0(F), T0(F), T0(F)}),
    UPDATE(
        OP_adam_update, {{0}, {0}}, 9,
        {T1(F, 90), T1(F, 90), T1(F, 90), T1(F, 90), T0(F), T0(F), T0(F), T0(F), T0(I)}),
    UPDATE(OP_matmul_sgd_update, {{0, 0, 0, 1}, {0}}, 4,
           {T2(F, 190, 150), T2(F, 190, 70), T0(F), T2(F, 150, 70)}),
    UPDATE(OP_matmul_momentum_update, {{0, 0, 1, 1}, {0}}, 6,
           {T2(F, 90, 300), T2(F, 90, 300), T2(F, 70, 90), T0(F), T0(F), T2(F, 300, 70)}),
    UPDATE(OP_matmul_adagrad_update, {{0, 0, 1, 1}, {0}}, 6,
           {T2(F, 90, 300), T2(F, 90, 300), T2(F, 70, 90), T0(F), T0(F), T2(F, 300, 70)}),
    UPDATE(OP_matmul_rmsprop_update, {{1, 0, 0, 0}, {0}}, 10,
           {T2(F, 200, 9), T2(F, 200, 9), T2(F, 200, 9), T0(F), T2(F, 200, 70), T0(F),
            T0(F), T0(F), T0(F), T2(F, 70, 9)}),
    UPDATE(OP_matmul_adam_update, {{0, 0, 1, 0}, {0}}, 10,
           {T2(F, 300, 200), T2(F, 300, 200), T2(F, 300, 200), T2(F, 70, 300), T0(F),
            T0(F), T0(F), T0(F), T0(I), T2(F, 70, 200)}),
    /* the indices stand in the place of their order */
    UPDATE(OP_sgd_rows, {{0}, {0}}, 4,
           {T2(F, 90, 110), T2(F, 30, 110), T0(F), T1(I, 30)}),
    UPDATE(OP_momentum_rows, {{1}, {0}}, 6,
           {T2(F, 9, 11), T2(F, 9, 11), T2(F, 30, 11), T0(F), T0(F), T1(I, 30)}),
    UPDATE(OP_adagrad_rows, {{0}, {0}}, 6,
           {T2(F, 9, 11), T2(F, 9, 11), T2(F, 30, 11), T0(F), T0(F), T1(I, 30)}),
    UPDATE(OP_rmsprop_rows, {{1, 0}, {0}}, 10,
           {T1(F, 90), T1(F, 90), T1(F, 90), T0(F), T1(F, 30), T0(F), T0(F), T0(F), T0(F),
            T1(I, 30)}),
    UPDATE(OP_adam_rows, {{0}, {0}}, 10,
           {T1(F, 90), T1(F, 90), T1(F, 90), T1(F, 30), T0(F), T0(F), T0(F), T0(F), T0(I),
            T1(I, 30)}),
};

/* clang-format on */

/* An op between two others, so that its operands lie in scratch and its result is read.
 */
static void compare(const Case *c) {
    Graph *g = graph_new();
    Tensor ports[11];
    NodeId in[11], out[OP_MAX_OUT + 1];
    /* These take for granted that squares are not below 0, and rows in order. */
    bool rows = op_table[c->op].shape == op_table[OP_sgd_rows].shape;
    for (int k = 0; k < c->n_in; k++) {
        ports[k] = random_tensor(c->in[k].dtype, c->in[k].shape);
        in[k] = graph_input(g, k, c->in[k]);
        if (c->in[k].dtype == F) in[k] = graph_op1(g, rows ? OP_square : OP_neg, in[k]);
    }
    if (rows)
        in[c->n_in - 1] =
            graph_op(g, OP_index_order, &(Attrs){.i = {4}}, 1, &in[c->n_in - 1]);
    NodeId node = graph_op(g, c->op, &c->attrs, c->n_in, in);
    int n_out = op_table[c->op].n_out;
    for (int k = 0; k < n_out; k++) out[k] = node + k;
    out[n_out] = graph_op2(g, OP_add, node, node);
    if (g->err.set) fprintf(stderr, "%s: %s\n", op_name(c->op), g->err.text);
    CHECK(!g->err.set && plan_agrees(g, c->n_in, ports, n_out + 1, out));
    CHECK(!g->err.set && plan_agrees(g, c->n_in, ports, 1, &out[n_out]));
    release_all(c->n_in, ports);
    graph_free(g);
}

static void planned_equals_eager(void) {
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) compare(&cases[k]);
}

static void planned_equals_eager_with_poison(void) {
    plan_set_poison(true);
    planned_equals_eager();
    plan_set_poison(false);
}

/* Through a pooling and the relu before it in one pass: the bits are those of two. */
static void pool_and_relu(void) {
    const Attrs pools[] = {{.i = {2, 2, 0, 0, 0, 0, 0, 0, 0, 2, 2}},
                           {.i = {1, 2, 0, 0, 1, 0, 0, 0, 0, 3, 2}}};
    for (int k = 0; k < 2; k++) {
        Graph *g = graph_new();
        Tensor port = random_tensor(F, shape_of(4, 3L, 8L, 9L, 19L));
        NodeId x = graph_input(g, 0, (Type){F, port.shape}), out[3];
        out[0] = graph_op1(g, OP_relu, x);
        out[1] = graph_op(g, OP_max_pool, &pools[k], 1, out);
        NodeId weighed = graph_op2(g, OP_mul, out[1], graph_op1(g, OP_sin, out[1]));
        CHECK(graph_gradients(g, 1, &weighed, NULL, 1, &x, &out[2]));
        CHECK(plan_agrees(g, 1, &port, 3, out));
        char *text = NULL;
        Plan *plan = plan_new(g, 1, 3, out, 0, NULL, NULL);
        CHECK(plan && (text = plan_dump(plan)) && !strstr(text, "relu_grad"));
        mem_free(text);
        plan_free(plan);
        release_all(1, &port);
        graph_free(g);
    }
}

/* A convolution whose result nothing but a pooling reads is pooled in the same pass, and no
 * other: not one that is fetched, or read twice, or whose windows overlap. */
static void conv_and_pool(void) {
    const Attrs conv = {.i = {1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1, 1}};
    const Attrs pools[] = {{.i = {2, 3, 0, 0, 1, 0, 1, 0, 0, 2, 3}},
                           {.i = {1, 2, 0, 0, 1, 0, 0, 0, 0, 3, 2}}};
    const DType types[] = {F, D};
    for (int k = 0; k < 16; k++) {
        const bool overlap = k & 1, mean = k & 2, fetched = k & 4;
        Graph *g = graph_new();
        NodeId in[3], out[2];
        const DType dtype = types[k / 8];
        Tensor port[3] = {random_tensor(dtype, shape_of(4, 3L, 28L, 29L, 2L)),
                          random_tensor(dtype, shape_of(4, 3L, 3L, 2L, 19L)),
                          random_tensor(dtype, shape_of(1, 19L))};
        for (int i = 0; i < 3; i++)
            in[i] = graph_input(g, i, (Type){dtype, port[i].shape});
        NodeId y = graph_op(g, OP_conv_bias, &conv, 3, in);
        out[0] =
            graph_op(g, mean ? OP_average_pool : OP_max_pool, &pools[overlap], 1, &y);
        out[1] = y;
        CHECK(plan_agrees(g, 3, port, 1 + fetched, out));
        char *text = NULL;
        Plan *plan = plan_new(g, 3, 1 + fetched, out, 0, NULL, NULL);
        CHECK(plan && (text = plan_dump(plan)) &&
              !strstr(text, "conv_pool") == (overlap || fetched));
        mem_free(text);
        plan_free(plan);
        release_all(3, port);
        graph_free(g);
    }
}

static void every_row_has_a_case(void) {
    for (int op = 0; op < OP_COUNT; op++) {
        bool found = false;
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
            found = found || (int)cases[k].op == op;
        if (!found) fprintf(stderr, "no case for %s\n", op_name((OpId)op));
        CHECK(found);
    }
}

TEST_MAIN(planned_equals_eager, planned_equals_eager_with_poison, pool_and_relu,
          conv_and_pool, every_row_has_a_case)
