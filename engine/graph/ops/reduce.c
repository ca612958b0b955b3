/* Reductions over a set of axes (a bit mask), and the running sum. */
#include "graph/ops/rules.h"

/* ---- shapes ---- */

static bool reduced_axes(const Attrs *attrs, const Shape *shape, Err *err) {
    uint64_t axes = (uint64_t)attrs->i[0];
    if (axes >> shape->ndim == 0) return true;
    int axis = shape->ndim;
    while (!(axes >> axis & 1)) axis++;
    return rule_axis(&(Attrs){.i = {axis}}, 0, shape, &axis, err);
}

/* Sums of what may be small integers are int64. */
static DType sum_dtype(DType dtype) {
    return dtype_is_float(dtype) ? dtype : DTYPE_INT64;
}

bool types_reduce(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    if (!reduced_axes(attrs, &in[0].shape, err)) return false;
    out[0] = (Type){in[0].dtype,
                    rule_reduced(&in[0].shape, (uint32_t)attrs->i[0], attrs->i[1] != 0)};
    return true;
}

bool types_sum(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    if (!types_reduce(attrs, count, in, out, err)) return false;
    out[0].dtype = sum_dtype(in[0].dtype);
    return true;
}

/* Reductions without a neutral element want something to reduce. */
bool types_extreme(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    if (!reduced_axes(attrs, &in[0].shape, err)) return false;
    for (int k = 0; k < in[0].shape.ndim; k++) {
        if (!(attrs->i[0] >> k & 1) || in[0].shape.dim[k] > 0) continue;
        char text[SHAPE_TEXT];
        return err_set(err,
                       "axis %d of shape %s is empty: there is nothing to choose from",
                       k + 1, shape_text(&in[0].shape, text));
    }
    return types_reduce(attrs, count, in, out, err);
}

bool types_arg(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    int axis;
    if (!rule_axis(attrs, 0, &in[0].shape, &axis, err)) return false;
    Attrs mask = {.i = {INT64_C(1) << axis, attrs->i[1]}};
    if (!types_extreme(&mask, count, in, out, err)) return false;
    out[0].dtype = DTYPE_INT64;
    return true;
}

bool types_cumsum(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    int axis;
    if (!rule_axis(attrs, 0, &in[0].shape, &axis, err)) return false;
    out[0] = (Type){sum_dtype(in[0].dtype), in[0].shape};
    return true;
}

/* ---- gradients ---- */

#define X    (call->in[0])
#define AXES ((uint32_t)call->attrs->i[0])
#define D    (call->dout[0])

void grad_sum(Graph *g, GradCall *call) {
    Shape shape = graph_type(g, X)->shape;
    call->din[0] = graph_expand(g, restore_axes(g, D, &shape, AXES), &shape);
}

static int64_t reduced_count(const Shape *shape, uint32_t axes) {
    int64_t count = 1;
    for (int k = 0; k < shape->ndim; k++)
        if (axes >> k & 1) count *= shape->dim[k];
    return count;
}

void grad_mean(Graph *g, GradCall *call) {
    Shape shape = graph_type(g, X)->shape;
    int64_t count = reduced_count(&shape, AXES);
    NodeId share = graph_scale(g, restore_axes(g, D, &shape, AXES),
                               count > 0 ? 1 / (double)count : 0);
    call->din[0] = graph_expand(g, share, &shape);
}

/* max and min: elements equal to the extreme share its gradient evenly. */
void grad_max(Graph *g, GradCall *call) {
    Type type = *graph_type(g, X);
    NodeId extreme = restore_axes(g, call->out, &type.shape, AXES);
    NodeId chosen = graph_cast(g, graph_op2(g, OP_eq, X, extreme), type.dtype);
    NodeId d = restore_axes(g, D, &type.shape, AXES);
    NodeId share = divide(g, d, graph_sum(g, chosen, AXES, true));
    call->din[0] = mul(g, chosen, share);
}

void grad_logsumexp(Graph *g, GradCall *call) {
    Shape shape = graph_type(g, X)->shape;
    NodeId y = restore_axes(g, call->out, &shape, AXES);
    NodeId weight = graph_op1(g, OP_exp, sub(g, X, y));
    call->din[0] = mul(g, weight, restore_axes(g, D, &shape, AXES));
}

/* Element k is in every running sum from k on: the running sum from the other end. */
void grad_cumsum(Graph *g, GradCall *call) {
    Attrs attrs = *call->attrs;
    attrs.i[1] = !attrs.i[1];
    call->din[0] = graph_op(g, OP_cumsum, &attrs, 1, &call->dout[0]);
}
