/* Tracing: a Lua function is run once with traced tensors and gives a graph; the graph becomes
 * a plan. Program order of assignments is kept by the versions of each variable. */
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "script/value.h"

/* ---- the current trace ---- */

Trace *trace_get(lua_State *L) {
    Trace *trace = vm_get(L)->trace;
    if (!trace) script_raise(L, "this works only while a function is traced");
    return trace;
}

NodeId trace_node(lua_State *L, const Value *value) {
    const Trace *trace = vm_get(L)->trace;
    if (trace && value->trace == trace->number) return value->node;
    for (const Trace *outer = trace; outer; outer = outer->outer)
        if (value->trace == outer->number)
            script_raise(
                L, "this tensor belongs to an enclosing trace and cannot be used here");
    script_raise(
        L,
        "this tensor belongs to a finished trace; return it, or store it in a variable");
}

void trace_locate(lua_State *L) {
    char where[256];
    const Vm *vm = vm_get(L);
    graph_locate(vm->trace->graph, script_where(L, where, sizeof where), vm->path);
}

void trace_check(lua_State *L) {
    Graph *graph = vm_get(L)->trace->graph;
    if (!graph->err.set) return;
    Err err = graph->err;
    graph->err = (Err){0};
    script_error(L, &err);
}

static Variable *remapped(const Trace *trace, Variable *variable) {
    for (int k = 0; k < trace->n_remap; k++)
        if (trace->remap[2 * k] == variable) return trace->remap[2 * k + 1];
    return variable;
}

static Binding *binding_find(Trace *trace, Variable *variable) {
    for (int k = 0; k < trace->n_bindings; k++)
        if (trace->bindings[k].variable == variable) return &trace->bindings[k];
    return NULL;
}

static void binding_push(lua_State *L, Binding *binding, NodeId node) {
    if (binding->versions == binding->room) {
        int room = binding->room ? 2 * binding->room : 4;
        NodeId *grown = mem_grow(binding->version, (size_t)room * sizeof *grown);
        if (!grown) script_raise(L, "out of memory while tracing");
        binding->version = grown;
        binding->room = room;
    }
    binding->version[binding->versions++] = node;
}

static Binding *binding_get(lua_State *L, Variable *variable) {
    Trace *trace = trace_get(L);
    variable = remapped(trace, variable);
    Binding *binding = binding_find(trace, variable);
    if (binding) return binding;
    if (trace->n_bindings == trace->room) {
        int room = trace->room ? 2 * trace->room : 16;
        Binding *grown = mem_grow(trace->bindings, (size_t)room * sizeof *grown);
        if (!grown) script_raise(L, "out of memory while tracing");
        trace->bindings = grown;
        trace->room = room;
    }
    trace_locate(L);
    NodeId node = graph_variable(trace->graph, variable);
    trace_check(L);
    binding = &trace->bindings[trace->n_bindings++];
    *binding = (Binding){.variable = variable};
    binding_push(L, binding, node);
    return binding;
}

NodeId trace_read(lua_State *L, Variable *variable) {
    const Binding *binding = binding_get(L, variable);
    return binding->version[binding->versions - 1];
}

void trace_assign(lua_State *L, Variable *variable, NodeId value) {
    binding_push(L, binding_get(L, variable), value);
}

const Binding *trace_binding(lua_State *L, Variable *variable) {
    Trace *trace = trace_get(L);
    return binding_find(trace, remapped(trace, variable));
}

static bool is_same_tensor(const Tensor *a, const Tensor *b) {
    if (a->data != b->data || a->dtype != b->dtype) return false;
    if (!shape_equal(&a->shape, &b->shape)) return false;
    for (int k = 0; k < a->shape.ndim; k++)
        if (a->stride[k] != b->stride[k]) return false;
    return true;
}

NodeId trace_capture(lua_State *L, const Tensor *tensor) {
    Trace *trace = trace_get(L);
    uint64_t hash = hash_bytes(&tensor->data, sizeof tensor->data);
    int32_t *slot = &trace->captured_slot[hash % CAPTURED_SLOTS];
    for (int32_t k = *slot - 1; k >= 0; k = trace->captured[k].next)
        if (is_same_tensor(&trace->graph->nodes[trace->captured[k].node].constant,
                           tensor))
            return trace->captured[k].node;
    if (trace->n_captured == trace->captured_room) {
        int room = trace->captured_room ? 2 * trace->captured_room : 16;
        Captured *grown = mem_grow(trace->captured, (size_t)room * sizeof *grown);
        if (!grown) script_raise(L, "out of memory while tracing");
        trace->captured = grown;
        trace->captured_room = room;
    }
    NodeId node = graph_constant(trace->graph, tensor);
    trace_check(L);
    trace->captured[trace->n_captured] = (Captured){node, *slot - 1};
    *slot = ++trace->n_captured;
    return node;
}

/* core.capture(x): an eager tensor as a traced one */
static int core_capture(lua_State *L) {
    NodeId node = trace_capture(L, script_check_tensor(L, 1));
    value_push_node(L, node);
    return 1;
}

static void trace_free(Trace *trace) {
    graph_free(trace->graph);
    for (int k = 0; k < trace->n_bindings; k++) mem_free(trace->bindings[k].version);
    mem_free(trace->bindings);
    mem_free(trace->captured);
    mem_free(trace->remap);
    mem_free(trace);
}

/* ---- running a function under a trace ---- */

/* {dtype =, shape =} on top of the stack; popped */
static Type read_spec(lua_State *L) {
    Type type;
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_getfield(L, -1, "dtype");
    type.dtype = script_check_dtype(L, -1);
    lua_getfield(L, -2, "shape");
    type.shape = script_check_shape(L, -1);
    lua_pop(L, 3);
    return type;
}

static void read_remap(lua_State *L, int index, Trace *trace) {
    if (lua_isnoneornil(L, index)) return;
    int count = (int)luaL_len(L, index) / 2;
    trace->remap = mem_alloc((size_t)(count ? count : 1) * 2 * sizeof *trace->remap);
    if (!trace->remap) script_raise(L, "out of memory while tracing");
    for (int k = 0; k < 2 * count; k++) {
        lua_geti(L, index, k + 1);
        trace->remap[k] = script_check_variable(L, -1);
        lua_pop(L, 1);
    }
    trace->n_remap = count;
}

/* An entry of the list of outputs as a node. */
NodeId trace_output(lua_State *L, int index) {
    Graph *graph = trace_get(L)->graph;
    Value *value = value_to(L, index);
    if (value && value->kind == VALUE_TRACED) return trace_node(L, value);
    if (value) return trace_capture(L, script_check_tensor(L, index));
    Variable *variable = script_to_variable(L, index);
    if (variable) return trace_read(L, variable);
    if (lua_type(L, index) == LUA_TNUMBER)
        return graph_number(graph, DTYPE_FLOAT32, lua_tonumber(L, index));
    script_raise(L, "a traced function returns tensors or numbers, got %s",
                 luaL_typename(L, index));
}

void trace_call(lua_State *L) {
    Trace *trace = trace_get(L);
    int count = (int)luaL_len(L, 2);
    read_remap(L, 3, trace);
    luaL_checkstack(L, count + 8, "too many inputs");
    lua_pushvalue(L, 1);
    for (int port = 0; port < count; port++) {
        lua_geti(L, 2, port + 1);
        Type type = read_spec(L);
        trace_locate(L);
        NodeId node = graph_input(trace->graph, port, type);
        trace_check(L);
        value_push_node(L, node);
    }
    lua_call(L, count, 1);
    luaL_checktype(L, -1, LUA_TTABLE);
}

static void push_type(lua_State *L, const Type *type) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, dtype_name(type->dtype));
    lua_setfield(L, -2, "dtype");
    script_push_shape(L, &type->shape);
    lua_setfield(L, -2, "shape");
}

static int infer_body(lua_State *L) {
    trace_call(L);
    int count = (int)luaL_len(L, -1);
    lua_createtable(L, count, 0);
    for (int k = 0; k < count; k++) {
        lua_geti(L, -2, k + 1);
        NodeId node = trace_output(L, -1);
        trace_check(L);
        lua_pop(L, 1);
        Type type = *graph_type(trace_get(L)->graph, node);
        push_type(L, &type);
        lua_seti(L, -2, k + 1);
    }
    return 1;
}

static int plan_body(lua_State *L) {
    trace_call(L);
    Trace *trace = trace_get(L);
    int n_out = (int)luaL_len(L, -1), n_stores = 0;
    NodeId *out = lua_newuserdatauv(L, (size_t)(n_out ? n_out : 1) * sizeof *out, 0);
    for (int k = 0; k < n_out; k++) {
        lua_geti(L, -2, k + 1);
        out[k] = trace_output(L, -1);
        trace_check(L);
        lua_pop(L, 1);
    }
    PlanStore *stores =
        lua_newuserdatauv(L, (size_t)(trace->n_bindings + 1) * sizeof *stores, 0);
    for (int k = 0; k < trace->n_bindings; k++) {
        const Binding *binding = &trace->bindings[k];
        if (binding->versions > 1)
            stores[n_stores++] =
                (PlanStore){binding->variable, binding->version[binding->versions - 1]};
    }
    Err err = {0};
    Plan **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    luaL_setmetatable(L, PLAN_META);
#ifdef CDL_DEBUG
    if (!graph_verify(trace->graph, &err)) script_error(L, &err);
#endif
    *slot =
        plan_new(trace->graph, (int)luaL_len(L, 2), n_out, out, n_stores, stores, &err);
    if (!*slot) script_error(L, &err);
    return 1;
}

static int dump_body(lua_State *L) {
    trace_call(L);
    char *text = graph_dump(trace_get(L)->graph);
    if (!text) script_raise(L, "out of memory");
    lua_pushstring(L, text);
    mem_free(text);
    return 1;
}

int trace_with(lua_State *L, lua_CFunction body) {
    Vm *vm = vm_get(L);
    lua_settop(L, 3);
    Trace *trace = mem_zalloc(sizeof *trace);
    if (!trace || !(trace->graph = graph_new())) {
        mem_free(trace);
        script_raise(L, "out of memory while tracing");
    }
    trace->number = ++vm->traces;
    trace->outer = vm->trace;
    vm->trace = trace;
    lua_pushcfunction(L, body);
    lua_insert(L, 1);
    int status = lua_pcall(L, 3, 1, 0);
    vm->trace = trace->outer;
    trace_free(trace);
    return status ? lua_error(L) : 1;
}

/* core.trace(function, specs [, remap]) -> plan. The function gets one traced tensor for each
 * spec {dtype =, shape =} and returns a list of outputs. remap lists pairs of variables: the
 * second takes the place of the first. */
static int core_trace(lua_State *L) { return trace_with(L, plan_body); }

/* core.infer(function, specs [, remap]) -> list of {dtype =, shape =}: types of the outputs */
static int core_infer(lua_State *L) { return trace_with(L, infer_body); }

/* core.dump(function, specs [, remap]) -> the graph as text */
static int core_dump(lua_State *L) { return trace_with(L, dump_body); }

static int core_in_trace(lua_State *L) {
    lua_pushboolean(L, vm_get(L)->trace != NULL);
    return 1;
}

/* core.suspend(function, ...) calls it as if no trace were going on (building weights). */
static int core_suspend(lua_State *L) {
    Vm *vm = vm_get(L);
    Trace *trace = vm->trace;
    vm->trace = NULL;
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    vm->trace = trace;
    return status ? lua_error(L) : lua_gettop(L);
}

static const luaL_Reg functions[] = {
    {"trace", core_trace},
    {"infer", core_infer},
    {"dump", core_dump},
    {"capture", core_capture},
    {"in_trace", core_in_trace},
    {"suspend", core_suspend},
    {NULL, NULL},
};

void script_open_trace(lua_State *L) { script_register(L, functions); }
