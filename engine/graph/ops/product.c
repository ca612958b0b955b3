/* Matrix products. */
#include "graph/ops/rules.h"

/* ---- shapes ---- */

bool types_matmul(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    const Shape *a = &in[0].shape, *b = &in[1].shape;
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    if (a->ndim < 2 || b->ndim < 2)
        return err_set(err, "shapes %s and %s, wanted matrices (two axes or more)",
                       shape_text(a, first), shape_text(b, second));
    bool ta = attrs->i[0] != 0, tb = attrs->i[1] != 0;
    int64_t rows = a->dim[a->ndim - 2 + ta], inner = a->dim[a->ndim - 1 - ta];
    int64_t inner_b = b->dim[b->ndim - 2 + tb], columns = b->dim[b->ndim - 1 - tb];
    if (inner != inner_b)
        return err_set(err, "shapes %s%s and %s%s: the inner sizes %lld and %lld differ",
                       shape_text(a, first), ta ? " (transposed)" : "",
                       shape_text(b, second), tb ? " (transposed)" : "", (long long)inner,
                       (long long)inner_b);
    Shape batch_a = *a, batch_b = *b, shape;
    batch_a.ndim -= 2;
    batch_b.ndim -= 2;
    if (!shape_broadcast(&batch_a, &batch_b, &shape, NULL))
        return err_set(err,
                       "shapes %s and %s: the axes before the last two do not broadcast",
                       shape_text(a, first), shape_text(b, second));
    shape.dim[shape.ndim++] = rows;
    shape.dim[shape.ndim++] = columns;
    out[0] = (Type){in[0].dtype, shape};
    return true;
}

bool types_dense(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    const Shape *x = &in[0].shape, *w = &in[1].shape, *b = &in[2].shape;
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    if (x->ndim < 1 || w->ndim != 2 || x->dim[x->ndim - 1] != w->dim[0])
        return err_set(err,
                       "input of shape %s and weights of shape %s, wanted {..., K} and "
                       "{K, N}",
                       shape_text(x, first), shape_text(w, second));
    if (b->ndim != 1 || b->dim[0] != w->dim[1])
        return err_set(err, "bias of shape %s for weights of shape %s, wanted {%lld}",
                       shape_text(b, first), shape_text(w, second), (long long)w->dim[1]);
    if (attrs->i[0] < 0 || attrs->i[0] > 3)
        return err_set(err, "there is no activation number %lld", (long long)attrs->i[0]);
    out[0] = in[0];
    out[0].shape.dim[x->ndim - 1] = w->dim[1];
    return true;
}

/* ---- gradients ---- */

static NodeId product(Graph *g, NodeId a, bool ta, NodeId b, bool tb) {
    return graph_op(g, OP_matmul, &(Attrs){.i = {ta, tb}}, 2, (NodeId[]){a, b});
}

/* All axes but the last as one: (rows, last). */
static NodeId flatten(Graph *g, NodeId a) {
    if (a == NODE_NONE) return a;
    Shape shape = graph_type(g, a)->shape;
    int64_t rows = 1, last = shape.dim[shape.ndim - 1];
    for (int k = 0; k < shape.ndim - 1; k++) rows *= shape.dim[k];
    shape = shape_of(2, rows, last);
    return graph_reshape(g, a, &shape);
}

/* y = A B, where A and B are a and b or their transposes: dA = dy B^T, dB = A^T dy, and
 * the transposes of these for transposed operands. */
void grad_matmul(Graph *g, GradCall *call) {
    NodeId a = call->in[0], b = call->in[1], d = call->dout[0];
    bool ta = call->attrs->i[0] != 0, tb = call->attrs->i[1] != 0;
    Shape shape_a = graph_type(g, a)->shape, shape_b = graph_type(g, b)->shape;
    if (call->need[0]) {
        NodeId da = ta ? product(g, b, tb, d, true) : product(g, d, false, b, !tb);
        call->din[0] = graph_sum_to(g, da, &shape_a);
    }
    if (!call->need[1]) return;
    if (!ta && shape_b.ndim == 2) {
        /* One matrix for the whole batch: one long product instead of a sum of many. */
        a = flatten(g, a);
        d = flatten(g, d);
    }
    NodeId db = tb ? product(g, d, true, a, ta) : product(g, a, !ta, d, false);
    call->din[1] = graph_sum_to(g, db, &shape_b);
}

void grad_dense(Graph *g, GradCall *call) {
    NodeId x = call->in[0], w = call->in[1], d = call->dout[0], y = call->out;
    Shape shape = graph_type(g, x)->shape;
    switch (call->attrs->i[0]) {
    case 1:
        d = before_relu(g, d, y);
        break;
    case 2:
        d = before_tanh(g, d, y);
        break;
    case 3:
        d = before_sigmoid(g, d, y);
        break;
    }
    NodeId rows = flatten(g, d); /* (M, N) */
    if (call->need[1]) call->din[1] = product(g, flatten(g, x), true, rows, false);
    if (call->need[2]) call->din[2] = graph_sum(g, rows, 1, false);
    if (call->need[0])
        call->din[0] = graph_reshape(g, product(g, rows, false, w, true), &shape);
}
