/* What the rows of ops.def name: types_<name>, the shape rules, and grad_<name>, the
 * gradient rules; and the few words that gradient rules are written in.
 *
 * A gradient rule builds graph only out of rows of the table, so gradients can be
 * differentiated again. Adding nodes may move the node array: copy a Type before adding.
 * The builders accept NODE_NONE and hand it on, so a rule needs no checks between its
 * steps. */
#ifndef CDL_GRAPH_OPS_RULES_H
#define CDL_GRAPH_OPS_RULES_H
#include "graph/graph.h"

#define OP(id, n_in, n_out, cast, shape, grad, kernel, doc)                              \
    bool types_##shape(const Attrs *attrs, int count, const Type in[], Type out[],       \
                       Err *err);                                                        \
    void grad_##grad(Graph *g, GradCall *call);
#include "graph/ops.def"
#undef OP

/* ---- for shape rules ---- */

/* attrs.i[which] as an axis of shape, or an error that counts axes from 1. */
bool rule_axis(const Attrs *attrs, int which, const Shape *shape, int *axis, Err *err);
/* ndim at i[first], sizes after it. */
bool rule_shape(const Attrs *attrs, int first, Shape *shape, Err *err);
/* The shape that a reduction over the axes of the mask leaves. */
Shape rule_reduced(const Shape *shape, uint32_t axes, bool keepdims);

/* ---- for gradient rules ---- */

/* A number of a's dtype. */
NodeId number_like(Graph *g, NodeId a, double value);
/* a where the condition holds, else 0 (also where a is inf or nan). */
NodeId keep_where(Graph *g, NodeId condition, NodeId a);
/* True when the node is a number, which it gives. */
bool number_value(const Graph *g, NodeId a, double *value);
/* The gradient before an activation, from the gradient d after it and its value y. */
NodeId before_relu(Graph *g, NodeId d, NodeId y);
NodeId before_tanh(Graph *g, NodeId d, NodeId y);
NodeId before_sigmoid(Graph *g, NodeId d, NodeId y);
/* An output of a reduction (or its gradient), shaped to broadcast against the input. */
NodeId restore_axes(Graph *g, NodeId reduced, const Shape *input, uint32_t axes);
/* Arithmetic, spelt briefly. */
static inline NodeId add(Graph *g, NodeId a, NodeId b) {
    return graph_op2(g, OP_add, a, b);
}
static inline NodeId sub(Graph *g, NodeId a, NodeId b) {
    return graph_op2(g, OP_sub, a, b);
}
static inline NodeId mul(Graph *g, NodeId a, NodeId b) {
    return graph_op2(g, OP_mul, a, b);
}
static inline NodeId divide(Graph *g, NodeId a, NodeId b) {
    return graph_op2(g, OP_div, a, b);
}
static inline NodeId neg(Graph *g, NodeId a) { return graph_op1(g, OP_neg, a); }

#endif
