/* Views in Lua: of eager tensors they share memory; of traced ones they are nodes. */
#include "script/value.h"

static void check_list(lua_State *L, int index, int count, int64_t out[]) {
    luaL_checktype(L, index, LUA_TTABLE);
    for (int k = 0; k < count; k++) {
        lua_geti(L, index, k + 1);
        out[k] = luaL_checkinteger(L, -1);
        lua_pop(L, 1);
    }
}

static void push_view(lua_State *L, const Value *base, bool done, Tensor view,
                      const Err *err) {
    if (!done) script_error(L, err);
    script_push_tensor(L, view);
    value_to(L, -1)->trace = base->trace; /* a view is as old as its base */
}

/* core.slice(x, starts, counts, steps): all from 0, one entry per axis */
static int core_slice(lua_State *L) {
    Value *value = value_check(L, 1);
    Type eager;
    int ndim = value_type(L, value, &eager)->shape.ndim;
    int64_t start[SHAPE_MAX], count[SHAPE_MAX], step[SHAPE_MAX];
    check_list(L, 2, ndim, start);
    check_list(L, 3, ndim, count);
    check_list(L, 4, ndim, step);
    Err err = {0};
    if (value->kind == VALUE_EAGER) {
        Tensor view;
        bool done = tensor_slice(&value->tensor, start, count, step, &view, &err);
        push_view(L, value, done, view, &err);
        return 1;
    }
    if (ndim > 6)
        script_raise(L, "a traced tensor with more than 6 axes cannot be subscripted");
    Attrs attrs = {0};
    for (int k = 0; k < ndim; k++) {
        attrs.i[k] = start[k];
        attrs.i[6 + k] = count[k];
        attrs.i[12 + k] = step[k];
    }
    NodeId node = trace_node(L, value);
    trace_locate(L);
    node = graph_op(vm_get(L)->trace->graph, OP_slice, &attrs, 1, &node);
    trace_check(L);
    value_push_node(L, node);
    return 1;
}

/* core.reshape(x, shape): shape without unknown sizes */
static int core_reshape(lua_State *L) {
    Value *value = value_check(L, 1);
    Shape shape = script_check_shape(L, 2);
    Err err = {0};
    if (value->kind == VALUE_EAGER) {
        Tensor view;
        bool done = tensor_reshape(&value->tensor, shape, &view, &err);
        push_view(L, value, done, view, &err);
        return 1;
    }
    NodeId node = trace_node(L, value);
    trace_locate(L);
    node = graph_reshape(vm_get(L)->trace->graph, node, &shape);
    trace_check(L);
    value_push_node(L, node);
    return 1;
}

/* core.drop_axis(x, axis): an eager tensor without an axis of size 1 (from 0) */
static int core_drop_axis(lua_State *L) {
    Value *value = value_check(L, 1);
    Tensor view;
    Err err = {0};
    bool done = tensor_drop_axis(script_check_tensor(L, 1), (int)luaL_checkinteger(L, 2),
                                 &view, &err);
    push_view(L, value, done, view, &err);
    return 1;
}

/* core.permute(x, order): output axis k is input axis order[k], from 0 */
static int core_permute(lua_State *L) {
    Value *value = value_check(L, 1);
    Type eager;
    int ndim = value_type(L, value, &eager)->shape.ndim;
    int64_t order[SHAPE_MAX];
    int perm[SHAPE_MAX];
    check_list(L, 2, ndim, order);
    for (int k = 0; k < ndim; k++) perm[k] = (int)order[k];
    Err err = {0};
    if (value->kind == VALUE_EAGER) {
        Tensor view;
        bool done = tensor_permute(&value->tensor, perm, &view, &err);
        push_view(L, value, done, view, &err);
        return 1;
    }
    NodeId node = trace_node(L, value);
    trace_locate(L);
    node = graph_permute(vm_get(L)->trace->graph, node, perm);
    trace_check(L);
    value_push_node(L, node);
    return 1;
}

/* core.assign_into(view, value): value is an eager tensor, a variable, a number or boolean */
static int core_assign_into(lua_State *L) {
    Tensor *to = script_check_tensor(L, 1), *from = script_to_tensor(L, 2), scalar;
    Variable *variable = script_to_variable(L, 2);
    Err err = {0};
    if (!from && variable) from = &variable->value;
    if (from) {
        if (!tensor_assign(to, from, &err)) script_error(L, &err);
        return 0;
    }
    if (value_to(L, 2)) script_check_tensor(L, 2);
    if (lua_type(L, 2) != LUA_TNUMBER && !lua_isboolean(L, 2))
        script_raise(L,
                     "a number, a boolean, a tensor or a nested table can be assigned to "
                     "a tensor, got %s",
                     luaL_typename(L, 2));
    double x = lua_isboolean(L, 2) ? lua_toboolean(L, 2) : lua_tonumber(L, 2);
    if (to->dtype == DTYPE_BOOL) x = x != 0;
    bool exact = lua_isinteger(L, 2) && to->dtype == DTYPE_INT64;
    if (!exact && !value_fits(to->dtype, x))
        script_raise(L, "%s does not fit in dtype %s", luaL_tolstring(L, 2, NULL),
                     dtype_name(to->dtype));
    if (!tensor_new(&scalar, to->dtype, (Shape){0}, &err)) script_error(L, &err);
    dtype_store(to->dtype, scalar.data, x);
    if (exact) *(int64_t *)scalar.data = lua_tointeger(L, 2);
    bool done = tensor_assign(to, &scalar, &err);
    tensor_release(&scalar);
    if (!done) script_error(L, &err);
    return 0;
}

static const luaL_Reg functions[] = {
    {"slice", core_slice},
    {"reshape", core_reshape},
    {"permute", core_permute},
    {"drop_axis", core_drop_axis},
    {"assign_into", core_assign_into},
    {NULL, NULL},
};

void script_open_view(lua_State *L) { script_register(L, functions); }
