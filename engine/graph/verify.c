/* What must hold of every graph; a pass or a rule that breaks it has a bug. */
#include "graph/call_setup.h"
#include "graph/graph.h"

static bool same_type(const Type *a, const Type *b) {
    return a->dtype == b->dtype && shape_equal(&a->shape, &b->shape);
}

static bool verify_leaf(const Node *node, NodeId k, Err *err) {
    const Tensor *value = &node->constant;
    if (node->n_in != 0)
        return err_set(err, "%%%d %s has inputs", (int)k, op_name(node->op));
    if (node->op == OP_LEAF_INPUT) {
        if (node->attrs->i[0] < 0)
            return err_set(err, "%%%d has a negative port", (int)k);
        return true;
    }
    if (node->op == OP_LEAF_VARIABLE) {
        if (!node->variable) return err_set(err, "%%%d has no variable", (int)k);
        value = &node->variable->value;
    }
    if (!value->buffer) return err_set(err, "%%%d has no value", (int)k);
    if (!same_type(&node->type, &(Type){value->dtype, value->shape}))
        return err_set(err, "%%%d is not of its value's type", (int)k);
    return true;
}

/* What follows an op with several outputs: outputs 1, 2, ... of it, and no others. */
static bool verify_outputs(const Graph *g, NodeId k, const Type types[], Err *err) {
    int n_out = op_table[g->nodes[k].op].n_out;
    for (int i = 1; i < n_out; i++) {
        const Node *output = k + i < g->count ? &g->nodes[k + i] : NULL;
        if (!output || output->op != OP_OUTPUT || output->n_in != 1 ||
            output->in[0] != k || output->attrs->i[0] != i)
            return err_set(err, "%%%d %s: output %d does not follow it", (int)k,
                           op_name(g->nodes[k].op), i);
        if (!same_type(&output->type, &types[i]))
            return err_set(err, "%%%d is not of the type that %%%d gives", (int)(k + i),
                           (int)k);
    }
    return true;
}

static bool verify_op(const Graph *g, NodeId k, Err *err) {
    const Node *node = &g->nodes[k];
    Type in[OP_MAX_IN], out[OP_MAX_OUT];
    DType to[OP_MAX_IN];
    Err rule = {0};
    if (node->n_in < 1 || node->n_in > OP_MAX_IN)
        return err_set(err, "%%%d %s has %d inputs", (int)k, op_name(node->op),
                       node->n_in);
    for (int i = 0; i < node->n_in; i++) in[i] = g->nodes[node->in[i]].type;
    op_cast(node->op, node->n_in, in, NULL, NULL, to);
    for (int i = 0; i < node->n_in; i++)
        if (in[i].dtype != to[i])
            return err_set(err, "%%%d %s: input %d is %s, wanted %s", (int)k,
                           op_name(node->op), i + 1, dtype_name(in[i].dtype),
                           dtype_name(to[i]));
    if (!op_types(node->op, node->attrs, node->n_in, in, out, &rule))
        return err_set(err, "%%%d %s: %s", (int)k, op_name(node->op), rule.text);
    if (!same_type(&node->type, &out[0]))
        return err_set(err, "%%%d %s is not of the type that its rule gives", (int)k,
                       op_name(node->op));
    return verify_outputs(g, k, out, err);
}

static bool verify_node(const Graph *g, NodeId k, Err *err) {
    const Node *node = &g->nodes[k];
    if ((int)node->op < 0 || node->op > OP_OUTPUT)
        return err_set(err, "%%%d has no op", (int)k);
    if (!node->attrs || !node->where || !node->path)
        return err_set(err, "%%%d has no attributes, line or path", (int)k);
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] < 0 || node->in[i] >= k)
            return err_set(err, "%%%d uses %%%d, which is not before it", (int)k,
                           (int)node->in[i]);
    if (node->op < OP_COUNT) return verify_op(g, k, err);
    if (node->op != OP_OUTPUT) return verify_leaf(node, k, err);
    NodeId main = node->n_in == 1 ? node->in[0] : NODE_NONE;
    int64_t index = node->attrs->i[0];
    if (main == NODE_NONE || main + index != k || g->nodes[main].op >= OP_COUNT ||
        index < 1 || index >= op_table[g->nodes[main].op].n_out)
        return err_set(err, "%%%d is an output of nothing", (int)k);
    return true;
}

bool graph_verify(const Graph *g, Err *err) {
    for (NodeId k = 0; k < g->count; k++)
        if (!verify_node(g, k, err)) return false;
    return true;
}
