/* The conveniences that gradient rules are written with. */
#include "graph/graph.h"

NodeId graph_cast(Graph *g, NodeId a, DType dtype) {
    return graph_op(g, OP_cast, &(Attrs){.i = {dtype}}, 1, &a);
}

static Attrs shape_attrs(const Shape *shape) {
    Attrs attrs = {.i = {shape->ndim}};
    for (int k = 0; k < shape->ndim; k++) attrs.i[1 + k] = shape->dim[k];
    return attrs;
}

NodeId graph_reshape(Graph *g, NodeId a, const Shape *shape) {
    Attrs attrs = shape_attrs(shape);
    return graph_op(g, OP_reshape, &attrs, 1, &a);
}

NodeId graph_expand(Graph *g, NodeId a, const Shape *shape) {
    Attrs attrs = shape_attrs(shape);
    return graph_op(g, OP_broadcast_to, &attrs, 1, &a);
}

NodeId graph_sum(Graph *g, NodeId a, uint32_t axes, bool keepdims) {
    if (axes == 0) return a;
    return graph_op(g, OP_sum, &(Attrs){.i = {axes, keepdims}}, 1, &a);
}

NodeId graph_sum_to(Graph *g, NodeId a, const Shape *shape) {
    if (a == NODE_NONE) return NODE_NONE;
    Shape from = graph_type(g, a)->shape;
    int extra = from.ndim - shape->ndim;
    uint32_t axes = 0;
    for (int k = 0; k < from.ndim; k++) {
        bool added = k < extra;
        bool repeated = !added && shape->dim[k - extra] == 1 && from.dim[k] != 1;
        if (added || repeated) axes |= 1u << k;
    }
    return graph_reshape(g, graph_sum(g, a, axes, false), shape);
}

NodeId graph_permute(Graph *g, NodeId a, const int perm[]) {
    if (a == NODE_NONE) return NODE_NONE;
    Attrs attrs = {{0}, {0}};
    bool moves = false;
    for (int k = 0; k < graph_type(g, a)->shape.ndim; k++) {
        attrs.i[k] = perm[k];
        moves |= perm[k] != k;
    }
    return moves ? graph_op(g, OP_permute, &attrs, 1, &a) : a;
}

NodeId graph_zeros(Graph *g, Type type) {
    return graph_expand(g, graph_number(g, type.dtype, 0), &type.shape);
}

NodeId graph_scale(Graph *g, NodeId a, double factor) {
    if (a == NODE_NONE || factor == 1) return a;
    return graph_op2(g, OP_mul, a, graph_number(g, graph_type(g, a)->dtype, factor));
}

NodeId graph_shift(Graph *g, NodeId a, double number) {
    if (a == NODE_NONE || number == 0) return a;
    return graph_op2(g, OP_add, a, graph_number(g, graph_type(g, a)->dtype, number));
}
