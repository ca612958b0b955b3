/* Event files in Lua: the raw functions behind cdl.summary. What can go wrong with a file is
 * returned as nil and a message. */
#include "io/event_file.h"
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "io/histogram.h"
#include "io/png.h"
#include "io/protobuf.h"
#include "script/script.h"

#define EVENT_META "cdl.event_file"
#define BLOCK_META "cdl.event_block"

/* Fields of a Summary, of a Value in it, and of a HistogramProto. */
enum { SUMMARY_VALUE = 1 };
enum { VALUE_TAG = 1, VALUE_SIMPLE = 2 };
enum {
    HISTO_MIN = 1,
    HISTO_MAX,
    HISTO_NUM,
    HISTO_SUM,
    HISTO_SQUARES,
    HISTO_LIMIT,
    HISTO_BUCKET
};

static int fail(lua_State *L, const Err *err) {
    luaL_pushfail(L);
    lua_pushstring(L, err->text);
    return 2;
}

static int push_done(lua_State *L, bool ok, const Err *err) {
    if (!ok) return fail(L, err);
    lua_pushboolean(L, true);
    return 1;
}

static EventFile *check_file(lua_State *L) { return luaL_checkudata(L, 1, EVENT_META); }

static int file_close(lua_State *L) {
    event_close(check_file(L));
    return 0;
}

/* core.event_open(folder) -> file; or nil, message, whether the folder has a writer already */
static int core_event_open(lua_State *L) {
    Err err = {0};
    bool taken = false;
    const char *folder = luaL_checkstring(L, 1);
    EventFile *file = lua_newuserdatauv(L, sizeof *file, 0);
    *file = (EventFile){.fd = -1, .folder = -1};
    luaL_setmetatable(L, EVENT_META);
    if (event_open(file, folder, &taken, &err)) return 1;
    fail(L, &err);
    lua_pushboolean(L, taken);
    return 3;
}

/* core.event_write(file, step, field, bytes) -> true */
static int core_event_write(lua_State *L) {
    Err err = {0};
    size_t size;
    const char *body = luaL_checklstring(L, 4, &size);
    bool ok = event_write(check_file(L), luaL_checkinteger(L, 2),
                          (int)luaL_checkinteger(L, 3), body, size, &err);
    return push_done(L, ok, &err);
}

/* Adds a scalar to a summary: the tag is prefix and name. */
static void add_scalar(luaL_Buffer *summary, const char *prefix, size_t prefix_bytes,
                       const char *name, size_t name_bytes, float value) {
    size_t tag = prefix_bytes + name_bytes;
    size_t size = 1 + proto_varint_size(tag) + tag + 5;
    char *start = luaL_prepbuffsize(summary, 2 * (1 + PROTO_VARINT_MAX) + size);
    char *at = proto_bytes(start, SUMMARY_VALUE, size);
    at = proto_bytes(at, VALUE_TAG, tag);
    memcpy(at, prefix, prefix_bytes);
    memcpy(at + prefix_bytes, name, name_bytes);
    at = proto_float(at + tag, VALUE_SIMPLE, value);
    luaL_addsize(summary, (size_t)(at - start));
}

/* Puts the names and numbers in the table at index 4 on the stack, two for each scalar; of a
 * list each number, with its place behind the name. Gives how many there are. */
static int collect_scalars(lua_State *L) {
    int count = 0;
    for (lua_pushnil(L); lua_next(L, 4);) {
        luaL_checkstack(L, 6, "scalars");
        int type = lua_type(L, -1), name = lua_gettop(L) - 1;
        if (lua_type(L, name) == LUA_TSTRING && type == LUA_TNUMBER) {
            lua_pushvalue(L, name);
            count++;
            continue;
        }
        lua_Integer n = lua_type(L, name) == LUA_TSTRING && type == LUA_TTABLE
                            ? (lua_Integer)lua_rawlen(L, -1)
                            : 0;
        for (lua_Integer i = 1; i <= n; i++) {
            luaL_checkstack(L, 6, "scalars");
            /* Below the name and the list, which go on to be needed. */
            lua_pushfstring(L, "%s_%I", lua_tostring(L, -2), (LUAI_UACINT)i);
            if (lua_rawgeti(L, -2, i) == LUA_TNUMBER) {
                lua_rotate(L, -4, 2);
                count++;
            } else {
                lua_pop(L, 2);
            }
        }
        lua_pop(L, 1);
    }
    return count;
}

/* core.event_scalars(file, step, prefix, values) -> true: numbers by name, in one record. A
 * list is a number for each place; other values are passed over. */
static int core_event_scalars(lua_State *L) {
    Err err = {0};
    EventFile *file = check_file(L);
    int64_t step = luaL_checkinteger(L, 2);
    size_t prefix_bytes;
    const char *prefix = luaL_checklstring(L, 3, &prefix_bytes);
    luaL_checktype(L, 4, LUA_TTABLE);
    lua_settop(L, 4);
    int count = collect_scalars(L);
    if (!count) return push_done(L, true, &err);
    luaL_Buffer summary;
    luaL_buffinit(L, &summary);
    for (int i = 0; i < count; i++) {
        size_t name_bytes;
        const char *name = lua_tolstring(L, 5 + 2 * i, &name_bytes);
        add_scalar(&summary, prefix, prefix_bytes, name, name_bytes,
                   (float)lua_tonumber(L, 6 + 2 * i));
    }
    bool ok = event_write(file, step, EVENT_SUMMARY, luaL_buffaddr(&summary),
                          luaL_bufflen(&summary), &err);
    return push_done(L, ok, &err);
}

/* core.event_sync(file) -> true */
static int core_event_sync(lua_State *L) {
    Err err = {0};
    return push_done(L, event_sync(check_file(L), &err), &err);
}

/* core.event_close(file) */
static int core_event_close(lua_State *L) { return file_close(L); }

/* core.event_place(file) -> path, bytes written; nil when it is closed */
static int core_event_place(lua_State *L) {
    const EventFile *file = check_file(L);
    lua_pushstring(L, file->path);
    lua_pushinteger(L, file->bytes);
    return 2;
}

static char *packed_doubles(char *at, int field, const Histogram *h, bool edges) {
    at = proto_bytes(at, field, (size_t)h->buckets * sizeof(double));
    for (int k = 0; k < h->buckets; k++, at += sizeof(double)) {
        double value = edges ? histogram_edge(h, k) : (double)h->in[k];
        memcpy(at, &value, sizeof value);
    }
    return at;
}

/* core.histogram(tensor, buckets) -> a HistogramProto, elements left out */
static int core_histogram(lua_State *L) {
    Err err = {0};
    Histogram h;
    Variable *variable = script_to_variable(L, 1);
    const Tensor *tensor = variable ? &variable->value : script_check_tensor(L, 1);
    lua_Integer buckets = luaL_checkinteger(L, 2);
    luaL_argcheck(L, buckets >= 1 && buckets <= HISTOGRAM_MAX, 2, "number of buckets");
    if (!histogram_of(tensor, (int)buckets, &h, &err)) script_error(L, &err);
    luaL_Buffer text;
    char *start = luaL_buffinitsize(L, &text, 100 + 2 * (size_t)buckets * sizeof(double));
    char *at = proto_double(start, HISTO_MIN, h.min);
    at = proto_double(at, HISTO_MAX, h.max);
    at = proto_double(at, HISTO_NUM, (double)h.count);
    at = proto_double(at, HISTO_SUM, h.sum);
    at = proto_double(at, HISTO_SQUARES, h.sum_squares);
    at = packed_doubles(at, HISTO_LIMIT, &h, true);
    at = packed_doubles(at, HISTO_BUCKET, &h, false);
    luaL_pushresultsize(&text, (size_t)(at - start));
    lua_pushinteger(L, h.dropped);
    return 2;
}

/* core.tensor_content(float32 tensor) -> its elements as bytes, as a TensorProto holds them */
static int core_tensor_content(lua_State *L) {
    Err err = {0};
    Tensor values = {0};
    const Tensor *tensor = script_check_tensor(L, 1);
    luaL_argcheck(L, tensor->dtype == DTYPE_FLOAT32, 1, "float32 tensor expected");
    luaL_Buffer text;
    size_t bytes = tensor_bytes(tensor);
    char *to = luaL_buffinitsize(L, &text, bytes);
    if (!tensor_contiguous(tensor, &values, &err)) script_error(L, &err);
    memcpy(to, values.data, bytes);
    tensor_release(&values);
    luaL_pushresultsize(&text, bytes);
    return 1;
}

/* core.tensor_tsv(float32 tensor {rows, columns}) -> text: a line for each row, tabs between */
static int core_tensor_tsv(lua_State *L) {
    const Tensor *tensor = script_check_tensor(L, 1);
    luaL_argcheck(L, tensor->dtype == DTYPE_FLOAT32 && tensor->shape.ndim == 2, 1,
                  "float32 tensor of two axes expected");
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    const int64_t *size = tensor->shape.dim;
    for (int64_t row = 0; row < size[0]; row++)
        for (int64_t column = 0; column < size[1]; column++) {
            const float *x = (const float *)tensor->data + row * tensor->stride[0] +
                             column * tensor->stride[1];
            char *to = luaL_prepbuffsize(&text, 32);
            char end = column + 1 < size[1] ? '\t' : '\n';
            luaL_addsize(&text, (size_t)snprintf(to, 32, "%.6g%c", (double)*x, end));
        }
    luaL_pushresult(&text);
    return 1;
}

/* core.png_encode(contiguous uint8 tensor {height, width, channels}) -> a PNG file's bytes */
static int core_png_encode(lua_State *L) {
    Err err = {0};
    const Tensor *tensor = script_check_tensor(L, 1);
    luaL_argcheck(L,
                  tensor->dtype == DTYPE_UINT8 && tensor->shape.ndim == 3 &&
                      tensor_is_contiguous(tensor),
                  1, "contiguous uint8 image expected");
    const int64_t *size = tensor->shape.dim;
    Image image = {.height = size[0],
                   .width = size[1],
                   .channels = (int)size[2],
                   .pixels = (uint8_t *)tensor->data};
    char **text = lua_newuserdatauv(L, sizeof *text, 0);
    size_t bytes;
    *text = NULL;
    luaL_setmetatable(L, BLOCK_META);
    if (!png_encode(&image, (uint8_t **)text, &bytes, &err)) return fail(L, &err);
    lua_pushlstring(L, *text, bytes);
    mem_free(*text);
    *text = NULL;
    return 1;
}

/* ---- reading ---- */

static int block_close(lua_State *L) {
    char **text = luaL_checkudata(L, 1, BLOCK_META);
    mem_free(*text);
    *text = NULL;
    return 0;
}

/* core.event_read(path) -> list of payloads, place of a record that is damaged or nil */
static int core_event_read(lua_State *L) {
    Err err = {0};
    size_t bytes = 0, at = 0, size;
    int64_t damaged = -1;
    const char *path = luaL_checkstring(L, 1);
    char **text = lua_newuserdatauv(L, sizeof *text, 0);
    *text = NULL;
    luaL_setmetatable(L, BLOCK_META);
    if (!event_read(path, text, &bytes, &damaged, &err)) return fail(L, &err);
    lua_newtable(L);
    for (lua_Integer n = 1; at < bytes; n++, at += sizeof size + size) {
        memcpy(&size, *text + at, sizeof size);
        lua_pushlstring(L, *text + at + sizeof size, size);
        lua_rawseti(L, -2, n);
    }
    mem_free(*text);
    *text = NULL;
    if (damaged < 0) return 1;
    lua_pushinteger(L, damaged);
    return 2;
}

static const luaL_Reg event_functions[] = {
    {"event_open", core_event_open},         {"event_write", core_event_write},
    {"event_sync", core_event_sync},         {"event_scalars", core_event_scalars},
    {"event_close", core_event_close},       {"event_place", core_event_place},
    {"event_read", core_event_read},         {"histogram", core_histogram},
    {"tensor_tsv", core_tensor_tsv},         {"png_encode", core_png_encode},
    {"tensor_content", core_tensor_content}, {NULL, NULL},
};

static void new_holder(lua_State *L, const char *name, lua_CFunction close) {
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

void script_open_event(lua_State *L) {
    script_register(L, event_functions);
    new_holder(L, EVENT_META, file_close);
    new_holder(L, BLOCK_META, block_close);
}
