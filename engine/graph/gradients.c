/* Reverse-mode differentiation: one walk over the nodes, from the last y down. */
#include <assert.h>
#include "base/mem.h"
#include "graph/graph.h"
#include "graph/ops/rules.h"

/* What is known of each node that stood in the graph when the walk began. */
typedef struct Mark {
    NodeId gradient; /* the sum of what has arrived; NODE_NONE: nothing yet */
    bool depends;    /* on some x, however flat the way */
    bool wanted;     /* depends in a way that a gradient can flow: worth building for */
    bool reached;    /* some y depends on it */
} Mark;

static bool is_flat(OpId op) { return op_table[op].grad == grad_zero; }

/* Marks the xs and what depends on them. Only floats carry gradients. */
static void mark_dependents(const Graph *g, NodeId count, Mark *marks, int n_x,
                            const NodeId x[]) {
    for (NodeId k = 0; k < count; k++) marks[k] = (Mark){.gradient = NODE_NONE};
    for (int k = 0; k < n_x; k++)
        if (dtype_is_float(graph_type(g, x[k])->dtype))
            marks[x[k]].depends = marks[x[k]].wanted = true;
    for (NodeId k = 0; k < count; k++) {
        const Node *node = &g->nodes[k];
        if (node->op == OP_OUTPUT) node = &g->nodes[node->in[0]];
        if (node->op >= OP_COUNT || node->op == OP_stop_gradient) continue;
        if (!dtype_is_float(g->nodes[k].type.dtype)) continue;
        for (int i = 0; i < node->n_in; i++) {
            marks[k].depends |= marks[node->in[i]].depends;
            marks[k].wanted |= marks[node->in[i]].wanted && !is_flat(node->op);
        }
    }
}

/* Adds a gradient to what has arrived at a node. */
static void arrive(Graph *g, Mark *marks, NodeId node, NodeId gradient) {
    if (gradient == NODE_NONE) return;
    assert(shape_equal(&graph_type(g, gradient)->shape, &graph_type(g, node)->shape) &&
           graph_type(g, gradient)->dtype == graph_type(g, node)->dtype);
    NodeId *sum = &marks[node].gradient;
    *sum = *sum == NODE_NONE ? gradient : add(g, *sum, gradient);
}

static NodeId seed(Graph *g, NodeId y, NodeId given) {
    Type type = *graph_type(g, y);
    if (given == NODE_NONE)
        return graph_expand(g, graph_number(g, type.dtype, 1), &type.shape);
    if (!shape_equal(&graph_type(g, given)->shape, &type.shape)) {
        char have[SHAPE_TEXT], want[SHAPE_TEXT];
        err_set_at(&g->err, g->where,
                   "gradients: a seed of shape %s for an output of shape %s",
                   shape_text(&graph_type(g, given)->shape, have),
                   shape_text(&type.shape, want));
        return NODE_NONE;
    }
    return graph_cast(g, given, type.dtype);
}

static void start(Graph *g, Mark *marks, int n_y, const NodeId y[],
                  const NodeId seeds[]) {
    for (int k = 0; k < n_y && !g->err.set; k++) {
        if (!dtype_is_float(graph_type(g, y[k])->dtype)) {
            err_set_at(&g->err, g->where,
                       "gradients: an output of dtype %s, wanted a float",
                       dtype_name(graph_type(g, y[k])->dtype));
            return;
        }
        marks[y[k]].reached = true;
        if (marks[y[k]].wanted)
            arrive(g, marks, y[k], seed(g, y[k], seeds ? seeds[k] : NODE_NONE));
    }
}

/* Asks the row's rule for the gradients of the inputs. */
static void step_back(Graph *g, Mark *marks, NodeId out) {
    const Node *node = &g->nodes[out];
    const OpDef *row = &op_table[node->op];
    NodeId dout[OP_MAX_OUT], din[OP_MAX_IN];
    bool need[OP_MAX_IN], any_need = false, any_gradient = false;
    for (int k = 0; k < row->n_out; k++) {
        dout[k] = marks[out + k].gradient;
        any_gradient |= dout[k] != NODE_NONE;
    }
    for (int k = 0; k < node->n_in; k++) {
        need[k] = marks[node->in[k]].wanted;
        any_need |= need[k];
        din[k] = NODE_NONE;
    }
    if (!any_gradient || !any_need || is_flat(node->op)) return;
    g->where = node->where;
    g->path = node->path;
    if (!row->grad) {
        err_set_at(&g->err, node->where, "%s has no gradient", row->name);
        return;
    }
    GradCall call = {.op = node->op,
                     .attrs = node->attrs,
                     .n_in = node->n_in,
                     .n_out = row->n_out,
                     .in = node->in,
                     .out = out,
                     .dout = dout,
                     .need = need,
                     .din = din};
    row->grad(g, &call); /* may move the nodes: `node` is not used from here on */
    if (g->err.set) return;
    for (int k = 0; k < call.n_in; k++)
        if (need[k]) arrive(g, marks, call.in[k], din[k]);
}

static void mark_reached(const Graph *g, Mark *marks, NodeId k) {
    const Node *node = &g->nodes[k];
    if (!marks[k].reached || node->op == OP_stop_gradient) return;
    if (node->op == OP_OUTPUT) node = &g->nodes[node->in[0]];
    for (int i = 0; i < node->n_in; i++)
        if (marks[node->in[i]].depends) marks[node->in[i]].reached = true;
}

static bool all_exist(const Graph *g, int n, const NodeId nodes[]) {
    for (int k = 0; k < n; k++)
        if (nodes[k] < 0 || nodes[k] >= g->count) return false;
    return true;
}

bool graph_gradients(Graph *g, int n_y, const NodeId y[], const NodeId seeds[], int n_x,
                     const NodeId x[], NodeId dx[]) {
    if (g->err.set) return false;
    if (!all_exist(g, n_y, y) || !all_exist(g, n_x, x))
        return err_set_at(&g->err, g->where,
                          "gradients: a node that is not in the graph");
    NodeId count = g->count;
    Mark *marks = mem_alloc((size_t)(count ? count : 1) * sizeof *marks);
    if (!marks)
        return err_set_at(&g->err, g->where,
                          "out of memory for the gradients of %d nodes", (int)count);
    const char *where = g->where, *path = g->path;
    mark_dependents(g, count, marks, n_x, x);
    start(g, marks, n_y, y, seeds);
    for (NodeId k = count - 1; k >= 0 && !g->err.set; k--) {
        mark_reached(g, marks, k);
        if (g->nodes[k].op < OP_COUNT) step_back(g, marks, k);
    }
    g->where = where;
    g->path = path;
    for (int k = 0; k < n_x && !g->err.set; k++) {
        /* A y depends on x, but is flat everywhere (floor, sign): the gradient is zero.
         */
        Mark *mark = &marks[x[k]];
        if (mark->gradient == NODE_NONE && mark->depends && mark->reached)
            mark->gradient = graph_zeros(g, *graph_type(g, x[k]));
    }
    for (int k = 0; k < n_x && !g->err.set; k++) dx[k] = marks[x[k]].gradient;
    mem_free(marks);
    return !g->err.set;
}
