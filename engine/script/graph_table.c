/* A traced graph as a Lua table, for those who write it in another form (cdl/onnx.lua). What
 * depends on variables and constants alone is computed here, so that only what depends on
 * the inputs has to be written. */
#include "base/mem.h"
#include "script/value.h"

#define FOLDED_META "cdl.folded"

/* The values of the nodes that depend on no input; tensors without buffer for the others. */
typedef struct Folded {
    Tensor *value;
    NodeId count;
} Folded;

static int folded_close(lua_State *L) {
    Folded *folded = luaL_checkudata(L, 1, FOLDED_META);
    for (NodeId k = 0; k < folded->count; k++)
        if (folded->value[k].buffer) tensor_release(&folded->value[k]);
    mem_free(folded->value);
    *folded = (Folded){0};
    return 0;
}

/* Random numbers stay: they are to be drawn anew at each run. */
static bool is_random(OpId op) {
    return op == OP_random_uniform || op == OP_random_normal || op == OP_random_int ||
           op == OP_random_bernoulli || op == OP_random_permutation || op == OP_dropout;
}

static bool can_fold(const Folded *folded, const Node *node) {
    if (node->op >= OP_COUNT || is_random(node->op)) return false;
    for (int k = 0; k < node->n_in; k++)
        if (!folded->value[node->in[k]].buffer) return false;
    return true;
}

static bool fold(const Graph *graph, NodeId id, Folded *folded, Err *err) {
    const Node *node = &graph->nodes[id];
    if (node->op == OP_LEAF_VARIABLE) {
        folded->value[id] = tensor_retain(&node->variable->value);
        return true;
    }
    if (node->op == OP_LEAF_CONSTANT) {
        folded->value[id] = tensor_retain(&node->constant);
        return true;
    }
    if (!can_fold(folded, node)) return true;
    Tensor in[OP_MAX_IN], out[OP_MAX_OUT] = {0};
    for (int k = 0; k < node->n_in; k++) in[k] = folded->value[node->in[k]];
    if (!op_run(node->op, node->attrs, node->n_in, in, out, err)) return false;
    /* Further outputs are the nodes behind this one. */
    for (int k = 0; k < op_table[node->op].n_out; k++) folded->value[id + k] = out[k];
    return true;
}

/* Which nodes the outputs need: a folded value needs nothing. */
static void mark(lua_State *L, int outputs, const Graph *graph, const Folded *folded,
                 bool *needed) {
    for (NodeId k = 0; k < graph->count; k++) needed[k] = false;
    for (int k = 1; lua_rawgeti(L, outputs, k) != LUA_TNIL; k++) {
        needed[lua_tointeger(L, -1) - 1] = true;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    for (NodeId k = graph->count; k-- > 0;) {
        const Node *node = &graph->nodes[k];
        if (!needed[k] || folded->value[k].buffer) continue;
        for (int i = 0; i < node->n_in; i++) needed[node->in[i]] = true;
    }
}

static void push_attrs(lua_State *L, const Attrs *attrs) {
    lua_createtable(L, ATTR_INTS, 0);
    for (int k = 0; k < ATTR_INTS; k++) {
        lua_pushinteger(L, attrs->i[k]);
        lua_rawseti(L, -2, k + 1);
    }
    lua_setfield(L, -2, "i");
    lua_createtable(L, ATTR_REALS, 0);
    for (int k = 0; k < ATTR_REALS; k++) {
        lua_pushnumber(L, attrs->f[k]);
        lua_rawseti(L, -2, k + 1);
    }
    lua_setfield(L, -2, "f");
}

static void push_node(lua_State *L, const Node *node, const Tensor *value) {
    lua_createtable(L, 0, 10);
    lua_pushstring(L, op_name(node->op));
    lua_setfield(L, -2, "op");
    lua_pushstring(L, dtype_name(node->type.dtype));
    lua_setfield(L, -2, "dtype");
    script_push_shape(L, &node->type.shape);
    lua_setfield(L, -2, "shape");
    lua_pushstring(L, node->path);
    lua_setfield(L, -2, "path");
    lua_pushstring(L, node->where);
    lua_setfield(L, -2, "where");
    lua_createtable(L, node->n_in, 0);
    for (int k = 0; k < node->n_in; k++) {
        lua_pushinteger(L, node->in[k] + 1);
        lua_rawseti(L, -2, k + 1);
    }
    lua_setfield(L, -2, "inputs");
    push_attrs(L, node->attrs);
    if (node->op == OP_LEAF_VARIABLE) {
        lua_pushstring(L, node->variable->path);
        lua_setfield(L, -2, "variable");
    }
    if (value->buffer) {
        script_push_tensor(L, tensor_retain(value));
        lua_setfield(L, -2, "value");
    }
}

/* The numbers of the nodes that the traced function, whose results are on top, returned. */
static void push_outputs(lua_State *L) {
    int results = lua_gettop(L), count = (int)luaL_len(L, -1);
    lua_createtable(L, count, 0);
    for (int k = 0; k < count; k++) {
        lua_geti(L, results, k + 1);
        lua_pushinteger(L, trace_output(L, -1) + 1);
        trace_check(L);
        lua_rawseti(L, -3, k + 1);
        lua_pop(L, 1);
    }
}

/* Folds what the outputs (a list at that index) need; leaves in `needed` what is left. */
static Folded *fold_all(lua_State *L, int outputs, const Graph *graph, bool *needed) {
    Err err = {0};
    Folded *folded = lua_newuserdatauv(L, sizeof *folded, 0);
    *folded = (Folded){0};
    luaL_setmetatable(L, FOLDED_META);
    size_t room = (size_t)graph->count + OP_MAX_OUT;
    folded->value = mem_zalloc(room * sizeof *folded->value);
    if (!folded->value) script_raise(L, "out of memory while tracing");
    folded->count = graph->count;
    mark(L, outputs, graph, folded, needed);
    bool some = lua_getfield(L, 2, "unfold") == LUA_TTABLE;
    for (NodeId k = 0; k < graph->count; k++) {
        if (some && lua_rawgeti(L, -1, k + 1) != LUA_TNIL) needed[k] = false;
        if (some) lua_pop(L, 1);
        if (needed[k] && !folded->value[k].buffer && !fold(graph, k, folded, &err))
            script_error(L, &err);
    }
    lua_pop(L, 1);
    mark(L, outputs, graph, folded, needed);
    return folded;
}

static int table_body(lua_State *L) {
    trace_call(L);
    const Graph *graph = trace_get(L)->graph;
    push_outputs(L);
    int outputs = lua_gettop(L);
    bool *needed = lua_newuserdatauv(L, (size_t)graph->count + 1, 0);
    const Folded *folded = fold_all(L, outputs, graph, needed);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, outputs);
    lua_setfield(L, -2, "outputs");
    lua_pushinteger(L, graph->count);
    lua_setfield(L, -2, "count");
    lua_newtable(L);
    for (NodeId k = 0; k < graph->count; k++) {
        if (!needed[k]) continue;
        push_node(L, &graph->nodes[k], &folded->value[k]);
        lua_rawseti(L, -2, k + 1);
    }
    lua_setfield(L, -2, "nodes");
    return 1;
}

/* core.graph(function, specs) -> {nodes = by number (those that the outputs need), outputs =
 * numbers, count =}. specs.unfold, if given, has the numbers of nodes that are not to be computed. A node has op, inputs, i and f (attributes), dtype, shape, path, where, the
 * name of its variable, and its value where it depends on no input. */
static int core_graph(lua_State *L) { return trace_with(L, table_body); }

static const luaL_Reg functions[] = {{"graph", core_graph}, {NULL, NULL}};

void script_open_graph_table(lua_State *L) {
    script_register(L, functions);
    script_new_holder(L, FOLDED_META, folded_close);
}
