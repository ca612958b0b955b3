/* Recurrent layers step by step, with rows whose gradients can be differentiated again. */
#include "graph/ops/rnn.h"

/* Columns (or steps) `from` .. `from` + count of an axis. */
static NodeId part(Graph *g, NodeId a, int axis, int64_t from, int64_t count) {
    if (a == NODE_NONE) return a;
    Attrs attrs = {0};
    Shape shape = graph_type(g, a)->shape;
    for (int k = 0; k < shape.ndim; k++) {
        attrs.i[k] = k == axis ? from : 0;
        attrs.i[6 + k] = k == axis ? count : shape.dim[k];
        attrs.i[12 + k] = 1;
    }
    return graph_op(g, OP_slice, &attrs, 1, &a);
}

/* Step t of {B, T, n} (or {B, T}) as {B, n} (or {B, 1}). */
static NodeId step_of(Graph *g, NodeId a, int64_t t) {
    NodeId step = part(g, a, 1, t, 1);
    if (step == NODE_NONE) return step;
    Shape shape = graph_type(g, step)->shape;
    shape.dim[1] = shape.ndim == 3 ? shape.dim[2] : 1;
    shape.ndim = 2;
    return graph_reshape(g, step, &shape);
}

static NodeId product(Graph *g, NodeId a, NodeId b) {
    return graph_op2(g, OP_matmul, a, b);
}

static NodeId activate(Graph *g, int64_t activation, NodeId a) {
    static const OpId ops[] = {
        [RNN_RELU] = OP_relu, [RNN_TANH] = OP_tanh, [RNN_SIGMOID] = OP_sigmoid};
    return activation == RNN_LINEAR ? a : graph_op1(g, ops[activation], a);
}

typedef struct Cell {
    Graph *g;
    const Attrs *attrs;
    const NodeId *in;
    int64_t units;
} Cell;

static NodeId gate(const Cell *cell, NodeId wide, int number) {
    return part(cell->g, wide, 1, number * cell->units, cell->units);
}

/* x W + b; of a GRU's two biases row `bias`. */
static NodeId linear(const Cell *cell, NodeId a, int weights, int bias) {
    Graph *g = cell->g;
    NodeId b = cell->in[RNN_BIAS];
    if (cell->attrs->i[RNN_KIND] == RNN_GRU) b = part(g, b, 0, bias, 1);
    return add(g, product(g, a, cell->in[weights]), b);
}

static NodeId lstm_step(const Cell *cell, NodeId x, NodeId h, NodeId *c) {
    Graph *g = cell->g;
    NodeId wide =
        add(g, linear(cell, x, RNN_KERNEL, 0), product(g, h, cell->in[RNN_RECURRENT]));
    NodeId i = graph_op1(g, OP_sigmoid, gate(cell, wide, 0));
    NodeId f = graph_op1(g, OP_sigmoid, gate(cell, wide, 1));
    NodeId candidate = graph_op1(g, OP_tanh, gate(cell, wide, 2));
    NodeId o = graph_op1(g, OP_sigmoid, gate(cell, wide, 3));
    *c = add(g, mul(g, f, *c), mul(g, i, candidate));
    return mul(g, o, graph_op1(g, OP_tanh, *c));
}

static NodeId gru_step(const Cell *cell, NodeId x, NodeId h) {
    Graph *g = cell->g;
    NodeId from_x = linear(cell, x, RNN_KERNEL, 0);
    NodeId from_h = linear(cell, h, RNN_RECURRENT, 1);
    NodeId z =
        graph_op1(g, OP_sigmoid, add(g, gate(cell, from_x, 0), gate(cell, from_h, 0)));
    NodeId reset =
        graph_op1(g, OP_sigmoid, add(g, gate(cell, from_x, 1), gate(cell, from_h, 1)));
    NodeId inner = add(g, gate(cell, from_x, 2), mul(g, reset, gate(cell, from_h, 2)));
    NodeId candidate = graph_op1(g, OP_tanh, inner);
    return add(g, candidate, mul(g, z, sub(g, h, candidate)));
}

static NodeId simple_step(const Cell *cell, NodeId x, NodeId h) {
    Graph *g = cell->g;
    NodeId wide =
        add(g, linear(cell, x, RNN_KERNEL, 0), product(g, h, cell->in[RNN_RECURRENT]));
    return activate(g, cell->attrs->i[RNN_ACTIVATION], wide);
}

/* The states after step t (of the order of processing). */
static void advance(const Cell *cell, NodeId mask, int64_t t, NodeId *h, NodeId *c) {
    Graph *g = cell->g;
    NodeId x = cell->in[RNN_X], h_before = *h, c_before = *c;
    if (x == NODE_NONE) return;
    int64_t steps = graph_type(g, x)->shape.dim[1];
    int64_t at = cell->attrs->i[RNN_REVERSE] ? steps - 1 - t : t;
    NodeId now = step_of(g, x, at);
    int64_t kind = cell->attrs->i[RNN_KIND];
    *h = kind == RNN_LSTM  ? lstm_step(cell, now, *h, c)
         : kind == RNN_GRU ? gru_step(cell, now, *h)
                           : simple_step(cell, now, *h);
    if (mask == NODE_NONE) return;
    NodeId kept = step_of(g, mask, at);
    *h = graph_op3(g, OP_where, kept, *h, h_before);
    if (kind == RNN_LSTM) *c = graph_op3(g, OP_where, kept, *c, c_before);
}

/* Outputs are joined in groups: a row takes a limited number of inputs. */
static NodeId join(Graph *g, int64_t n, NodeId nodes[]) {
    while (n > 1) {
        int64_t groups = 0;
        for (int64_t k = 0; k < n; k += OP_MAX_IN, groups++) {
            int count = n - k < OP_MAX_IN ? (int)(n - k) : OP_MAX_IN;
            nodes[groups] = graph_op(g, OP_concat, &(Attrs){.i = {1}}, count, nodes + k);
        }
        n = groups;
    }
    return nodes[0];
}

void rnn_unroll(Graph *g, const Attrs *attrs, const NodeId in[], NodeId mask,
                NodeId out[3]) {
    if (g->err.set) return;
    Shape y = graph_type(g, in[RNN_X])->shape;
    int64_t steps = y.dim[1], units = graph_type(g, in[RNN_H0])->shape.dim[1];
    Cell cell = {g, attrs, in, units};
    NodeId h = in[RNN_H0];
    NodeId c = attrs->i[RNN_KIND] == RNN_LSTM ? in[RNN_C0] : NODE_NONE;
    NodeId *outputs = arena_alloc(&g->arena, ((size_t)steps + 1) * sizeof *outputs);
    if (!outputs) {
        err_set_at(&g->err, g->where, "out of memory for a sequence of %lld steps",
                   (long long)steps);
        return;
    }
    Shape one = {.ndim = 3, .dim = {y.dim[0], 1, units}};
    for (int64_t t = 0; t < steps && !g->err.set; t++) {
        advance(&cell, mask, t, &h, &c);
        outputs[t] = graph_reshape(g, h, &one);
    }
    y.dim[2] = units;
    out[0] = steps ? join(g, steps, outputs)
                   : graph_zeros(g, (Type){graph_type(g, in[RNN_H0])->dtype, y});
    out[1] = h;
    out[2] = c;
}
