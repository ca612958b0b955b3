/* Making tensors: from nested tables, filled, from a range. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "script/value.h"

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
        used += (size_t)snprintf(r->place + used, sizeof r->place - used, "[%lld]",
                                 (long long)at[k]);
}

/* The sizes along the first elements; the table on top of the stack stays. */
static void read_shape(Reader *r) {
    lua_State *L = r->L;
    int base = lua_gettop(L);
    while (lua_type(L, -1) == LUA_TTABLE) {
        if (r->shape.ndim == SHAPE_MAX)
            script_raise(L, "a tensor has at most %d axes: the table is nested deeper",
                         SHAPE_MAX);
        r->shape.dim[r->shape.ndim++] = luaL_len(L, -1);
        if (luaL_len(L, -1) == 0) break;
        luaL_checkstack(L, 4, NULL);
        lua_geti(L, -1, 1);
    }
    lua_settop(L, base);
}

bool value_fits(DType dtype, double x) {
    switch (dtype) {
    case DTYPE_UINT8:
        return x == floor(x) && x >= 0 && x <= 255;
    case DTYPE_INT32:
        return x == floor(x) && x >= INT32_MIN && x <= INT32_MAX;
    case DTYPE_INT64:
        return x == floor(x) && x >= -0x1p63 && x < 0x1p63;
    default:
        return true;
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
            script_raise(L, "%s does not fit in dtype %s%s%s",
                         luaL_tolstring(L, -1, NULL), dtype_name((DType)r->dtype),
                         r->place[0] ? " at " : "", r->place);
        dtype_store((DType)r->dtype, *to, x);
    }
    *to += size;
}

/* Raises for a key beside 1 .. count in the table on top: it would be left out silently. */
static void check_keys(Reader *r, lua_Integer count, const lua_Integer at[], int depth) {
    lua_State *L = r->L;
    luaL_checkstack(L, 4, NULL);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 1 &&
            lua_tointeger(L, -1) <= count)
            continue;
        place_of(r, at, depth);
        script_raise(
            L,
            "the nested table of a tensor holds lists only, but has the key '%s'%s%s%s",
            luaL_tolstring(L, -1, NULL), r->place[0] ? " at " : "", r->place,
            depth == 0 ? " (a dtype is the second argument)" : "");
    }
}

static const char *leaf_name(lua_State *L) {
    if (value_to(L, -1)) return "a tensor (stack joins tensors)";
    return luaL_typename(L, -1);
}

/* Walks the table on top; `to` NULL: only checks and counts. */
static void walk_table(Reader *r, int depth, lua_Integer at[], char **to) {
    lua_State *L = r->L;
    bool table = lua_type(L, -1) == LUA_TTABLE;
    if (depth == r->shape.ndim) {
        place_of(r, at, depth);
        if (table)
            script_raise(L, "ragged table: a table at %s where a number is wanted",
                         r->place);
        if (lua_type(L, -1) == LUA_TBOOLEAN)
            r->booleans++;
        else if (lua_type(L, -1) == LUA_TNUMBER)
            r->numbers++;
        else
            script_raise(L, "a tensor holds numbers or booleans, got %s%s%s",
                         leaf_name(L), r->place[0] ? " at " : "", r->place);
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
                     (long long)luaL_len(L, -1), r->place,
                     (long long)r->shape.dim[depth]);
    }
    if (!to) check_keys(r, r->shape.dim[depth], at, depth);
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

static bool is_integer_type(DType dtype) {
    return !dtype_is_float(dtype) && dtype != DTYPE_BOOL;
}

void value_check_cast(lua_State *L, const Tensor *from, DType dtype) {
    if (!is_integer_type(dtype) || from->dtype == dtype || from->dtype == DTYPE_BOOL)
        return;
    Tensor dense;
    Err err = {0};
    if (!tensor_contiguous(from, &dense, &err)) script_error(L, &err);
    int64_t size = tensor_size(from), bad = 0;
    double value = 0;
    while (bad < size) {
        value =
            dtype_load(dense.dtype, dense.data + (size_t)bad * dtype_size(dense.dtype));
        if (!value_fits(dtype, value)) break;
        bad++;
    }
    tensor_release(&dense);
    if (bad < size)
        script_raise(
            L, "%.14g does not fit in dtype %s at element %lld (astype cuts and wraps)",
            value, dtype_name(dtype), (long long)bad + 1);
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
    if (dtype >= 0) value_check_cast(L, given, (DType)dtype);
    bool done = dtype < 0 || (DType)dtype == given->dtype
                    ? tensor_copy(given, &copy, &err)
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
    bool exact = lua_isinteger(L, 2) && dtype == DTYPE_INT64;
    if (!exact && !value_fits(dtype, value))
        script_raise(L, "%s does not fit in dtype %s", luaL_tolstring(L, 2, NULL),
                     dtype_name(dtype));
    if (value == 0 && !signbit(value)) {
        if (!tensor_zero(&tensor, dtype, shape, &err)) script_error(L, &err);
        script_push_tensor(L, tensor);
        return 1;
    }
    if (!tensor_new(&tensor, dtype, shape, &err)) script_error(L, &err);
    script_push_tensor(L, tensor);
    if (!tensor_new(&scalar, dtype, (Shape){0}, &err)) script_error(L, &err);
    if (exact)
        *(int64_t *)scalar.data = lua_tointeger(L, 2);
    else
        dtype_store(dtype, scalar.data, value);
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
        dtype_store(dtype, tensor.data + (size_t)k * dtype_size(dtype),
                    first + (double)k * step);
    return 1;
}

static const luaL_Reg functions[] = {
    {"tensor", core_tensor},
    {"full", core_full},
    {"arange", core_arange},
    {NULL, NULL},
};

void script_open_make(lua_State *L) { script_register(L, functions); }
