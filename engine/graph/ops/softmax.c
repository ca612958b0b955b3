/* Softmax along the last axis, and the losses that contain it. */
#include "graph/ops/rules.h"

/* Where Keras clips probabilities before it takes their logarithm. */
static const double epsilon = 1e-7;

/* ---- shapes ---- */

bool types_softmax(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    if (in[0].shape.ndim == 0) return err_set(err, "a scalar, wanted at least one axis");
    out[0] = in[0];
    return true;
}

static bool logits(const Type *z, Err *err) {
    char text[SHAPE_TEXT];
    if (!dtype_is_float(z->dtype))
        return err_set(err, "predictions of dtype %s, wanted floats",
                       dtype_name(z->dtype));
    if (z->shape.ndim == 0 || z->shape.dim[z->shape.ndim - 1] < 1)
        return err_set(err, "predictions of shape %s, wanted {..., classes}",
                       shape_text(&z->shape, text));
    return true;
}

static void loss_types(const Type *z, Type out[]) {
    Type probabilities = *z;
    out[0] = *z;
    out[0].shape.ndim--;
    out[1] = probabilities;
}

bool types_sparse_ce(const Attrs *attrs, int count, const Type in[], Type out[],
                     Err *err) {
    if (!logits(&in[0], err)) return false;
    Shape rows = in[0].shape;
    rows.ndim--;
    if (!shape_equal(&rows, &in[1].shape)) {
        char first[SHAPE_TEXT], second[SHAPE_TEXT], wanted[SHAPE_TEXT];
        return err_set(err, "labels of shape %s for predictions of shape %s, wanted %s",
                       shape_text(&in[1].shape, first), shape_text(&in[0].shape, second),
                       shape_text(&rows, wanted));
    }
    loss_types(&in[0], out);
    return true;
}

bool types_dense_ce(const Attrs *attrs, int count, const Type in[], Type out[],
                    Err *err) {
    if (!logits(&in[0], err)) return false;
    if (!shape_equal(&in[0].shape, &in[1].shape)) {
        char first[SHAPE_TEXT], second[SHAPE_TEXT];
        return err_set(err,
                       "targets of shape %s for predictions of shape %s, wanted equal "
                       "shapes",
                       shape_text(&in[1].shape, first), shape_text(&in[0].shape, second));
    }
    loss_types(&in[0], out);
    return true;
}

/* ---- gradients ---- */

/* Sum over the last axis, which stays with size 1. */
static NodeId row_sum(Graph *g, NodeId a) {
    if (a == NODE_NONE) return a;
    return graph_sum(g, a, 1u << (graph_type(g, a)->shape.ndim - 1), true);
}

/* (...) -> (..., 1) */
static NodeId as_column(Graph *g, NodeId a) {
    if (a == NODE_NONE) return a;
    Shape shape = graph_type(g, a)->shape;
    shape.dim[shape.ndim++] = 1;
    return graph_reshape(g, a, &shape);
}

/* p (d - sum(d p)) */
static NodeId through_softmax(Graph *g, NodeId p, NodeId d) {
    return mul(g, p, sub(g, d, row_sum(g, mul(g, d, p))));
}

void grad_softmax(Graph *g, GradCall *call) {
    call->din[0] = through_softmax(g, call->out, call->dout[0]);
}

/* d - softmax sum(d), where softmax = e^y */
void grad_log_softmax(Graph *g, GradCall *call) {
    NodeId d = call->dout[0], p = graph_op1(g, OP_exp, call->out);
    call->din[0] = sub(g, d, mul(g, p, row_sum(g, d)));
}

/* True where clipping to [1e-7, 1 - 1e-7] changes nothing. */
static NodeId unclipped(Graph *g, NodeId p) {
    NodeId above = graph_op2(g, OP_ge, p, number_like(g, p, epsilon));
    NodeId below = graph_op2(g, OP_le, p, number_like(g, p, 1 - epsilon));
    return graph_op2(g, OP_and_, above, below);
}

/* The part of dz that comes from the second output, softmax(z); NODE_NONE: there is none.
 */
static NodeId with_softmax(Graph *g, GradCall *call, NodeId dz) {
    if (call->dout[1] == NODE_NONE) return dz;
    NodeId through = through_softmax(g, call->out + 1, call->dout[1]);
    return dz == NODE_NONE ? through : add(g, dz, through);
}

/* (p - onehot(label)) dloss; dloss counts as 0 in ignored and in clipped rows. p is the
 * op's own second output, so this can be differentiated again. */
static NodeId sparse_logits(Graph *g, GradCall *call) {
    const Attrs *attrs = call->attrs;
    NodeId labels = as_column(g, call->in[1]), d = as_column(g, call->dout[0]);
    NodeId p = call->out + 1;
    Type type = *graph_type(g, p);
    int last = type.shape.ndim - 1;
    if (attrs->i[1]) {
        NodeId used = graph_op2(g, OP_ne, labels,
                                graph_number(g, DTYPE_INT64, (double)attrs->i[2]));
        labels = keep_where(g, used, labels);
        d = keep_where(g, used, d);
    }
    if (attrs->i[0]) {
        NodeId chosen =
            graph_op(g, OP_take_along, &(Attrs){.i = {last}}, 2, (NodeId[]){p, labels});
        d = keep_where(g, unclipped(g, chosen), d);
    }
    Shape rows = type.shape;
    rows.ndim--;
    NodeId flat = graph_reshape(g, labels, &rows);
    NodeId one_hot =
        graph_op(g, OP_one_hot, &(Attrs){.i = {type.shape.dim[last]}}, 1, &flat);
    return mul(g, sub(g, p, graph_cast(g, one_hot, type.dtype)), d);
}

void grad_sparse_ce(Graph *g, GradCall *call) {
    NodeId dz = call->dout[0] == NODE_NONE ? NODE_NONE : sparse_logits(g, call);
    call->din[0] = with_softmax(g, call, dz);
}

/* (p sum(t) - t) dloss, where a clipped element's target counts as 0. */
static NodeId dense_logits(Graph *g, GradCall *call) {
    NodeId p = call->out + 1, t = call->in[1];
    if (call->attrs->i[0]) t = keep_where(g, unclipped(g, p), t);
    NodeId slope = sub(g, mul(g, p, row_sum(g, t)), t);
    return mul(g, slope, as_column(g, call->dout[0]));
}

/* -log p dloss */
static NodeId dense_targets(Graph *g, GradCall *call) {
    NodeId p = call->out + 1, z = call->in[0], log_p;
    if (call->attrs->i[0]) {
        Attrs limits = {.f = {epsilon, 1 - epsilon}};
        log_p = graph_op1(g, OP_log, graph_op(g, OP_clip, &limits, 1, &p));
    } else {
        log_p = graph_op1(g, OP_log_softmax, z);
    }
    return mul(g, log_p, neg(g, as_column(g, call->dout[0])));
}

void grad_dense_ce(Graph *g, GradCall *call) {
    bool loss = call->dout[0] != NODE_NONE;
    if (call->need[0])
        call->din[0] = with_softmax(g, call, loss ? dense_logits(g, call) : NODE_NONE);
    if (call->need[1] && loss) call->din[1] = dense_targets(g, call);
}
