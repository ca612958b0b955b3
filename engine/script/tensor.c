/* Tensors in Lua: the userdata, its fields, reading its elements. Making them is in make.c,
 * views are in view.c; arithmetic and named functions are Lua over apply.c (lua/cdl/ops.lua). */
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
    /* A view keeps no more memory alive than what it looks at was paid for. */
    bool is_new = tensor.buffer && tensor.buffer->references == 1;
    pay_collector(L, is_new ? tensor.buffer->bytes : 0);
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
    if (!value && luaL_getmetafield(L, index, "__tensor") != LUA_TNIL)
        script_raise(L, "this needs numbers, but the tensor is symbolic: its values "
                        "exist only in predict, "
                        "in a call of the model or of a cdl.Function");
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
        script_raise(
            L,
            "this needs numbers, but the tensor is traced: its values exist only while "
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
        script_raise(L, "unknown dtype '%s' (float32 float64 int32 int64 uint8 bool)",
                     name);
    return dtype;
}

const Type *value_type(lua_State *L, Value *value, Type *eager) {
    if (value->kind == VALUE_TRACED) {
        NodeId node = trace_node(L, value);
        return graph_type(vm_get(L)->trace->graph, node);
    }
    *eager = (Type){value->tensor.dtype, value->tensor.shape};
    return eager;
}

/* ---- reading ---- */

static void push_element(lua_State *L, DType dtype, const char *at) {
    int64_t exact;
    switch (dtype) {
    case DTYPE_BOOL:
        lua_pushboolean(L, *(const uint8_t *)at);
        return;
    case DTYPE_FLOAT32:
    case DTYPE_FLOAT64:
        lua_pushnumber(L, dtype_load(dtype, at));
        return;
    case DTYPE_INT64:
        memcpy(&exact, at, sizeof exact);
        break;
    default:
        exact = (int64_t)dtype_load(dtype, at);
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
        push_nested(L, t, axis + 1,
                    at + k * t->stride[axis] * (int64_t)dtype_size(t->dtype));
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
    if (!tensor_contiguous(script_check_tensor(L, 1), &dense, &err))
        script_error(L, &err);
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
    if (strcmp(name, "shape") == 0)
        script_push_shape(L, &type->shape);
    else if (strcmp(name, "dtype") == 0)
        lua_pushstring(L, dtype_name(type->dtype));
    else if (strcmp(name, "ndim") == 0)
        lua_pushinteger(L, type->shape.ndim);
    else if (strcmp(name, "size") == 0)
        lua_pushinteger(L, shape_size(&type->shape));
    else
        lua_pushnil(L);
    return 1;
}

static int tensor_newindex(lua_State *L) {
    value_check(L, 1);
    if (lua_type(L, 2) == LUA_TSTRING) {
        if (strcmp(lua_tostring(L, 2), "mask") != 0)
            script_raise(L, "a tensor has no field '%s' that can be set",
                         lua_tostring(L, 2));
        if (!lua_isnil(L, 3) && !value_to(L, 3))
            script_raise(L, "a mask is a bool tensor or nil, got %s",
                         luaL_tolstring(L, 3, NULL));
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
        lua_pushfstring(L, "tensor traced %s %s", dtype_name(type->dtype),
                        shape_text(&type->shape, shape));
        return 1;
    }
    char *text = tensor_text(&value->tensor);
    if (!text) script_raise(L, "out of memory while printing a tensor");
    lua_pushstring(L, text);
    mem_free(text);
    return 1;
}

static int tensor_order(lua_State *L) {
    return script_raise(
        L, "Lua's < <= > >= cannot compare tensors elementwise: use the methods "
           "a:lt(b) a:le(b) a:gt(b) a:ge(b) (and :item() for one number)");
}

static const luaL_Reg tensor_meta[] = {
    {"__gc", tensor_gc},    {"__close", tensor_gc},
    {"__len", tensor_len},  {"__tostring", tensor_tostring},
    {"__lt", tensor_order}, {"__le", tensor_order},
    {NULL, NULL},
};

static const luaL_Reg tensor_functions[] = {
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
