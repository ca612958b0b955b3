/* Gradients of traced tensors, and what made a traced tensor. */
#include "script/value.h"

enum { MOST_GRADIENTS = 4096 };

/* The nodes that entry k of the list at index 2 may stand for: a tensor's one, a variable's
 * versions, newest first. */
static int candidates(lua_State *L, int k, NodeId x[], int room) {
    lua_geti(L, 2, k);
    Variable *variable = script_to_variable(L, -1);
    int count = 0;
    if (!variable) {
        Value *value = value_check(L, -1);
        if (value->kind == VALUE_TRACED)
            x[count++] = trace_node(L, value);
        else
            x[count++] = trace_capture(L, &value->tensor);
    } else {
        const Binding *binding = trace_binding(L, variable);
        for (int v = binding ? binding->versions : 0; v > 0; v--) {
            if (count == room)
                script_raise(L, "too many variables for one call of gradients");
            x[count++] = binding->version[v - 1];
        }
    }
    lua_pop(L, 1);
    return count;
}

static void push_gradient(lua_State *L, int k, NodeId gradient, bool zeros) {
    Graph *graph = trace_get(L)->graph;
    if (gradient == NODE_NONE) {
        lua_geti(L, 2, k);
        Variable *variable = script_to_variable(L, -1);
        if (!zeros && variable)
            script_raise(
                L,
                "gradients: no y depends on variable '%s' (pass unused = \"zeros\" "
                "for a gradient of zeros)",
                variable->path);
        if (!zeros)
            script_raise(
                L,
                "gradients: no y depends on x number %d (pass unused = \"zeros\" "
                "for a gradient of zeros)",
                k);
        Value *value = value_to(L, -1);
        Type type = variable ? (Type){variable->value.dtype, variable->value.shape}
                    : value->kind == VALUE_EAGER
                        ? (Type){value->tensor.dtype, value->tensor.shape}
                        : *graph_type(graph, trace_node(L, value));
        lua_pop(L, 1);
        gradient = graph_zeros(graph, type);
        trace_check(L);
    }
    value_push_node(L, gradient);
}

/* core.gradients(list of y, list of x, zeros) -> list, and how many x the y depend on. y of any
 * shape is summed; x are tensors or variables; a variable means the newest version that y
 * depends on. */
static int core_gradients(lua_State *L) {
    Graph *graph = trace_get(L)->graph;
    int n_y = (int)luaL_len(L, 1), n_x = (int)luaL_len(L, 2), count = 0;
    NodeId *y = lua_newuserdatauv(L, (size_t)(n_y + 1) * sizeof *y, 0);
    NodeId *x = lua_newuserdatauv(L, MOST_GRADIENTS * sizeof *x, 0);
    NodeId *dx = lua_newuserdatauv(L, MOST_GRADIENTS * sizeof *dx, 0);
    int *first = lua_newuserdatauv(L, (size_t)(n_x + 1) * sizeof *first, 0);
    for (int k = 0; k < n_y; k++) {
        lua_geti(L, 1, k + 1);
        y[k] = trace_output(L, -1);
        trace_check(L);
        if (!dtype_is_float(graph_type(graph, y[k])->dtype))
            script_raise(L, "gradients: y must be float32 or float64, got %s",
                         dtype_name(graph_type(graph, y[k])->dtype));
        lua_pop(L, 1);
    }
    for (int k = 0; k < n_x; k++) {
        first[k] = count;
        if (count == MOST_GRADIENTS)
            script_raise(L, "too many variables for one call of gradients");
        count += candidates(L, k + 1, x + count, MOST_GRADIENTS - count);
    }
    first[n_x] = count;
    trace_locate(L);
    graph_gradients(graph, n_y, y, NULL, count, x, dx);
    trace_check(L);
    lua_createtable(L, n_x, 0);
    int depends = 0;
    for (int k = 0; k < n_x; k++) {
        NodeId found = NODE_NONE;
        for (int c = first[k]; c < first[k + 1] && found == NODE_NONE; c++) found = dx[c];
        depends += found != NODE_NONE;
        push_gradient(L, k + 1, found, lua_toboolean(L, 3));
        lua_seti(L, -2, k + 1);
        lua_settop(L, 8);
    }
    lua_pushinteger(L, depends);
    return 2;
}

/* core.producer(x) -> name of the op that made the traced tensor x, then that op's inputs;
 * nothing for other tensors. */
static int core_producer(lua_State *L) {
    const Value *value = value_to(L, 1);
    if (!value || value->kind != VALUE_TRACED) return 0;
    const Graph *graph = trace_get(L)->graph;
    const Node *node = &graph->nodes[trace_node(L, value)];
    if (node->op >= OP_COUNT) return 0;
    luaL_checkstack(L, node->n_in + 4, NULL);
    lua_pushstring(L, op_name(node->op));
    for (int k = 0; k < node->n_in; k++) value_push_node(L, node->in[k]);
    return node->n_in + 1;
}

static const luaL_Reg functions[] = {
    {"gradients", core_gradients},
    {"producer", core_producer},
    {NULL, NULL},
};

void script_open_gradients(lua_State *L) { script_register(L, functions); }
