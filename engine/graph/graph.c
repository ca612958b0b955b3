#include "graph/graph.h"
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "graph/call_setup.h"

typedef struct GraphName {
    struct GraphName *next;
    const char *text;
} GraphName;

typedef struct GraphVariable {
    struct GraphVariable *next;
    const Variable *variable;
    NodeId node;
} GraphVariable;

static const Attrs no_attrs;

Graph *graph_new(void) {
    Graph *graph = mem_zalloc(sizeof *graph);
    if (graph) graph->where = graph->path = "";
    return graph;
}

void graph_free(Graph *graph) {
    if (!graph) return;
    for (NodeId k = 0; k < graph->count; k++) {
        variable_release(graph->nodes[k].variable);
        tensor_release(&graph->nodes[k].constant);
    }
    mem_free(graph->nodes);
    arena_free(&graph->arena);
    mem_free(graph);
}

static NodeId out_of_memory(Graph *g) {
    err_set_at(&g->err, g->where, "out of memory for a graph of %d nodes", (int)g->count);
    return NODE_NONE;
}

static const char *intern(Graph *g, const char *text) {
    if (!text || !*text) return "";
    GraphName **slot = &g->names[hash_bytes(text, strlen(text)) % GRAPH_SLOTS];
    for (GraphName *name = *slot; name; name = name->next)
        if (!strcmp(name->text, text)) return name->text;
    GraphName *name = arena_alloc(&g->arena, sizeof *name);
    char *copy = name ? arena_strdup(&g->arena, text) : NULL;
    if (!copy) {
        out_of_memory(g);
        return "";
    }
    *name = (GraphName){*slot, copy};
    *slot = name;
    return copy;
}

void graph_locate(Graph *graph, const char *where, const char *path) {
    graph->where = intern(graph, where);
    graph->path = intern(graph, path);
}

/* Room for `more` nodes, so that what follows cannot fail half-way. */
static bool make_room(Graph *g, NodeId more) {
    if (g->room - g->count >= more) return true;
    NodeId room = g->room ? g->room * 2 : 64;
    if (room - g->count < more) room = g->count + more;
    Node *nodes = mem_grow(g->nodes, (size_t)room * sizeof *nodes);
    if (!nodes) {
        out_of_memory(g);
        return false;
    }
    g->nodes = nodes;
    g->room = room;
    return true;
}

/* Appends a node; make_room has been called. */
static NodeId push(Graph *g, Node node) {
    node.where = g->where;
    node.path = g->path;
    if (!node.attrs) node.attrs = &no_attrs;
    g->nodes[g->count] = node;
    return g->count++;
}

static const Attrs *copy_attrs(Graph *g, const Attrs *attrs) {
    if (!attrs) return &no_attrs;
    Attrs *copy = arena_alloc(&g->arena, sizeof *copy);
    if (copy) *copy = *attrs;
    return copy;
}

static const NodeId *copy_inputs(Graph *g, int n_in, const NodeId in[]) {
    NodeId *copy = arena_alloc(&g->arena, (size_t)n_in * sizeof *copy);
    if (copy) memcpy(copy, in, (size_t)n_in * sizeof *copy);
    return copy;
}

/* ---- leaves ---- */

NodeId graph_input(Graph *g, int port, Type type) {
    if (g->err.set || !make_room(g, 1)) return NODE_NONE;
    const Attrs *attrs = copy_attrs(g, &(Attrs){.i = {port}});
    if (!attrs) return out_of_memory(g);
    return push(g, (Node){.op = OP_LEAF_INPUT, .attrs = attrs, .type = type});
}

NodeId graph_variable(Graph *g, Variable *variable) {
    if (g->err.set) return NODE_NONE;
    for (GraphVariable *known = g->variables; known; known = known->next)
        if (known->variable == variable) return known->node;
    GraphVariable *entry = arena_alloc(&g->arena, sizeof *entry);
    if (!entry) return out_of_memory(g);
    if (!make_room(g, 1)) return NODE_NONE;
    Type type = {variable->value.dtype, variable->value.shape};
    NodeId node = push(g, (Node){.op = OP_LEAF_VARIABLE,
                                 .type = type,
                                 .variable = variable_retain(variable)});
    *entry = (GraphVariable){g->variables, variable, node};
    g->variables = entry;
    return node;
}

NodeId graph_constant(Graph *g, const Tensor *tensor) {
    if (g->err.set || !make_room(g, 1)) return NODE_NONE;
    return push(g, (Node){.op = OP_LEAF_CONSTANT,
                          .type = {tensor->dtype, tensor->shape},
                          .constant = tensor_retain(tensor)});
}

/* What remains of a value in a dtype: integers are cut and wrap, as the kernels' do. */
static double number_in(DType dtype, double value) {
    if (dtype_is_float(dtype))
        return dtype == DTYPE_FLOAT32 ? (double)(float)value : value;
    if (dtype == DTYPE_BOOL) return value != 0;
    int64_t integer = value != value    ? 0
                      : value >= 0x1p63 ? INT64_MAX
                      : value < -0x1p63 ? INT64_MIN
                                        : (int64_t)value;
    if (dtype == DTYPE_UINT8) return (uint8_t)integer;
    if (dtype == DTYPE_INT32) return (int32_t)(uint32_t)integer;
    return (double)integer;
}

NodeId graph_number(Graph *g, DType dtype, double value) {
    if (g->err.set) return NODE_NONE;
    value = number_in(dtype, value);
    struct {
        double value;
        int64_t dtype;
    } key = {value, dtype};
    NodeId *slot = &g->numbers[hash_bytes(&key, sizeof key) % GRAPH_SLOTS];
    if (*slot) {
        const Node *known = &g->nodes[*slot - 1];
        if (known->type.dtype == dtype &&
            !memcmp(&known->attrs->f[0], &value, sizeof value))
            return *slot - 1;
    }
    const Attrs *attrs = copy_attrs(g, &(Attrs){.f = {value}});
    Tensor scalar;
    if (!attrs || !tensor_new(&scalar, dtype, shape_of(0), NULL)) return out_of_memory(g);
    if (!make_room(g, 1)) {
        tensor_release(&scalar);
        return NODE_NONE;
    }
    dtype_store(dtype, scalar.data, value);
    NodeId node = push(g, (Node){.op = OP_LEAF_CONSTANT,
                                 .attrs = attrs,
                                 .type = {dtype},
                                 .constant = scalar,
                                 .number = true});
    *slot = node + 1;
    return node;
}

/* ---- ops ---- */

static NodeId fail(Graph *g, OpId op, const char *text) {
    bool placed = *g->path != '\0';
    err_set_at(&g->err, g->where, "%s: %s%s%s%s", op_name(op), text,
               placed ? " (in " : "", g->path, placed ? ")" : "");
    return NODE_NONE;
}

/* The inputs cast by the op's rule. Indices that are floats must be integral: the cast
 * checks. */
static bool cast_inputs(Graph *g, OpId op, int n_in, const NodeId in[], NodeId cast[]) {
    Type types[OP_MAX_IN];
    DType to[OP_MAX_IN];
    for (int k = 0; k < n_in; k++) {
        if (in[k] < 0 || in[k] >= g->count) return false;
        types[k] = g->nodes[in[k]].type;
    }
    op_cast(op, n_in, types, NULL, NULL, to);
    for (int k = 0; k < n_in; k++) {
        cast[k] = in[k];
        if (types[k].dtype == to[k]) continue;
        bool index = op_table[op].cast == CAST_INDEX && dtype_is_float(types[k].dtype);
        cast[k] = graph_op(g, OP_cast, &(Attrs){.i = {to[k], index}}, 1, &in[k]);
        if (cast[k] == NODE_NONE) return false;
    }
    return true;
}

static bool permute_is_identity(const Attrs *attrs, int ndim) {
    for (int k = 0; k < ndim; k++)
        if (attrs->i[k] != k) return false;
    return true;
}

/* The node that an op leaves as it is, or NODE_NONE when there is work to do. */
static NodeId fold(Graph *g, OpId op, const Attrs *attrs, NodeId in, const Type *out) {
    const Node *node = &g->nodes[in];
    switch ((int)op) {
    case OP_cast:
        if (node->type.dtype == out->dtype) return in;
        if (node->number && !attrs->i[1])
            return graph_number(g, out->dtype, node->attrs->f[0]);
        return NODE_NONE;
    case OP_reshape:
    case OP_broadcast_to:
        return shape_equal(&node->type.shape, &out->shape) ? in : NODE_NONE;
    case OP_permute:
        return permute_is_identity(attrs, out->shape.ndim) ? in : NODE_NONE;
    default:
        return NODE_NONE;
    }
}

NodeId graph_op(Graph *g, OpId op, const Attrs *attrs, int n_in, const NodeId in[]) {
    if (g->err.set) return NODE_NONE;
    if (n_in < 1 || n_in > OP_MAX_IN) {
        char text[64];
        snprintf(text, sizeof text, "takes 1 to %d inputs, %d given", OP_MAX_IN, n_in);
        return fail(g, op, text);
    }
    NodeId cast[OP_MAX_IN];
    Type types[OP_MAX_IN], out[OP_MAX_OUT];
    if (!cast_inputs(g, op, n_in, in, cast)) return NODE_NONE;
    for (int k = 0; k < n_in; k++) types[k] = g->nodes[cast[k]].type;
    Err err = {0};
    if (!op_types(op, attrs, n_in, types, out, &err)) return fail(g, op, err.text);
    if (!attrs) attrs = &no_attrs;
    NodeId same = fold(g, op, attrs, cast[0], &out[0]);
    if (same != NODE_NONE) return same;

    int n_out = op_table[op].n_out;
    attrs = attrs == &no_attrs ? attrs : copy_attrs(g, attrs);
    const NodeId *inputs = copy_inputs(g, n_in, cast);
    if (!attrs || !inputs) return out_of_memory(g);
    if (!make_room(g, n_out)) return NODE_NONE;
    const Attrs *index[OP_MAX_OUT];
    const NodeId *self = n_out > 1 ? copy_inputs(g, 1, &g->count) : NULL;
    for (int k = 1; k < n_out; k++) {
        index[k] = copy_attrs(g, &(Attrs){.i = {k}});
        if (!self || !index[k]) return out_of_memory(g);
    }
    NodeId node = push(
        g, (Node){.op = op, .n_in = n_in, .in = inputs, .attrs = attrs, .type = out[0]});
    for (int k = 1; k < n_out; k++)
        push(g, (Node){.op = OP_OUTPUT,
                       .n_in = 1,
                       .in = self,
                       .attrs = index[k],
                       .type = out[k]});
    return node;
}

NodeId graph_op1(Graph *g, OpId op, NodeId a) { return graph_op(g, op, NULL, 1, &a); }

NodeId graph_op2(Graph *g, OpId op, NodeId a, NodeId b) {
    return graph_op(g, op, NULL, 2, (NodeId[]){a, b});
}

NodeId graph_op3(Graph *g, OpId op, NodeId a, NodeId b, NodeId c) {
    return graph_op(g, op, NULL, 3, (NodeId[]){a, b, c});
}
