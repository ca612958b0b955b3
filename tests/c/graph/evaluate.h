/* Runs a graph op by op (op_run), the plain interpreter that the graph's tests compare
 * with. */
#ifndef CDL_TESTS_GRAPH_EVALUATE_H
#define CDL_TESTS_GRAPH_EVALUATE_H
#include "base/mem.h"
#include "graph/graph.h"

static inline bool evaluate_node(const Graph *g, NodeId k, const Tensor ports[],
                                 Tensor value[], Err *err) {
    const Node *node = &g->nodes[k];
    Tensor in[OP_MAX_IN];
    switch ((int)node->op) {
    case OP_OUTPUT:
        return true; /* filled with its op */
    case OP_LEAF_INPUT:
        value[k] = tensor_retain(&ports[node->attrs->i[0]]);
        return true;
    case OP_LEAF_VARIABLE:
        value[k] = tensor_retain(&node->variable->value);
        return true;
    case OP_LEAF_CONSTANT:
        value[k] = tensor_retain(&node->constant);
        return true;
    }
    for (int i = 0; i < node->n_in; i++) in[i] = value[node->in[i]];
    return op_run(node->op, node->attrs, node->n_in, in, &value[k], err);
}

/* The value of one node, to be released; false with err set. */
static inline bool evaluate(const Graph *g, const Tensor ports[], NodeId wanted,
                            Tensor *out, Err *err) {
    Tensor *value = mem_zalloc((size_t)(g->count + OP_MAX_OUT) * sizeof *value);
    bool done = value != NULL;
    for (NodeId k = 0; done && k < g->count; k++)
        done = evaluate_node(g, k, ports, value, err);
    if (done) *out = tensor_retain(&value[wanted]);
    for (NodeId k = 0; value && k < g->count; k++)
        if (value[k].buffer) tensor_release(&value[k]);
    mem_free(value);
    return done;
}

/* A float64 tensor with these values. */
static inline Tensor tensor_of(Shape shape, const double values[]) {
    Tensor tensor = {0};
    Err err = {0};
    if (!tensor_new(&tensor, DTYPE_FLOAT64, shape, &err)) return tensor;
    for (int64_t k = 0; k < tensor_size(&tensor); k++)
        ((double *)tensor.data)[k] = values[k];
    return tensor;
}

static inline Tensor integers_of(Shape shape, const int64_t values[]) {
    Tensor tensor = {0};
    Err err = {0};
    if (!tensor_new(&tensor, DTYPE_INT64, shape, &err)) return tensor;
    for (int64_t k = 0; k < tensor_size(&tensor); k++)
        ((int64_t *)tensor.data)[k] = values[k];
    return tensor;
}

/* Element k of a contiguous tensor. */
static inline double element(const Tensor *tensor, int64_t k) {
    return dtype_load(tensor->dtype,
                      tensor->data + (size_t)k * dtype_size(tensor->dtype));
}

#endif
