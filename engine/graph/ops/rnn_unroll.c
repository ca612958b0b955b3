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
    const NodeId *in, *options;
    int64_t units;
} Cell;

/* x (or h) as gate number `gate` sees it. */
static NodeId seen(const Cell *cell, NodeId a, int64_t gate, NodeId factors) {
    if (!cell->attrs->i[RNN_DROPS]) return a;
    NodeId factor = part(cell->g, factors, 0, gate, 1);
    if (factor == NODE_NONE) return factor;
    Shape shape = graph_type(cell->g, factor)->shape;
    return mul(cell->g, a,
               graph_reshape(cell->g, factor, &(Shape){2, {shape.dim[1], shape.dim[2]}}));
}

static NodeId columns(const Cell *cell, NodeId weights, int axis, int64_t gate) {
    return part(cell->g, weights, axis, gate * cell->units, cell->units);
}

/* What a gate receives from x, with a bias, and from h; of a GRU's two biases h's is the
 * second. */
static NodeId from_x(const Cell *cell, NodeId x, int64_t gate) {
    Graph *g = cell->g;
    NodeId bias = cell->in[RNN_BIAS];
    bool gru = cell->attrs->i[RNN_KIND] == RNN_GRU;
    if (gru) bias = part(g, bias, 0, 0, 1);
    x = seen(cell, x, gate, cell->options[1]);
    return add(g, product(g, x, columns(cell, cell->in[RNN_KERNEL], 1, gate)),
               columns(cell, bias, gru, gate));
}

static NodeId from_h(const Cell *cell, NodeId h, int64_t gate) {
    Graph *g = cell->g;
    h = seen(cell, h, gate, cell->options[2]);
    NodeId y = product(g, h, columns(cell, cell->in[RNN_RECURRENT], 1, gate));
    if (cell->attrs->i[RNN_KIND] != RNN_GRU) return y;
    return add(g, y, columns(cell, part(g, cell->in[RNN_BIAS], 0, 1, 1), 1, gate));
}

static NodeId gate(const Cell *cell, NodeId x, NodeId h, int64_t number) {
    return add(cell->g, from_x(cell, x, number), from_h(cell, h, number));
}

static NodeId lstm_step(const Cell *cell, NodeId x, NodeId h, NodeId *c) {
    Graph *g = cell->g;
    NodeId i = graph_op1(g, OP_sigmoid, gate(cell, x, h, 0));
    NodeId f = graph_op1(g, OP_sigmoid, gate(cell, x, h, 1));
    NodeId candidate = graph_op1(g, OP_tanh, gate(cell, x, h, 2));
    NodeId o = graph_op1(g, OP_sigmoid, gate(cell, x, h, 3));
    *c = add(g, mul(g, f, *c), mul(g, i, candidate));
    return mul(g, o, graph_op1(g, OP_tanh, *c));
}

static NodeId gru_step(const Cell *cell, NodeId x, NodeId h) {
    Graph *g = cell->g;
    NodeId z = graph_op1(g, OP_sigmoid, gate(cell, x, h, 0));
    NodeId reset = graph_op1(g, OP_sigmoid, gate(cell, x, h, 1));
    NodeId inner = add(g, from_x(cell, x, 2), mul(g, reset, from_h(cell, h, 2)));
    NodeId candidate = graph_op1(g, OP_tanh, inner);
    return add(g, candidate, mul(g, z, sub(g, h, candidate)));
}

static NodeId simple_step(const Cell *cell, NodeId x, NodeId h) {
    return activate(cell->g, cell->attrs->i[RNN_ACTIVATION], gate(cell, x, h, 0));
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

void rnn_unroll(Graph *g, const Attrs *attrs, const NodeId in[], const NodeId options[3],
                NodeId out[3]) {
    if (g->err.set) return;
    Shape y = graph_type(g, in[RNN_X])->shape;
    int64_t steps = y.dim[1], units = graph_type(g, in[RNN_H0])->shape.dim[1];
    Cell cell = {g, attrs, in, options, units};
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
        advance(&cell, options[0], t, &h, &c);
        outputs[t] = graph_reshape(g, h, &one);
    }
    y.dim[2] = units;
    out[0] = steps ? join(g, steps, outputs)
                   : graph_zeros(g, (Type){graph_type(g, in[RNN_H0])->dtype, y});
    out[1] = h;
    out[2] = c;
}
