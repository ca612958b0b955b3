/* Tensors in Lua: the userdata, its fields, making them from tables, views, reading them.
 * Arithmetic and named functions are Lua over apply.c (lua/cdl/ops.lua). */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "script/value.h"

/* ---- userdata ---- */

static Value *value_new(lua_State *L) {
    Value *value = lua_newuserdatauv(L, sizeof *value, 1);
    *value = (Value){.kind = VALUE_CLOSED};
    luaL_setmetatable(L, VALUE_META);
    return value;
}

/* Lua's collector sees a small userdata where a large buffer hangs on it: it is moved on by
 * the bytes that were pushed, here at the border and never inside an allocation. */
static void pay_collector(lua_State *L, size_t bytes) {
    Vm *vm = vm_get(L);
    vm->owed += bytes + sizeof(Value);
    if (vm->owed < 256 * 1024) return;
    int kilobytes = vm->owed >> 10 > 1 << 20 ? 1 << 20 : (int)(vm->owed >> 10);
    vm->owed = 0;
    lua_gc(L, LUA_GCSTEP, kilobytes);
}

void script_push_tensor(lua_State *L, Tensor tensor) {
    Value *value = value_new(L);
    const Vm *vm = vm_get(L);
    value->kind = VALUE_EAGER;
    value->tensor = tensor;
    value->trace = vm->trace ? vm->trace->number : 0;
    pay_collector(L, tensor.buffer ? tensor.buffer->bytes : 0);
}

void value_push_node(lua_State *L, NodeId node) {
    Value *value = value_new(L);
    value->kind = VALUE_TRACED;
    value->trace = vm_get(L)->trace->number;
    value->node = node;
}

static int tensor_gc(lua_State *L) {
    Value *value = luaL_checkudata(L, 1, VALUE_META);
    if (value->kind == VALUE_EAGER) tensor_release(&value->tensor);
    value->kind = VALUE_CLOSED;
    return 0;
}

Value *value_to(lua_State *L, int index) { return luaL_testudata(L, index, VALUE_META); }

Value *value_check(lua_State *L, int index) {
    Value *value = value_to(L, index);
    if (!value || value->kind == VALUE_CLOSED)
        script_raise(L, "tensor expected, got %s", luaL_typename(L, index));
    return value;
}

Tensor *script_to_tensor(lua_State *L, int index) {
    Value *value = value_to(L, index);
    return value && value->kind == VALUE_EAGER ? &value->tensor : NULL;
}

Tensor *script_check_tensor(lua_State *L, int index) {
    Value *value = value_check(L, index);
    if (value->kind == VALUE_TRACED) {
        trace_node(L, value);
        script_raise(L, "this needs numbers, but the tensor is traced: its values exist only while "
                        "the step runs (return it, or store it in a variable)");
    }
    return &value->tensor;
}

/* ---- types ---- */

void script_push_shape(lua_State *L, const Shape *shape) {
    lua_createtable(L, shape->ndim, 0);
    for (int k = 0; k < shape->ndim; k++) {
        lua_pushinteger(L, shape->dim[k]);
        lua_seti(L, -2, k + 1);
    }
}

Shape script_check_shape(lua_State *L, int index) {
    Shape shape = {0};
    index = lua_absindex(L, index);
    luaL_checktype(L, index, LUA_TTABLE);
    lua_Integer ndim = luaL_len(L, index);
    if (ndim > SHAPE_MAX)
        script_raise(L, "a tensor has at most %d axes, got %d", SHAPE_MAX, (int)ndim);
    shape.ndim = (int)ndim;
    for (int k = 0; k < shape.ndim; k++) {
        lua_geti(L, index, k + 1);
        int integral;
        shape.dim[k] = lua_tointegerx(L, -1, &integral);
        if (!integral || shape.dim[k] < 0)
            script_raise(L, "a shape holds sizes from 0, got %s at place %d",
                         luaL_tolstring(L, -1, NULL), k + 1);
        lua_pop(L, 1);
    }
    return shape;
}

DType script_check_dtype(lua_State *L, int index) {
    DType dtype;
    const char *name = luaL_checkstring(L, index);
    if (!dtype_parse(name, &dtype))
        script_raise(L, "unknown dtype '%s' (float32 float64 int32 int64 uint8 bool)", name);
    return dtype;
}

static const Type *value_type(lua_State *L, Value *value, Type *eager) {
    if (value->kind == VALUE_TRACED) {
        NodeId node = trace_node(L, value);
        return graph_type(vm_get(L)->trace->graph, node);
    }
    *eager = (Type){value->tensor.dtype, value->tensor.shape};
    return eager;
}

/* ---- from tables ---- */

typedef struct Reader {
    lua_State *L;
    Shape shape;
    int booleans, numbers, dtype;
    char place[128]; /* "[3][2]" */
} Reader;

static void place_of(Reader *r, const lua_Integer at[], int depth) {
    size_t used = 0;
    r->place[0] = 0;
    for (int k = 0; k < depth && used < sizeof r->place - 24; k++)
        used += (size_t)snprintf(r->place + used, sizeof r->place - used, "[%lld]", (long long)at[k]);
}

/* The sizes along the first elements; the table on top of the stack stays. */
static void read_shape(Reader *r) {
    lua_State *L = r->L;
    int base = lua_gettop(L);
    while (lua_type(L, -1) == LUA_TTABLE) {
        if (r->shape.ndim == SHAPE_MAX)
            script_raise(L, "a tensor has at most %d axes: the table is nested deeper", SHAPE_MAX);
        r->shape.dim[r->shape.ndim++] = luaL_len(L, -1);
        if (luaL_len(L, -1) == 0) break;
        luaL_checkstack(L, 4, NULL);
        lua_geti(L, -1, 1);
    }
    lua_settop(L, base);
}

static bool value_fits(DType dtype, double x) {
    switch (dtype) {
    case DTYPE_UINT8: return x == floor(x) && x >= 0 && x <= 255;
    case DTYPE_INT32: return x == floor(x) && x >= INT32_MIN && x <= INT32_MAX;
    case DTYPE_INT64: return x == floor(x) && x >= -0x1p63 && x < 0x1p63;
    default: return true;
    }
}

static void store_leaf(Reader *r, char **to) {
    lua_State *L = r->L;
    size_t size = dtype_size((DType)r->dtype);
    if (lua_type(L, -1) == LUA_TBOOLEAN) {
        dtype_store((DType)r->dtype, *to, lua_toboolean(L, -1));
    } else if (lua_isinteger(L, -1) && r->dtype == DTYPE_INT64) {
        int64_t exact = lua_tointeger(L, -1);
        memcpy(*to, &exact, sizeof exact);
    } else {
        double x = lua_tonumber(L, -1);
        if (r->dtype == DTYPE_BOOL) x = x != 0;
        if (!value_fits((DType)r->dtype, x))
            script_raise(L, "%s does not fit in dtype %s%s%s", luaL_tolstring(L, -1, NULL),
                         dtype_name((DType)r->dtype), r->place[0] ? " at " : "", r->place);
        dtype_store((DType)r->dtype, *to, x);
    }
    *to += size;
}

/* Walks the table on top; `to` NULL: only checks and counts. */
static void walk_table(Reader *r, int depth, lua_Integer at[], char **to) {
    lua_State *L = r->L;
    bool table = lua_type(L, -1) == LUA_TTABLE;
    if (depth == r->shape.ndim) {
        place_of(r, at, depth);
        if (table) script_raise(L, "ragged table: a table at %s where a number is wanted", r->place);
        if (lua_type(L, -1) == LUA_TBOOLEAN) r->booleans++;
        else if (lua_type(L, -1) == LUA_TNUMBER) r->numbers++;
        else script_raise(L, "a tensor holds numbers or booleans, got %s%s%s", luaL_typename(L, -1),
                          r->place[0] ? " at " : "", r->place);
        if (to) store_leaf(r, to);
        return;
    }
    if (!table) {
        place_of(r, at, depth);
        script_raise(L, "ragged table: %s at %s where a table of %lld is wanted",
                     luaL_typename(L, -1), r->place, (long long)r->shape.dim[depth]);
    }
    if (luaL_len(L, -1) != r->shape.dim[depth]) {
        place_of(r, at, depth);
        script_raise(L, "ragged table: %lld entries at %s where %lld are wanted",
                     (long long)luaL_len(L, -1), r->place, (long long)r->shape.dim[depth]);
    }
    luaL_checkstack(L, 4, NULL);
    for (lua_Integer i = 1; i <= r->shape.dim[depth]; i++) {
        at[depth] = i;
        lua_geti(L, -1, i);
        walk_table(r, depth + 1, at, to);
        lua_pop(L, 1);
    }
}

void script_table_tensor(lua_State *L, int index, int dtype) {
    Reader r = {.L = L, .dtype = dtype};
    lua_Integer at[SHAPE_MAX] = {0};
    Err err = {0};
    Tensor tensor;
    lua_pushvalue(L, index);
    read_shape(&r);
    walk_table(&r, 0, at, NULL);
    if (dtype < 0) r.dtype = r.booleans && !r.numbers ? DTYPE_BOOL : DTYPE_FLOAT32;
    if (!tensor_new(&tensor, (DType)r.dtype, r.shape, &err)) script_error(L, &err);
    script_push_tensor(L, tensor); /* owned by Lua from here on: the walk may raise */
    lua_insert(L, -2);
    char *to = tensor.data;
    walk_table(&r, 0, at, &to);
    lua_pop(L, 1);
}

/* core.tensor(table, number, boolean or tensor [, dtype]) */
static int core_tensor(lua_State *L) {
    int dtype = lua_isnoneornil(L, 2) ? -1 : (int)script_check_dtype(L, 2);
    Tensor *given = script_to_tensor(L, 1), copy;
    Variable *variable = script_to_variable(L, 1);
    if (!given && !variable) {
        script_table_tensor(L, 1, dtype);
        return 1;
    }
    if (!given) given = &variable->value;
    Err err = {0};
    bool done = dtype < 0 || (DType)dtype == given->dtype ? tensor_copy(given, &copy, &err)
                                                          : tensor_cast(given, (DType)dtype, &copy, &err);
    if (!done) script_error(L, &err);
    script_push_tensor(L, copy);
    return 1;
}

/* core.full(shape, value, dtype) */
static int core_full(lua_State *L) {
    Shape shape = script_check_shape(L, 1);
    DType dtype = script_check_dtype(L, 3);
    Tensor tensor, scalar;
    Err err = {0};
    double value = lua_isboolean(L, 2) ? lua_toboolean(L, 2) : luaL_checknumber(L, 2);
    if (!value_fits(dtype, value))
        script_raise(L, "%s does not fit in dtype %s", luaL_tolstring(L, 2, NULL), dtype_name(dtype));
    if (value == 0 && !signbit(value)) {
        if (!tensor_zero(&tensor, dtype, shape, &err)) script_error(L, &err);
        script_push_tensor(L, tensor);
        return 1;
    }
    if (!tensor_new(&tensor, dtype, shape, &err)) script_error(L, &err);
    script_push_tensor(L, tensor);
    if (!tensor_new(&scalar, dtype, (Shape){0}, &err)) script_error(L, &err);
    if (lua_isinteger(L, 2) && dtype == DTYPE_INT64) *(int64_t *)scalar.data = lua_tointeger(L, 2);
    else dtype_store(dtype, scalar.data, value);
    bool done = tensor_assign(&tensor, &scalar, &err);
    tensor_release(&scalar);
    if (!done) script_error(L, &err);
    return 1;
}

/* core.arange(first, count, step, dtype): first + k * step, computed in double */
static int core_arange(lua_State *L) {
    double first = luaL_checknumber(L, 1), step = luaL_checknumber(L, 3);
    Shape shape = {1, {luaL_checkinteger(L, 2)}};
    DType dtype = script_check_dtype(L, 4);
    Tensor tensor;
    Err err = {0};
    if (!tensor_new(&tensor, dtype, shape, &err)) script_error(L, &err);
    script_push_tensor(L, tensor);
    for (int64_t k = 0; k < shape.dim[0]; k++)
        dtype_store(dtype, tensor.data + (size_t)k * dtype_size(dtype), first + (double)k * step);
    return 1;
}

/* ---- views: of eager tensors; the same as nodes for traced ones ---- */

static void check_list(lua_State *L, int index, int count, int64_t out[]) {
    luaL_checktype(L, index, LUA_TTABLE);
    for (int k = 0; k < count; k++) {
        lua_geti(L, index, k + 1);
        out[k] = luaL_checkinteger(L, -1);
        lua_pop(L, 1);
    }
}

static void push_view(lua_State *L, const Value *base, bool done, Tensor view, const Err *err) {
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
    if (ndim > 6) script_raise(L, "a traced tensor with more than 6 axes cannot be subscripted");
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
    bool done = tensor_drop_axis(script_check_tensor(L, 1), (int)luaL_checkinteger(L, 2), &view, &err);
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
    double x = lua_isboolean(L, 2) ? lua_toboolean(L, 2) : luaL_checknumber(L, 2);
    if (to->dtype == DTYPE_BOOL) x = x != 0;
    if (!value_fits(to->dtype, x))
        script_raise(L, "%s does not fit in dtype %s", luaL_tolstring(L, 2, NULL), dtype_name(to->dtype));
    if (!tensor_new(&scalar, to->dtype, (Shape){0}, &err)) script_error(L, &err);
    dtype_store(to->dtype, scalar.data, x);
    if (lua_isinteger(L, 2) && to->dtype == DTYPE_INT64) *(int64_t *)scalar.data = lua_tointeger(L, 2);
    bool done = tensor_assign(to, &scalar, &err);
    tensor_release(&scalar);
    if (!done) script_error(L, &err);
    return 0;
}

/* ---- reading ---- */

static void push_element(lua_State *L, DType dtype, const char *at) {
    int64_t exact;
    switch (dtype) {
    case DTYPE_BOOL: lua_pushboolean(L, *(const uint8_t *)at); return;
    case DTYPE_FLOAT32:
    case DTYPE_FLOAT64: lua_pushnumber(L, dtype_load(dtype, at)); return;
    case DTYPE_INT64: memcpy(&exact, at, sizeof exact); break;
    default: exact = (int64_t)dtype_load(dtype, at);
    }
    lua_pushinteger(L, exact);
}

static void push_nested(lua_State *L, const Tensor *t, int axis, const char *at) {
    if (axis == t->shape.ndim) {
        push_element(L, t->dtype, at);
        return;
    }
    luaL_checkstack(L, 4, NULL);
    lua_createtable(L, (int)t->shape.dim[axis], 0);
    for (int64_t k = 0; k < t->shape.dim[axis]; k++) {
        push_nested(L, t, axis + 1, at + k * t->stride[axis] * (int64_t)dtype_size(t->dtype));
        lua_seti(L, -2, k + 1);
    }
}

static int core_totable(lua_State *L) {
    const Tensor *tensor = script_check_tensor(L, 1);
    push_nested(L, tensor, 0, tensor->data);
    return 1;
}

static int core_item(lua_State *L) {
    const Tensor *tensor = script_check_tensor(L, 1);
    char text[SHAPE_TEXT];
    if (tensor_size(tensor) != 1)
        script_raise(L, "item() wants a tensor with one element, got shape %s",
                     shape_text(&tensor->shape, text));
    push_element(L, tensor->dtype, tensor->data);
    return 1;
}

static int core_copy(lua_State *L) {
    Tensor copy;
    Err err = {0};
    if (!tensor_copy(script_check_tensor(L, 1), &copy, &err)) script_error(L, &err);
    script_push_tensor(L, copy);
    return 1;
}

static int core_contiguous(lua_State *L) {
    Tensor dense;
    Err err = {0};
    if (!tensor_contiguous(script_check_tensor(L, 1), &dense, &err)) script_error(L, &err);
    script_push_tensor(L, dense);
    return 1;
}

static int core_is_contiguous(lua_State *L) {
    lua_pushboolean(L, tensor_is_contiguous(script_check_tensor(L, 1)));
    return 1;
}

static int core_is_tensor(lua_State *L) {
    lua_pushboolean(L, value_to(L, 1) != NULL);
    return 1;
}

static int core_tensors_alive(lua_State *L) {
    lua_pushinteger(L, tensor_alive());
    return 1;
}

/* ---- metamethods ---- */

/* Fields by name; other strings are methods (upvalue 1); numbers and tables are subscripts,
 * which core.hooks.subscript answers (upvalue 2 is core.hooks). */
static int tensor_index(lua_State *L) {
    Value *value = value_check(L, 1);
    if (lua_type(L, 2) != LUA_TSTRING) {
        lua_getfield(L, lua_upvalueindex(2), "subscript");
        lua_insert(L, 1);
        lua_call(L, 2, 1);
        return 1;
    }
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    const char *name = lua_tostring(L, 2);
    if (strcmp(name, "kind") == 0) {
        lua_pushstring(L, value->kind == VALUE_EAGER ? "eager" : "traced");
        return 1;
    }
    if (strcmp(name, "mask") == 0) {
        lua_getiuservalue(L, 1, 1);
        return 1;
    }
    Type eager;
    const Type *type = value_type(L, value, &eager);
    if (strcmp(name, "shape") == 0) script_push_shape(L, &type->shape);
    else if (strcmp(name, "dtype") == 0) lua_pushstring(L, dtype_name(type->dtype));
    else if (strcmp(name, "ndim") == 0) lua_pushinteger(L, type->shape.ndim);
    else if (strcmp(name, "size") == 0) lua_pushinteger(L, shape_size(&type->shape));
    else lua_pushnil(L);
    return 1;
}

static int tensor_newindex(lua_State *L) {
    value_check(L, 1);
    if (lua_type(L, 2) == LUA_TSTRING) {
        if (strcmp(lua_tostring(L, 2), "mask") != 0)
            script_raise(L, "a tensor has no field '%s' that can be set", lua_tostring(L, 2));
        lua_setiuservalue(L, 1, 1);
        return 0;
    }
    lua_getfield(L, lua_upvalueindex(2), "assign");
    lua_insert(L, 1);
    lua_call(L, 3, 0);
    return 0;
}

static int tensor_len(lua_State *L) {
    Type eager;
    const Type *type = value_type(L, value_check(L, 1), &eager);
    if (type->shape.ndim == 0) script_raise(L, "a scalar tensor has no length");
    lua_pushinteger(L, type->shape.dim[0]);
    return 1;
}

static int tensor_tostring(lua_State *L) {
    Value *value = value_check(L, 1);
    if (value->kind == VALUE_TRACED) {
        Type eager;
        char shape[SHAPE_TEXT];
        const Vm *vm = vm_get(L);
        if (!vm->trace || vm->trace->number != value->trace) {
            lua_pushstring(L, "tensor of a finished trace");
            return 1;
        }
        const Type *type = value_type(L, value, &eager);
        lua_pushfstring(L, "tensor traced %s %s", dtype_name(type->dtype), shape_text(&type->shape, shape));
        return 1;
    }
    char *text = tensor_text(&value->tensor);
    if (!text) script_raise(L, "out of memory while printing a tensor");
    lua_pushstring(L, text);
    mem_free(text);
    return 1;
}

static int tensor_order(lua_State *L) {
    return script_raise(L, "Lua's < <= > >= cannot compare tensors elementwise: use the methods "
                           "a:lt(b) a:le(b) a:gt(b) a:ge(b) (and :item() for one number)");
}

static const luaL_Reg tensor_meta[] = {
    {"__gc", tensor_gc},         {"__close", tensor_gc}, {"__len", tensor_len},
    {"__tostring", tensor_tostring}, {"__lt", tensor_order}, {"__le", tensor_order},
    {NULL, NULL},
};

static const luaL_Reg tensor_functions[] = {
    {"tensor", core_tensor},
    {"full", core_full},
    {"arange", core_arange},
    {"slice", core_slice},
    {"reshape", core_reshape},
    {"permute", core_permute},
    {"drop_axis", core_drop_axis},
    {"assign_into", core_assign_into},
    {"totable", core_totable},
    {"item", core_item},
    {"copy", core_copy},
    {"contiguous", core_contiguous},
    {"is_contiguous", core_is_contiguous},
    {"is_tensor", core_is_tensor},
    {"tensors_alive", core_tensors_alive},
    {NULL, NULL},
};

/* core.methods: method name -> function; core.hooks: subscript, assign; core.tensor_meta. */
void script_open_tensor(lua_State *L) {
    script_register(L, tensor_functions);
    luaL_newmetatable(L, VALUE_META);
    luaL_setfuncs(L, tensor_meta, 0);
    lua_newtable(L); /* methods */
    lua_newtable(L); /* hooks */
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, tensor_index, 2);
    lua_setfield(L, -4, "__index");
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, tensor_newindex, 2);
    lua_setfield(L, -4, "__newindex");
    lua_setfield(L, -4, "hooks");
    lua_setfield(L, -3, "methods");
    lua_setfield(L, -2, "tensor_meta");
}
