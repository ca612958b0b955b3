/* Every differentiable row: the gradients that its rule builds, and the gradients of
 * these, against differences of values in float64. A row without a case fails. */
#include "test.h"
#include "base/philox.h"
#include "graph/graph.h"
#include "graph/ops/rules.h"
#include "evaluate.h"

enum { INPUTS = 9, ELEMENTS = 64 };

/* An input: floats uniform in [low, high), or integers (which have no gradient). */
typedef struct Input {
    int ndim;
    int64_t dim[5];
    double low, high;
    const int64_t *integers;
} Input;

typedef struct Case {
    OpId op;
    Attrs attrs;
    Input in[INPUTS];
} Case;

/* clang-format off */
#define DIM0 .ndim = 0, .dim = {0}
#define DIM1(a) .ndim = 1, .dim = {a}
#define DIM2(a, b) .ndim = 2, .dim = {a, b}
#define DIM3(a, b, c) .ndim = 3, .dim = {a, b, c}
#define DIM4(a, b, c, d) .ndim = 4, .dim = {a, b, c, d}
#define DIM5(a, b, c, d, e) .ndim = 5, .dim = {a, b, c, d, e}
#define UNARY(op, low, high) {OP_##op, {{0}, {0}}, {{DIM2(2, 3), low, high}}}
#define REDUCE(op, axes, keepdims) \
    {OP_##op, {.i = {axes, keepdims}}, {{DIM3(2, 3, 4), 0.5, 2}}}
#define PAIR(op, a, b, low, high) {OP_##op, {{0}, {0}}, {{a, low, high}, {b, low, high}}}
#define INTS(...) (const int64_t[]){__VA_ARGS__}

static const Case cases[] = {
    UNARY(neg, -2, 2), UNARY(abs, -2, 2), UNARY(sign, -2, 2), UNARY(square, -2, 2),
    UNARY(relu, -2, 2), UNARY(floor, -3, 3), UNARY(ceil, -3, 3), UNARY(round, -3, 3),
    UNARY(exp, -2, 2), UNARY(expm1, -2, 2), UNARY(log, 0.5, 2), UNARY(log1p, -0.5, 2),
    UNARY(sqrt, 0.5, 2), UNARY(rsqrt, 0.5, 2), UNARY(reciprocal, 0.5, 2),
    UNARY(sin, -3, 3),
    UNARY(cos, -3, 3), UNARY(tanh, -2, 2), UNARY(sigmoid, -3, 3), UNARY(erf, -2, 2),
    UNARY(gelu, -3, 3), UNARY(softplus, -3, 3),
    {OP_cast, {.i = {DTYPE_FLOAT64}}, {{DIM2(2, 3), -2, 2}}},
    {OP_clip, {.f = {-0.5, 1}}, {{DIM2(4, 5), -2, 2}}},

    PAIR(add, DIM2(2, 3), DIM1(3), -2, 2), PAIR(add, DIM2(2, 1), DIM3(2, 1, 3), -2, 2),
    PAIR(sub, DIM2(2, 3), DIM0, -2, 2), PAIR(sub, DIM1(3), DIM2(2, 3), -2, 2),
    PAIR(mul, DIM2(2, 3), DIM2(2, 1), -2, 2), PAIR(mul, DIM2(2, 3), DIM2(2, 3), -2, 2),
    PAIR(div, DIM2(2, 3), DIM1(3), 0.5, 2), PAIR(div, DIM1(3), DIM2(2, 3), 0.5, 2),
    PAIR(pow, DIM2(2, 3), DIM1(3), 0.5, 3), PAIR(pow, DIM0, DIM2(2, 3), 0.5, 3),
    PAIR(arctan2, DIM2(2, 3), DIM1(3), 0.5, 3), PAIR(arctan2, DIM0, DIM2(2, 3), -3, -0.5),
    PAIR(floordiv, DIM2(2, 3), DIM1(3), 0.5, 4), PAIR(mod, DIM2(2, 3), DIM1(3), 0.5, 4),
    PAIR(maximum, DIM2(2, 3), DIM1(3), -2, 2),
    PAIR(minimum, DIM2(2, 3), DIM2(2, 1), -2, 2),
    PAIR(relu_grad, DIM2(2, 3), DIM2(2, 3), -2, 2), PAIR(relu_grad, DIM1(3), DIM2(2, 3), -2, 2),
    {OP_where, {{0}, {0}}, {{DIM2(2, 3), .integers = INTS(1, 0, 1, 0, 0, 1)},
                            {DIM1(3), -2, 2}, {DIM2(2, 1), -2, 2}}},

    REDUCE(sum, 0, 0), REDUCE(sum, 1, 0), REDUCE(sum, 5, 1), REDUCE(sum, 7, 0),
    REDUCE(mean, 2, 0), REDUCE(mean, 4, 1), REDUCE(mean, 7, 0), REDUCE(prod, 1, 0),
    REDUCE(prod, 2, 1), REDUCE(prod, 5, 0), REDUCE(prod, 4, 0), REDUCE(prod, 0, 0),
    REDUCE(max, 1, 0), REDUCE(max, 6, 1), REDUCE(max, 7, 0), REDUCE(min, 4, 0),
    REDUCE(min, 5, 1), REDUCE(logsumexp, 4, 0), REDUCE(logsumexp, 3, 1),
    {OP_cumsum, {.i = {1}}, {{DIM3(2, 3, 2), -2, 2}}},
    {OP_cumsum, {.i = {0, 1, 1}}, {{DIM2(4, 2), -2, 2}}},
    {OP_cumsum, {.i = {1, 0, 1}}, {{DIM2(2, 4), -2, 2}}},
    {OP_sort, {.i = {0, 0}}, {{DIM2(4, 3), -2, 2}}},
    {OP_sort, {.i = {1, 1}}, {{DIM2(2, 5), -2, 2}}},

    {OP_reshape, {.i = {2, 6, 2}}, {{DIM3(2, 3, 2), -2, 2}}},
    {OP_permute, {.i = {2, 0, 1}}, {{DIM3(2, 3, 4), -2, 2}}},
    {OP_broadcast_to, {.i = {3, 2, 2, 3}}, {{DIM2(2, 1), -2, 2}}},
    {OP_slice, {.i = {1, 4, 0, 0, 0, 0, 2, 3, 0, 0, 0, 0, 1, -2}}, {{DIM2(3, 5), -2, 2}}},
    {OP_unslice, {.i = {1, 4, 0, 0, 0, 0, 3, 5, 0, 0, 0, 0, 1, -2}},
     {{DIM2(2, 3), -2, 2}}},
    {OP_pad, {.i = {1, 0, 2, 1}, .f = {3}}, {{DIM2(2, 3), -2, 2}}},
    {OP_concat, {.i = {1}}, {{DIM3(2, 1, 2), -2, 2}, {DIM3(2, 3, 2), -2, 2},
                             {DIM3(2, 2, 2), -2, 2}}},
    {OP_gather, {.i = {1}}, {{DIM3(2, 4, 2), -2, 2},
      {DIM2(2, 2), .integers = INTS(3, 0, 3, 1)}}},
    {OP_scatter, {.i = {1, 5}},
     {{DIM3(2, 3, 2), -2, 2}, {DIM1(3), .integers = INTS(4, 1, 4)}}},
    {OP_take_along, {.i = {1}}, {{DIM2(2, 4), -2, 2},
                                 {DIM2(2, 3), .integers = INTS(3, 0, 3, 1, 2, 2)}}},
    {OP_put_along, {.i = {0, 4}}, {{DIM2(3, 2), -2, 2},
                                   {DIM2(3, 2), .integers = INTS(3, 0, 3, 1, 2, 1)}}},

#define MATMUL(ta, tb, a, b) {OP_matmul, {.i = {ta, tb}}, {{a, -2, 2}, {b, -2, 2}}}
    MATMUL(0, 0, DIM2(2, 3), DIM2(3, 4)), MATMUL(0, 1, DIM2(2, 3), DIM2(4, 3)),
    MATMUL(1, 0, DIM2(3, 2), DIM2(3, 4)), MATMUL(1, 1, DIM2(3, 2), DIM2(4, 3)),
    MATMUL(0, 0, DIM3(2, 2, 3), DIM2(3, 2)), MATMUL(0, 1, DIM3(2, 2, 3), DIM2(2, 3)),
    MATMUL(1, 1, DIM3(2, 3, 2), DIM2(2, 3)), MATMUL(0, 0, DIM2(2, 3), DIM3(2, 3, 2)),
    MATMUL(1, 0, DIM4(2, 1, 3, 2), DIM3(2, 3, 2)),
    MATMUL(0, 1, DIM3(2, 2, 3), DIM4(2, 1, 2, 3)),
#define DENSE(activation, x) \
    {OP_dense, {.i = {activation}}, {{x, -1, 1}, {DIM2(3, 2), -1, 1}, {DIM1(2), -1, 1}}}
    DENSE(0, DIM2(4, 3)), DENSE(1, DIM3(2, 2, 3)), DENSE(2, DIM1(3)),
    DENSE(3, DIM2(4, 3)),

#define CONV(op, a, b, ...) {OP_##op, {.i = {__VA_ARGS__}}, {{a, -1, 1}, {b, -1, 1}}}
    /* strides; padding before and after each axis; dilations; groups, activation; sizes */
    CONV(conv, DIM3(2, 5, 2), DIM3(3, 2, 2), 2, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0, 0, 1),
    CONV(conv, DIM4(1, 4, 5, 1), DIM4(2, 2, 1, 2),
         1, 1, 0, 1, 0, 1, 1, 0, 0, 2, 1, 0, 1),
    CONV(conv, DIM4(2, 3, 3, 2), DIM4(2, 2, 2, 3),
         2, 1, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1),
    CONV(conv, DIM4(1, 3, 3, 4), DIM4(2, 2, 2, 2),
         1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 2),
    CONV(conv, DIM4(1, 4, 3, 3), DIM4(2, 2, 1, 3),
         2, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 3),
    CONV(conv, DIM4(2, 2, 2, 3), DIM4(1, 1, 3, 2),
         1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1),
    CONV(conv, DIM5(1, 2, 3, 2, 2), DIM5(2, 2, 1, 2, 2),
         1, 2, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1),
#define CONV_BIAS(activation)                                                            \
    {OP_conv_bias, {.i = {1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1, activation}},           \
     {{DIM4(1, 3, 3, 2), -1, 1}, {DIM4(3, 2, 2, 2), -1, 1}, {DIM1(2), -1, 1}}}
    CONV_BIAS(0), CONV_BIAS(1),
    CONV(conv_grad_input, DIM3(2, 3, 2), DIM3(3, 2, 2),
         2, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0, 0, 1, 0, 5),
    CONV(conv_grad_input, DIM4(1, 2, 2, 4), DIM4(2, 2, 2, 4),
         1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 2, 0, 4, 3),
    CONV(conv_grad_kernel, DIM3(2, 5, 2), DIM3(2, 3, 2),
         2, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0, 0, 1, 0, 3),
    CONV(conv_grad_kernel, DIM4(1, 3, 3, 4), DIM4(1, 2, 2, 4),
         1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 4, 0, 2, 2),
#define POOL(op, x, ...) {OP_##op, {.i = {__VA_ARGS__}}, {{x, -2, 2}}}
    /* strides; padding before and after each axis; windows; sizes */
    POOL(max_pool, DIM4(1, 4, 4, 2), 2, 2, 0, 0, 0, 0, 0, 0, 0, 2, 2),
    POOL(max_pool, DIM3(2, 7, 2), 2, 0, 0, 1, 1, 0, 0, 0, 0, 3),
    POOL(max_pool, DIM5(1, 2, 3, 4, 1), 1, 2, 2, 0, 0, 1, 0, 0, 0, 2, 2, 2),
    POOL(average_pool, DIM4(1, 4, 5, 2), 1, 2, 0, 1, 1, 0, 1, 0, 0, 2, 3),
    POOL(average_pool, DIM3(2, 7, 2), 3, 0, 0, 0, 0, 0, 0, 0, 0, 2),
    POOL(average_pool_grad, DIM4(1, 2, 3, 2),
         2, 1, 0, 0, 1, 1, 1, 0, 0, 2, 3, 0, 3, 3),
    {OP_max_pool_grad, {.i = {2, 0, 0, 1, 1, 0, 0, 0, 0, 3}},
     {{DIM3(2, 7, 2), -2, 2}, {DIM3(2, 4, 2), -2, 2}}},
    {OP_max_pool_pick, {.i = {2, 0, 0, 1, 1, 0, 0, 0, 0, 3}},
     {{DIM3(2, 7, 2), -2, 2}, {DIM3(2, 7, 2), -2, 2}}},
    {OP_max_pool_grad, {.i = {2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1}},
     {{DIM3(2, 8, 2), -2, 1}, {DIM3(2, 4, 2), -2, 2}}},
    {OP_max_pool_pick, {.i = {2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1}},
     {{DIM3(2, 8, 2), -2, 1}, {DIM3(2, 8, 2), -2, 2}}},

#define RESIZE(op, axis, size, kernel, antialias)                                        \
    {OP_##op, {.i = {axis, size, kernel, antialias}}, {{DIM3(2, 5, 2), -2, 2}}}
    RESIZE(resize, 1, 3, 0, 0), RESIZE(resize, 1, 2, 0, 1), RESIZE(resize, 0, 5, 1, 1),
    RESIZE(resize, 1, 9, 2, 0), RESIZE(resize, 2, 1, 3, 1),
    RESIZE(resize_grad, 1, 3, 0, 0), RESIZE(resize_grad, 1, 8, 1, 1),
    /* a shift; a turn; sizes that shrink with the column, so that places lie between */
#define AFFINE(op, interpolation, fill, ...)                                             \
    {OP_##op, {.i = {interpolation, fill}, .f = {0.5}},                                  \
     {{DIM4(1, 3, 4, 2), -2, 2}, {DIM2(1, 8), .integers = INTS(__VA_ARGS__)}}}
    AFFINE(affine_transform, 0, 0, 1, 0, 1, 0, 1, -1, 0, 0),
    AFFINE(affine_transform, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0),
    AFFINE(affine_transform, 1, 1, 3, 1, -2, 0, 2, 0, 1, 0),
    AFFINE(affine_transform, 1, 2, 3, 1, -5, 0, 2, 7, 1, 0),
    AFFINE(affine_transform, 1, 3, 3, 1, -5, 0, 2, 7, 1, 0),
    AFFINE(affine_transform, 1, 4, 3, 1, -5, 0, 2, 7, 1, 1),
    AFFINE(affine_transform_grad, 1, 0, 3, 1, -2, 0, 2, 0, 1, 0),
    AFFINE(affine_transform_grad, 0, 2, 1, 0, 1, 0, 1, -1, 0, 0),

#define MASK {DIM2(2, 4), .integers = INTS(1, 0, 1, 1, 0, 1, 1, 0)}
#define STATE {DIM2(2, 2), -1, 1}
#define RNN(op, kind, reverse, activation, gates, bias, ...)                             \
    {OP_##op, {.i = {kind, reverse, activation}},                                        \
     {{DIM3(2, 4, 3), -1, 1}, {DIM2(3, 2 * gates), -1, 1}, {DIM2(2, 2 * gates), -1, 1},  \
      {bias, -1, 1}, STATE, __VA_ARGS__}}
    RNN(rnn, 0, 0, 2, 1, DIM1(2), {0}), RNN(rnn_saving, 0, 1, 2, 1, DIM1(2), MASK),
    RNN(rnn, 0, 0, 0, 1, DIM1(2), MASK), RNN(rnn_saving, 0, 0, 3, 1, DIM1(2), {0}),
    RNN(rnn, 0, 1, 1, 1, DIM1(2), {0}),
    RNN(rnn, 1, 0, 0, 3, DIM2(2, 6), {0}), RNN(rnn_saving, 1, 1, 0, 3, DIM2(2, 6), MASK),
    RNN(rnn, 2, 0, 0, 4, DIM1(8), STATE), RNN(rnn_saving, 2, 1, 0, 4, DIM1(8), STATE, MASK),
#define FACTORS(gates)                                                                   \
    {DIM3(gates, 2, 3), .integers = INTS(1, 0, 2, 1, 1, 0, 2, 1, 0, 1, 1, 2, 0, 1, 2, 1, \
                                         0, 1, 1, 2, 1, 1, 0, 2)},                       \
    {DIM3(gates, 2, 2), .integers = INTS(2, 0, 1, 1, 0, 1, 1, 2, 1, 0, 2, 1, 1, 1, 0, 2)}
#define RNN_DROPS(op, kind, reverse, gates, bias, ...)                                   \
    {OP_##op, {.i = {kind, reverse, 2, 0, 0, 1}},                                        \
     {{DIM3(2, 4, 3), -1, 1}, {DIM2(3, 2 * gates), -1, 1}, {DIM2(2, 2 * gates), -1, 1},  \
      {bias, -1, 1}, STATE, __VA_ARGS__, FACTORS(gates)}}
    RNN_DROPS(rnn, 0, 0, 1, DIM1(2), MASK), RNN_DROPS(rnn_saving, 1, 1, 3, DIM2(2, 6), MASK),
    RNN_DROPS(rnn, 2, 0, 4, DIM1(8), STATE),

    UNARY(softmax, -2, 2), UNARY(log_softmax, -2, 2),
#define LABELS(low, high) \
    {{DIM2(4, 3), low, high}, {DIM1(4), .integers = INTS(2, 0, 1, 2)}}
    {OP_sparse_softmax_crossentropy, {{0}, {0}}, LABELS(-2, 2)},
    {OP_sparse_softmax_crossentropy, {.i = {1}}, LABELS(-2, 2)},
    {OP_sparse_softmax_crossentropy, {.i = {1}}, LABELS(-30, 30)},
    {OP_sparse_softmax_crossentropy, {.i = {0, 1, 2}}, LABELS(-2, 2)},
    {OP_sparse_softmax_crossentropy, {.i = {1, 1, -1}},
     {{DIM2(4, 3), -2, 2}, {DIM1(4), .integers = INTS(-1, 0, 1, -1)}}},
    PAIR(softmax_crossentropy, DIM3(2, 2, 3), DIM3(2, 2, 3), 0.1, 2),
    {OP_softmax_crossentropy, {.i = {1}}, {{DIM2(4, 3), -2, 2}, {DIM2(4, 3), 0, 1}}},
    {OP_softmax_crossentropy, {.i = {1}}, {{DIM2(4, 3), -30, 30}, {DIM2(4, 3), 0, 1}}},
    {OP_standardise, {.i = {1, 1}, .f = {0.01}}, {{DIM2(3, 4), -2, 2}}},
    {OP_standardise, {.i = {0, 2}, .f = {0.01}}, {{DIM3(2, 3, 2), -2, 2}}},
    {OP_standardise, {.i = {1, 1}, .f = {0.01}}, {{DIM3(2, 4, 2), -2, 2}}},
    {OP_standardise_grad, {.i = {1, 1}, .f = {0.1}},
     {{DIM2(3, 4), -1, 1}, {DIM2(3, 1), 0.5, 2}, {DIM2(3, 4), -2, 2}}},
    {OP_standardise_grad, {.i = {0, 1}, .f = {0.1}},
     {{DIM2(4, 3), -1, 1}, {DIM2(1, 3), 0.5, 2}, {DIM2(4, 3), -2, 2}}},
    {OP_dropout, {.i = {5, 0, 2, 4, 1}, .f = {0.5}},
     {{DIM2(4, 3), -2, 2}, {DIM1(2), .integers = INTS(1, 2)}}},
};
/* clang-format on */
enum { CASES = sizeof cases / sizeof *cases };

/* ---- one case: a number made of everything that the op gives ---- */

static double draw(int stream, int64_t k) {
    Philox bits = philox(philox_key(7, (uint64_t)stream), 0, (uint64_t)k);
    return philox_unit2(bits.word[0], bits.word[1]);
}

static Tensor make_floats(int stream, Shape shape, double low, double high) {
    double values[ELEMENTS];
    for (int64_t k = 0; k < shape_size(&shape); k++)
        values[k] = low + (high - low) * draw(stream, k);
    return tensor_of(shape, values);
}

static Shape input_shape(const Input *in) {
    Shape shape = {.ndim = in->ndim};
    for (int k = 0; k < in->ndim; k++) shape.dim[k] = in->dim[k];
    return shape;
}

typedef struct Problem {
    Graph *g;
    int n; /* float inputs */
    NodeId x[INPUTS];
    Tensor ports[INPUTS];
} Problem;

/* sum(a * random weights), added to total */
static NodeId weigh(Graph *g, NodeId a, int stream, NodeId total) {
    Tensor weights = make_floats(stream, graph_type(g, a)->shape, -1, 1);
    NodeId node = mul(g, a, graph_constant(g, &weights));
    tensor_release(&weights);
    NodeId sum = graph_op(
        g, OP_sum, &(Attrs){.i = {(1 << graph_type(g, a)->shape.ndim) - 1}}, 1, &node);
    return total == NODE_NONE ? sum : add(g, total, sum);
}

static NodeId problem_build(Problem *p, const Case *c) {
    NodeId in[INPUTS];
    int n_in = 0;
    *p = (Problem){.g = graph_new()};
    for (; n_in < INPUTS && (c->in[n_in].integers || c->in[n_in].low < c->in[n_in].high);
         n_in++) {
        const Input *input = &c->in[n_in];
        Shape shape = input_shape(input);
        if (input->integers) {
            Tensor integers = integers_of(shape, input->integers);
            in[n_in] = graph_constant(p->g, &integers);
            tensor_release(&integers);
            continue;
        }
        p->ports[p->n] = make_floats(n_in, shape, input->low, input->high);
        in[n_in] = graph_input(p->g, p->n, (Type){DTYPE_FLOAT64, shape});
        p->x[p->n++] = in[n_in];
    }
    NodeId y = graph_op(p->g, c->op, &c->attrs, n_in, in), total = NODE_NONE;
    for (int k = 0; y != NODE_NONE && k < op_table[c->op].n_out; k++)
        if (dtype_is_float(graph_type(p->g, y + k)->dtype))
            total = weigh(p->g, y + k, 10 + k, total);
    return total;
}

static void problem_free(Problem *p) {
    for (int k = 0; k < p->n; k++) tensor_release(&p->ports[k]);
    graph_free(p->g);
}

static double value_of(const Problem *p, NodeId node, int64_t k) {
    Tensor value;
    Err err = {0};
    if (!evaluate(p->g, p->ports, node, &value, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return NAN;
    }
    double number = element(&value, k);
    tensor_release(&value);
    return number;
}

/* The slope of y in element k of input `port`, from values (error about 1e-9). */
static double difference(Problem *p, NodeId y, int port, int64_t k) {
    double *x = (double *)p->ports[port].data + k, was = *x, h = 1e-5;
    *x = was + h;
    double above = value_of(p, y, 0);
    *x = was - h;
    double below = value_of(p, y, 0);
    *x = was;
    return (above - below) / (2 * h);
}

static void compare(Problem *p, const Case *c, int number, NodeId y, const NodeId dx[]) {
    for (int port = 0; port < p->n; port++) {
        for (int64_t k = 0; k < tensor_size(&p->ports[port]); k++) {
            double got = dx[port] == NODE_NONE ? 0 : value_of(p, dx[port], k);
            double want = difference(p, y, port, k);
            test_checks++;
            if (fabs(got - want) <= 2e-7 * fmax(1, fabs(want))) continue;
            test_failures++;
            fprintf(stderr,
                    "case %d, %s: derivative %lld of input %d is %.9g, wanted %.9g\n",
                    number, op_name(c->op), (long long)k, port + 1, got, want);
        }
    }
}

static bool problem_sound(const Problem *p, const Case *c) {
    Err err = {0};
    bool sound = !p->g->err.set && graph_verify(p->g, &err);
    if (!sound) fprintf(stderr, "%s: %s%s\n", op_name(c->op), p->g->err.text, err.text);
    CHECK(sound);
    return sound;
}

static void run_case(const Case *c, int number) {
    Problem p;
    NodeId dx[INPUTS], ddx[INPUTS];
    NodeId y = problem_build(&p, c);
    bool built = graph_gradients(p.g, 1, &y, NULL, p.n, p.x, dx);
    if (problem_sound(&p, c) && built) {
        compare(&p, c, number, y, dx);
        NodeId slope = NODE_NONE;
        for (int k = 0; k < p.n; k++) {
            CHECK(dx[k] != NODE_NONE);
            if (dx[k] != NODE_NONE) slope = weigh(p.g, dx[k], 20 + k, slope);
        }
        if (graph_gradients(p.g, 1, &slope, NULL, p.n, p.x, ddx) && problem_sound(&p, c))
            compare(&p, c, number, slope, ddx);
        CHECK(!p.g->err.set);
    }
    problem_free(&p);
}

static void agree_with_differences(void) {
    for (int k = 0; k < CASES; k++) run_case(&cases[k], k);
}

/* rnn_grad takes what rnn saved, so only the second order of rnn's cases reaches it. */
static void cover_every_row(void) {
    for (OpId op = 0; op < OP_COUNT; op++) {
        bool covered = op == OP_stop_gradient || op == OP_rnn_grad || !op_table[op].grad;
        for (int k = 0; k < CASES; k++) covered |= cases[k].op == op;
        if (!covered) fprintf(stderr, "%s has no case\n", op_name(op));
        CHECK(covered);
    }
}

/* ---- places where a difference of values says nothing ---- */

/* The gradient of sum(op(x)) for given numbers, into dx. */
static void gradient_at(OpId op, const Attrs *attrs, int n, const double values[],
                        double dx[]) {
    Problem p = {.g = graph_new(), .n = 1};
    p.ports[0] = tensor_of(shape_of(1, (int64_t)n), values);
    p.x[0] = graph_input(p.g, 0, (Type){DTYPE_FLOAT64, p.ports[0].shape});
    NodeId y = graph_op(p.g, op, attrs, 1, p.x), d = NODE_NONE;
    CHECK(graph_gradients(p.g, 1, &y, NULL, 1, p.x, &d));
    for (int k = 0; k < n; k++) dx[k] = value_of(&p, d, k);
    problem_free(&p);
}

static void corners(void) {
    double dx[4];
    gradient_at(OP_relu, NULL, 3, (double[]){-1, 0, 2}, dx);
    CHECK(dx[0] == 0 && dx[1] == 0 && dx[2] == 1);
    gradient_at(OP_clip, &(Attrs){.f = {-1, 1}}, 4, (double[]){-2, -1, 1, 2}, dx);
    CHECK(dx[0] == 0 && dx[1] == 1 && dx[2] == 1 && dx[3] == 0);
    gradient_at(OP_max, &(Attrs){.i = {1}}, 4, (double[]){3, 1, 3, 0}, dx);
    CHECK(dx[0] == 0.5 && dx[1] == 0 && dx[2] == 0.5 && dx[3] == 0);
    gradient_at(OP_min, &(Attrs){.i = {1}}, 4, (double[]){1, 1, 3, 1}, dx);
    CHECK_NEAR(dx[0], 1.0 / 3, 1e-15);
    CHECK(dx[0] == dx[1] && dx[1] == dx[3] && dx[2] == 0);
    gradient_at(OP_prod, &(Attrs){.i = {1}}, 3, (double[]){2, 0, 5}, dx);
    CHECK(dx[0] == 0 && dx[1] == 10 && dx[2] == 0);
    gradient_at(OP_prod, &(Attrs){.i = {1}}, 3, (double[]){0, 0, 5}, dx);
    CHECK(dx[0] == 0 && dx[1] == 0 && dx[2] == 0);
}

/* d/da and d/db of a^b, b a tensor, then a number. */
static void powers_of_zero(void) {
    double a[] = {0, 0, 0, -2, 3}, b[] = {0, 1, 2, 3, 0};
    double da[] = {0, 1, 0, 12, 0}, db[] = {0, 0, 0, 0, log(3)};
    Problem p = {.g = graph_new(), .n = 2};
    p.ports[0] = tensor_of(shape_of(1, INT64_C(5)), a);
    p.ports[1] = tensor_of(shape_of(1, INT64_C(5)), b);
    for (int k = 0; k < 2; k++)
        p.x[k] = graph_input(p.g, k, (Type){DTYPE_FLOAT64, p.ports[k].shape});
    NodeId y = graph_op2(p.g, OP_pow, p.x[0], p.x[1]), d[2];
    CHECK(graph_gradients(p.g, 1, &y, NULL, 2, p.x, d));
    for (int k = 0; k < 5; k++) {
        CHECK_NEAR(value_of(&p, d[0], k), da[k], 1e-15);
        CHECK_NEAR(value_of(&p, d[1], k), db[k], 1e-15);
    }
    for (int exponent = 0; exponent < 4; exponent++) {
        y = graph_op2(p.g, OP_pow, p.x[0], graph_number(p.g, DTYPE_FLOAT64, exponent));
        CHECK(graph_gradients(p.g, 1, &y, NULL, 1, p.x, d));
        CHECK_NEAR(value_of(&p, d[0], 0), exponent == 1, 1e-15);
        CHECK_NEAR(value_of(&p, d[0], 4), exponent * pow(3, exponent - 1), 1e-15);
    }
    problem_free(&p);
}

static void zeros_in_products_twice(void) {
    /* y = a b c: d2y / da db = c, also where a = b = 0. */
    Problem p = {.g = graph_new(), .n = 1};
    p.ports[0] = tensor_of(shape_of(1, INT64_C(3)), (double[]){0, 0, 5});
    p.x[0] = graph_input(p.g, 0, (Type){DTYPE_FLOAT64, p.ports[0].shape});
    NodeId y = graph_op(p.g, OP_prod, &(Attrs){.i = {1}}, 1, p.x), dx, ddx;
    CHECK(graph_gradients(p.g, 1, &y, NULL, 1, p.x, &dx));
    Tensor first = tensor_of(shape_of(1, INT64_C(3)), (double[]){1, 0, 0});
    NodeId seed = graph_constant(p.g, &first);
    CHECK(graph_gradients(p.g, 1, &dx, &seed, 1, p.x, &ddx));
    CHECK(value_of(&p, ddx, 0) == 0 && value_of(&p, ddx, 1) == 5 &&
          value_of(&p, ddx, 2) == 0);
    tensor_release(&first);
    problem_free(&p);
}

/* ---- the walk ---- */

typedef struct Scene {
    Graph *g;
    NodeId a, b, integers;
} Scene;

static Scene scene_new(void) {
    Scene s = {.g = graph_new()};
    Type type = {DTYPE_FLOAT32, shape_of(1, INT64_C(3))};
    s.a = graph_input(s.g, 0, type);
    s.b = graph_input(s.g, 1, type);
    s.integers = graph_cast(s.g, s.a, DTYPE_INT64);
    return s;
}

static void only_what_depends(void) {
    Scene s = scene_new();
    NodeId y = mul(s.g, s.a, s.a), dx[4];
    NodeId cut = add(s.g, graph_op1(s.g, OP_stop_gradient, s.a), s.b);
    NodeId x[] = {s.a, s.b, s.integers, y};
    CHECK(graph_gradients(s.g, 1, &y, NULL, 4, x, dx));
    CHECK(dx[0] != NODE_NONE && dx[3] != NODE_NONE); /* y itself is an x, and x another */
    CHECK(dx[1] == NODE_NONE && dx[2] == NODE_NONE);
    CHECK(graph_gradients(s.g, 1, &cut, NULL, 4, x, dx));
    CHECK(dx[0] == NODE_NONE && dx[1] != NODE_NONE);
    NodeId counted = graph_cast(s.g, s.integers, DTYPE_FLOAT32);
    CHECK(graph_gradients(s.g, 1, &counted, NULL, 1, &s.a, dx));
    CHECK(dx[0] == NODE_NONE);
    NodeId flat = graph_op1(s.g, OP_floor, s.a);
    CHECK(graph_gradients(s.g, 1, &flat, NULL, 2, x, dx));
    CHECK(dx[0] != NODE_NONE && dx[1] == NODE_NONE);
    graph_free(s.g);
}

/* The gradient of the first layer's input is never built. */
static void nothing_useless(void) {
    Graph *g = graph_new();
    NodeId x =
        graph_input(g, 0, (Type){DTYPE_FLOAT32, shape_of(2, INT64_C(8), INT64_C(4))});
    NodeId w =
        graph_input(g, 1, (Type){DTYPE_FLOAT32, shape_of(2, INT64_C(4), INT64_C(2))});
    NodeId b = graph_input(g, 2, (Type){DTYPE_FLOAT32, shape_of(1, INT64_C(2))});
    NodeId y = graph_op3(g, OP_dense, x, w, b), dx[2];
    NodeId before = g->count;
    CHECK(graph_gradients(g, 1, &y, NULL, 2, (NodeId[]){w, b}, dx));
    int products = 0;
    for (NodeId k = before; k < g->count; k++) products += g->nodes[k].op == OP_matmul;
    CHECK(products == 1);
    graph_free(g);
}

static void places_are_the_forward_nodes(void) {
    Scene s = scene_new();
    graph_locate(s.g, "script.lua:7", "model/layer");
    NodeId y = mul(s.g, s.a, s.b), dx;
    graph_locate(s.g, "script.lua:9", "");
    CHECK(graph_gradients(s.g, 1, &y, NULL, 1, &s.a, &dx));
    CHECK_TEXT(s.g->nodes[dx].where, "script.lua:7");
    CHECK_TEXT(s.g->nodes[dx].path, "model/layer");
    CHECK_TEXT(s.g->where, "script.lua:9");
    graph_free(s.g);
}

static void errors(void) {
    Scene s = scene_new();
    NodeId dx = 99;
    CHECK(!graph_gradients(s.g, 1, &s.integers, NULL, 1, &s.a, &dx));
    CHECK_TEXT(s.g->err.text, "int64");
    CHECK(dx == 99);
    graph_free(s.g);

    s = scene_new();
    NodeId scalar = graph_number(s.g, DTYPE_FLOAT32, 1);
    CHECK(!graph_gradients(s.g, 1, &s.a, &scalar, 1, &s.a, &dx));
    CHECK_TEXT(s.g->err.text, "a seed of shape {} for an output of shape {3}");
    graph_free(s.g);

    s = scene_new();
    NodeId y =
        graph_op3(s.g, OP_sgd_update, s.a, s.b, graph_number(s.g, DTYPE_FLOAT32, 1));
    CHECK(!graph_gradients(s.g, 1, &y, NULL, 1, &s.b, &dx));
    CHECK_TEXT(s.g->err.text, "sgd_update has no gradient");
    CHECK(!graph_gradients(s.g, 1, &s.a, NULL, 1, &s.a, &dx)); /* sticky */
    graph_free(s.g);
}

static void nothing_left(void) {
    CHECK(tensor_alive() == 0);
    tensor_trim();
    CHECK(mem_bytes() == 0);
}

TEST_MAIN(cover_every_row, agree_with_differences, corners, powers_of_zero,
          zeros_in_products_twice, only_what_depends, nothing_useless,
          places_are_the_forward_nodes, errors, nothing_left)
