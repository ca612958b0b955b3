/* What several families of rules share. */
#include "graph/ops/rules.h"

bool rule_axis(const Attrs *attrs, int which, const Shape *shape, int *axis, Err *err) {
    int64_t given = attrs->i[which];
    if (given < 0 || given >= shape->ndim) {
        char text[SHAPE_TEXT];
        return err_set(err, "axis %lld is out of range for shape %s",
                       (long long)given + 1, shape_text(shape, text));
    }
    *axis = (int)given;
    return true;
}

bool rule_shape(const Attrs *attrs, int first, Shape *shape, Err *err) {
    int64_t ndim = attrs->i[first];
    if (ndim < 0 || ndim > SHAPE_MAX)
        return err_set(err, "a shape has at most %d axes, %lld given", SHAPE_MAX,
                       (long long)ndim);
    shape->ndim = (int)ndim;
    for (int k = 0; k < shape->ndim; k++) shape->dim[k] = attrs->i[first + 1 + k];
    return shape_check(shape, 1, err);
}

Shape rule_reduced(const Shape *shape, uint32_t axes, bool keepdims) {
    Shape out = {0};
    for (int k = 0; k < shape->ndim; k++) {
        bool reduced = axes >> k & 1;
        if (!reduced || keepdims) out.dim[out.ndim++] = reduced ? 1 : shape->dim[k];
    }
    return out;
}

NodeId number_like(Graph *g, NodeId a, double value) {
    return a == NODE_NONE ? a : graph_number(g, graph_type(g, a)->dtype, value);
}

NodeId keep_where(Graph *g, NodeId condition, NodeId a) {
    return graph_op3(g, OP_where, condition, a, number_like(g, a, 0));
}

bool number_value(const Graph *g, NodeId a, double *value) {
    if (!g->nodes[a].number) return false;
    *value = g->nodes[a].attrs->f[0];
    return true;
}

NodeId before_relu(Graph *g, NodeId d, NodeId y) {
    return graph_op2(g, OP_relu_grad, y, d);
}

NodeId before_tanh(Graph *g, NodeId d, NodeId y) {
    return mul(g, d, sub(g, number_like(g, y, 1), graph_op1(g, OP_square, y)));
}

NodeId before_sigmoid(Graph *g, NodeId d, NodeId y) {
    return mul(g, d, mul(g, y, sub(g, number_like(g, y, 1), y)));
}

NodeId restore_axes(Graph *g, NodeId reduced, const Shape *input, uint32_t axes) {
    Shape shape = rule_reduced(input, axes, true);
    return graph_reshape(g, reduced, &shape);
}
