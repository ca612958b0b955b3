/* Variables in Lua. In a trace, reads and assignments go through the trace (trace.c), which
 * keeps program order; outside they act at once. */
#include <string.h>
#include "script/value.h"

static Variable **variable_slot(lua_State *L, int index) {
    return luaL_testudata(L, index, VARIABLE_META);
}

Variable *script_to_variable(lua_State *L, int index) {
    Variable **slot = variable_slot(L, index);
    return slot ? *slot : NULL;
}

Variable *script_check_variable(lua_State *L, int index) {
    Variable *variable = script_to_variable(L, index);
    if (!variable) script_raise(L, "variable expected, got %s", luaL_typename(L, index));
    return variable;
}

/* One userdata per variable, so that Lua's == and table keys see its identity: the registry
 * holds them weakly by address. */
static void push_registry(lua_State *L) {
    if (luaL_getsubtable(L, LUA_REGISTRYINDEX, "cdl.variables")) return;
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

void script_push_variable(lua_State *L, Variable *variable) {
    push_registry(L);
    if (lua_rawgetp(L, -1, variable) == LUA_TUSERDATA) {
        variable_release(variable);
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    Variable **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    luaL_setmetatable(L, VARIABLE_META);
    *slot = variable;
    lua_pushvalue(L, -1);
    lua_rawsetp(L, -3, variable);
    lua_remove(L, -2);
}

static int variable_gc(lua_State *L) {
    Variable **slot = variable_slot(L, 1);
    if (slot && *slot) {
        variable_release(*slot);
        *slot = NULL;
    }
    return 0;
}

/* core.variable(tensor, path, trainable): holds a copy of the tensor */
static int core_variable(lua_State *L) {
    Err err = {0};
    Variable *variable = variable_new(luaL_checkstring(L, 2), script_check_tensor(L, 1),
                                      lua_toboolean(L, 3), &err);
    if (!variable) script_error(L, &err);
    script_push_variable(L, variable);
    return 1;
}

static int core_is_variable(lua_State *L) {
    lua_pushboolean(L, script_to_variable(L, 1) != NULL);
    return 1;
}

/* core.read(variable): its value, traced in a trace, else a copy */
static int core_read(lua_State *L) {
    Variable *variable = script_check_variable(L, 1);
    if (vm_get(L)->trace) {
        value_push_node(L, trace_read(L, variable));
        return 1;
    }
    Tensor copy;
    Err err = {0};
    if (!tensor_copy(&variable->value, &copy, &err)) script_error(L, &err);
    script_push_tensor(L, copy);
    return 1;
}

/* core.value(variable): a copy of its stored value, also in a trace */
static int core_value(lua_State *L) {
    Tensor copy;
    Err err = {0};
    if (!tensor_copy(&script_check_variable(L, 1)->value, &copy, &err))
        script_error(L, &err);
    script_push_tensor(L, copy);
    return 1;
}

static void assign_now(lua_State *L, Variable *variable, const Tensor *value) {
    Err err = {0};
    if (!variable_assign(variable, value, &err)) script_error(L, &err);
}

static void check_assigned_shape(lua_State *L, const Variable *variable,
                                 const Shape *shape) {
    char got[SHAPE_TEXT], want[SHAPE_TEXT];
    if (shape->ndim == 0 || shape_equal(shape, &variable->value.shape)) return;
    script_raise(L, "variable '%s' has shape %s, cannot assign shape %s", variable->path,
                 shape_text(&variable->value.shape, want), shape_text(shape, got));
}

static void assign_traced(lua_State *L, Variable *variable, int index) {
    Graph *graph = vm_get(L)->trace->graph;
    const Variable *source = script_to_variable(L, index);
    Value *value = value_to(L, index);
    NodeId node;
    trace_locate(L);
    if (source)
        node = trace_read(L, script_to_variable(L, index));
    else if (!value)
        node = graph_number(graph, variable->value.dtype, lua_tonumber(L, index));
    else if (value->kind == VALUE_TRACED)
        node = trace_node(L, value);
    else
        node = trace_capture(L, script_check_tensor(L, index));
    trace_check(L);
    check_assigned_shape(L, variable, &graph_type(graph, node)->shape);
    node = graph_expand(graph, graph_cast(graph, node, variable->value.dtype),
                        &variable->value.shape);
    trace_check(L);
    trace_assign(L, variable, node);
}

/* core.assign(variable, x): x is a tensor, variable, number, boolean or nested table */
static int core_assign(lua_State *L) {
    Variable *variable = script_check_variable(L, 1);
    int type = lua_type(L, 2);
    DType dtype = variable->value.dtype;
    if (type == LUA_TTABLE) {
        script_table_tensor(
            L, 2, dtype_is_float(dtype) || dtype == DTYPE_BOOL ? -1 : (int)dtype);
        lua_replace(L, 2);
    } else if (type == LUA_TBOOLEAN) {
        lua_pushinteger(L, lua_toboolean(L, 2));
        lua_replace(L, 2);
    } else if (type != LUA_TNUMBER && !value_to(L, 2) && !script_to_variable(L, 2)) {
        script_raise(L,
                     "variable '%s' takes a tensor, a number or a nested table, got %s",
                     variable->path, luaL_typename(L, 2));
    }
    if (vm_get(L)->trace) {
        assign_traced(L, variable, 2);
        return 0;
    }
    Variable *source = script_to_variable(L, 2);
    if (lua_type(L, 2) == LUA_TNUMBER) {
        bool exact = dtype == DTYPE_INT64 && lua_isinteger(L, 2);
        if (!exact && !value_fits(dtype, lua_tonumber(L, 2)))
            script_raise(L, "variable '%s': %s does not fit in dtype %s", variable->path,
                         luaL_tolstring(L, 2, NULL), dtype_name(dtype));
        Tensor view = variable->value, scalar;
        Err err = {0};
        if (!tensor_new(&scalar, DTYPE_FLOAT64, (Shape){0}, &err)) script_error(L, &err);
        *(double *)scalar.data = lua_tonumber(L, 2);
        if (exact) {
            scalar.dtype = DTYPE_INT64;
            *(int64_t *)scalar.data = lua_tointeger(L, 2);
        }
        bool done = tensor_assign(&view, &scalar, &err);
        tensor_release(&scalar);
        if (!done) script_error(L, &err);
        return 0;
    }
    const Tensor *value = source ? &source->value : script_check_tensor(L, 2);
    check_assigned_shape(L, variable, &value->shape);
    value_check_cast(L, value, dtype);
    if (value->shape.ndim == 0 && variable->value.shape.ndim > 0) {
        Err err = {0};
        if (!tensor_assign(&variable->value, value, &err)) script_error(L, &err);
        return 0;
    }
    assign_now(L, variable, value);
    return 0;
}

static const char *variable_name(const Variable *variable) {
    const char *slash = strrchr(variable->path, '/');
    return slash ? slash + 1 : variable->path;
}

/* Fields; then core.variable_methods (upvalue 1), core.methods (2); subscripts (3: hooks). */
static int variable_index(lua_State *L) {
    const Variable *variable = script_check_variable(L, 1);
    if (lua_type(L, 2) != LUA_TSTRING) {
        lua_getfield(L, lua_upvalueindex(3), "subscript");
        lua_insert(L, 1);
        lua_call(L, 2, 1);
        return 1;
    }
    for (int table = 1; table <= 2; table++) {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, lua_upvalueindex(table)) != LUA_TNIL) return 1;
        lua_pop(L, 1);
    }
    const char *field = lua_tostring(L, 2);
    if (strcmp(field, "shape") == 0)
        script_push_shape(L, &variable->value.shape);
    else if (strcmp(field, "dtype") == 0)
        lua_pushstring(L, dtype_name(variable->value.dtype));
    else if (strcmp(field, "path") == 0)
        lua_pushstring(L, variable->path);
    else if (strcmp(field, "name") == 0)
        lua_pushstring(L, variable_name(variable));
    else if (strcmp(field, "trainable") == 0)
        lua_pushboolean(L, variable->trainable);
    else if (strcmp(field, "ndim") == 0)
        lua_pushinteger(L, variable->value.shape.ndim);
    else if (strcmp(field, "size") == 0)
        lua_pushinteger(L, tensor_size(&variable->value));
    else if (strcmp(field, "kind") == 0)
        lua_pushliteral(L, "variable");
    else
        lua_pushnil(L);
    return 1;
}

static int variable_newindex(lua_State *L) {
    Variable *variable = script_check_variable(L, 1);
    const char *field = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
    if (!field || strcmp(field, "trainable") != 0)
        script_raise(
            L, "variable '%s': only 'trainable' can be set; use assign() for its value",
            variable->path);
    if (!lua_isboolean(L, 3))
        script_raise(L, "variable '%s': trainable must be true or false, got %s",
                     variable->path, luaL_tolstring(L, 3, NULL));
    variable->trainable = lua_toboolean(L, 3);
    return 0;
}

static int variable_len(lua_State *L) {
    const Variable *variable = script_check_variable(L, 1);
    if (variable->value.shape.ndim == 0)
        script_raise(L, "a scalar variable has no length");
    lua_pushinteger(L, variable->value.shape.dim[0]);
    return 1;
}

static int variable_tostring(lua_State *L) {
    const Variable *variable = script_check_variable(L, 1);
    char shape[SHAPE_TEXT];
    lua_pushfstring(L, "variable '%s' %s %s", variable->path,
                    dtype_name(variable->value.dtype),
                    shape_text(&variable->value.shape, shape));
    return 1;
}

static int variable_order(lua_State *L) {
    return script_raise(
        L, "Lua's < <= > >= cannot compare variables elementwise: use the methods "
           "a:lt(b) a:le(b) a:gt(b) a:ge(b)");
}

static const luaL_Reg variable_meta[] = {
    {"__gc", variable_gc},
    {"__close", variable_gc},
    {"__len", variable_len},
    {"__tostring", variable_tostring},
    {"__newindex", variable_newindex},
    {"__lt", variable_order},
    {"__le", variable_order},
    {NULL, NULL},
};

static const luaL_Reg variable_functions[] = {
    {"variable", core_variable}, {"is_variable", core_is_variable}, {"read", core_read},
    {"value", core_value},       {"assign", core_assign},           {NULL, NULL},
};

/* core.variable_meta, core.variable_methods; after script_open_tensor. */
void script_open_variable(lua_State *L) {
    script_register(L, variable_functions);
    luaL_newmetatable(L, VARIABLE_META);
    luaL_setfuncs(L, variable_meta, 0);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_getfield(L, -4, "methods");
    lua_getfield(L, -5, "hooks");
    lua_pushcclosure(L, variable_index, 3);
    lua_setfield(L, -3, "__index");
    lua_setfield(L, -3, "variable_methods");
    lua_setfield(L, -2, "variable_meta");
}
