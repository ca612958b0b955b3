/* Mean 0 and variance 1 over neighbouring axes: y = (x - mean) r, r = 1 / sqrt(variance +
 * epsilon). */
#include "graph/ops/rules.h"

/* ---- shapes ---- */

static bool standard_axes(const Attrs *attrs, const Shape *shape, Err *err) {
    int64_t first = attrs->i[0], count = attrs->i[1];
    char text[SHAPE_TEXT];
    if (first >= 0 && count >= 1 && first + count <= shape->ndim) return true;
    return err_set(err, "%lld axes from axis %lld on are out of range for shape %s",
                   (long long)count, (long long)first + 1, shape_text(shape, text));
}

static uint32_t axes_of(const Attrs *attrs) {
    return ((1u << attrs->i[1]) - 1) << attrs->i[0];
}

bool types_standardise(const Attrs *attrs, int count, const Type in[], Type out[],
                       Err *err) {
    if (!standard_axes(attrs, &in[0].shape, err)) return false;
    out[0] = in[0];
    out[1] = out[2] =
        (Type){in[0].dtype, rule_reduced(&in[0].shape, axes_of(attrs), true)};
    return true;
}

bool types_standardise_grad(const Attrs *attrs, int count, const Type in[], Type out[],
                            Err *err) {
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    if (!standard_axes(attrs, &in[0].shape, err)) return false;
    Shape variance = rule_reduced(&in[0].shape, axes_of(attrs), true);
    if (!shape_equal(&in[1].shape, &variance))
        return err_set(err, "variance of shape %s, wanted %s",
                       shape_text(&in[1].shape, first), shape_text(&variance, second));
    if (!shape_equal(&in[2].shape, &in[0].shape))
        return err_set(err, "gradient of shape %s, wanted %s",
                       shape_text(&in[2].shape, first), shape_text(&in[0].shape, second));
    out[0] = in[0];
    return true;
}

/* ---- gradients ---- */

static NodeId back(Graph *g, const Attrs *attrs, NodeId y, NodeId variance, NodeId dy) {
    return graph_op(g, OP_standardise_grad, attrs, 3, (NodeId[]){y, variance, dy});
}

static NodeId mean_of(Graph *g, const Attrs *attrs, NodeId x) {
    Attrs kept = {.i = {axes_of(attrs), 1}};
    return graph_op(g, OP_mean, &kept, 1, &x);
}

static NodeId sum_nodes(Graph *g, NodeId a, NodeId b) {
    return a == NODE_NONE ? b : add(g, a, b);
}

/* Mean and variance have gradients of their own: 1 / n, and 2 (x - mean) / n. */
void grad_standardise(Graph *g, GradCall *call) {
    const Attrs attrs = *call->attrs;
    const Shape shape = graph_type(g, call->in[0])->shape;
    NodeId y = call->out, variance = call->out + 2, din = NODE_NONE;
    double n = 1;
    for (int k = 0; k < attrs.i[1]; k++) n *= (double)shape.dim[attrs.i[0] + k];
    if (call->dout[0] != NODE_NONE) din = back(g, &attrs, y, variance, call->dout[0]);
    if (call->dout[1] != NODE_NONE)
        din = sum_nodes(g, din,
                        graph_expand(g, graph_scale(g, call->dout[1], 1 / n), &shape));
    if (call->dout[2] != NODE_NONE) {
        NodeId root = graph_op1(g, OP_sqrt, graph_shift(g, variance, attrs.f[0]));
        NodeId share = mul(g, graph_scale(g, call->dout[2], 2 / n), root);
        din = sum_nodes(g, din, mul(g, y, share));
    }
    call->din[0] = din;
}

/* dx = r (dy - mean(dy) - y mean(y dy)). It is linear in dy, and its own transpose. */
void grad_standardise_grad(Graph *g, GradCall *call) {
    const Attrs attrs = *call->attrs;
    NodeId y = call->in[0], variance = call->in[1], dy = call->in[2], d = call->dout[0];
    NodeId under = graph_shift(g, variance, attrs.f[0]);
    if (call->need[0]) {
        NodeId first = mul(g, d, mean_of(g, &attrs, mul(g, y, dy)));
        NodeId second = mul(g, dy, mean_of(g, &attrs, mul(g, y, d)));
        NodeId factor = neg(g, graph_op1(g, OP_rsqrt, under));
        call->din[0] = mul(g, add(g, first, second), factor);
    }
    if (call->need[1]) {
        NodeId sum = graph_sum(g, mul(g, d, call->out), axes_of(&attrs), true);
        call->din[1] = divide(g, graph_scale(g, sum, -0.5), under);
    }
    if (call->need[2]) call->din[2] = back(g, &attrs, y, variance, d);
}
