/* Archives and HDF5 files in Lua: the raw functions behind Keras's files. What can go wrong
 * with a file is returned as nil and a message. */
#include <string.h>
#include "base/mem.h"
#include "io/archive.h"
#include "io/h5.h"
#include "script/script.h"

#define H5_META      "cdl.h5"
#define IMAGE_META   "cdl.h5_image"
#define ARCHIVE_META "cdl.archive"

/* A userdata that holds one pointer, NULL until it is filled. */
static void *new_slot(lua_State *L, size_t size, const char *meta) {
    void *slot = lua_newuserdatauv(L, size, 0);
    memset(slot, 0, size);
    luaL_setmetatable(L, meta);
    return slot;
}

/* ---- reading HDF5 ---- */

static H5File *check_h5(lua_State *L) {
    H5File **slot = luaL_checkudata(L, 1, H5_META);
    luaL_argcheck(L, *slot, 1, "this file is closed");
    return *slot;
}

static int h5_gc(lua_State *L) {
    H5File **slot = luaL_checkudata(L, 1, H5_META);
    h5_close(*slot);
    *slot = NULL;
    return 0;
}

/* core.h5_open(path) -> file */
static int core_h5_open(lua_State *L) {
    Err err = {0};
    const char *path = luaL_checkstring(L, 1);
    H5File **slot = new_slot(L, sizeof *slot, H5_META);
    *slot = h5_open(path, &err);
    return *slot ? 1 : script_push_done(L, false, &err);
}

/* file:arrays(), file:groups() -> number of each by its path ("" is the root) */
static int h5_list(lua_State *L, bool arrays) {
    const H5File *file = check_h5(L);
    lua_newtable(L);
    for (int64_t k = 0; k < h5_count(file); k++) {
        if (h5_is_array(file, k) != arrays) continue;
        lua_pushinteger(L, k);
        lua_setfield(L, -2, h5_path(file, k));
    }
    return 1;
}

static int h5_arrays(lua_State *L) { return h5_list(L, true); }
static int h5_groups(lua_State *L) { return h5_list(L, false); }

/* file:bytes() -> a number that no array's bytes exceed */
static int h5_size(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)h5_bytes(check_h5(L)));
    return 1;
}

static int64_t check_entry(lua_State *L, const H5File *file) {
    lua_Integer index = luaL_checkinteger(L, 2);
    luaL_argcheck(L, index >= 0 && index < h5_count(file), 2, "no such entry");
    return index;
}

/* file:read(number) -> tensor */
static int h5_tensor(lua_State *L) {
    Err err = {0};
    Tensor tensor;
    const H5File *file = check_h5(L);
    int64_t index = check_entry(L, file);
    luaL_argcheck(L, h5_is_array(file, index), 2, "not an array");
    if (!h5_read(file, index, &tensor, &err)) return script_push_done(L, false, &err);
    script_push_tensor(L, tensor);
    return 1;
}

/* Pushes the texts as a list; they are freed even when Lua runs out of memory. */
static int push_texts(lua_State *L) {
    const H5Texts *texts = lua_touserdata(L, 1);
    lua_createtable(L, (int)(texts->count < 1 << 20 ? texts->count : 1 << 20), 0);
    for (int64_t k = 0; k < texts->count; k++) {
        lua_pushstring(L, texts->text[k]);
        lua_rawseti(L, -2, k + 1);
    }
    return 1;
}

/* file:texts(number, name) -> list of texts; false: there is no such attribute */
static int h5_attribute(lua_State *L) {
    Err err = {0};
    H5Texts texts = {.count = -1};
    const H5File *file = check_h5(L);
    int64_t index = check_entry(L, file);
    if (!h5_texts(file, index, luaL_checkstring(L, 3), &texts, &err))
        return script_push_done(L, false, &err);
    if (texts.count < 0) {
        lua_pushboolean(L, false);
        return 1;
    }
    lua_pushcfunction(L, push_texts);
    lua_pushlightuserdata(L, &texts);
    int status = lua_pcall(L, 1, 1, 0);
    h5_texts_free(&texts);
    return status == LUA_OK ? 1 : lua_error(L);
}

/* ---- writing HDF5 ---- */

static int image_gc(lua_State *L) {
    h5_image_free(luaL_checkudata(L, 1, IMAGE_META));
    return 0;
}

/* core.h5_image(paths, tensors) -> the bytes of a file that holds them */
static int core_h5_image(lua_State *L) {
    Err err = {0};
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_Integer count = luaL_len(L, 1);
    H5Array *arrays = lua_newuserdatauv(L, (size_t)count * sizeof *arrays + 1, 0);
    for (lua_Integer k = 0; k < count; k++) {
        /* Both stay in their tables, so the arrays may borrow them. */
        lua_geti(L, 1, k + 1);
        lua_geti(L, 2, k + 1);
        Variable *variable = script_to_variable(L, -1);
        arrays[k] = (H5Array){luaL_checkstring(L, -2),
                              variable ? variable->value : *script_check_tensor(L, -1)};
        lua_pop(L, 2);
    }
    H5Image *image = new_slot(L, sizeof *image, IMAGE_META);
    return h5_write(arrays, count, image, &err) ? 1 : script_push_done(L, false, &err);
}

/* image:write(path) -> true */
static int image_write(lua_State *L) {
    Err err = {0};
    const H5Image *image = luaL_checkudata(L, 1, IMAGE_META);
    const char *path = luaL_checkstring(L, 2);
    return script_push_done(L, h5_image_write(image, path, &err), &err);
}

static int image_size(lua_State *L) {
    const H5Image *image = luaL_checkudata(L, 1, IMAGE_META);
    lua_pushinteger(L, (lua_Integer)image->size);
    return 1;
}

/* ---- archives ---- */

static Archive *check_archive(lua_State *L) {
    Archive **slot = luaL_checkudata(L, 1, ARCHIVE_META);
    luaL_argcheck(L, *slot, 1, "this archive is closed");
    return *slot;
}

static int archive_gc(lua_State *L) {
    Archive **slot = luaL_checkudata(L, 1, ARCHIVE_META);
    archive_close(*slot);
    *slot = NULL;
    return 0;
}

/* core.archive_open(path) -> archive */
static int core_archive_open(lua_State *L) {
    Err err = {0};
    const char *path = luaL_checkstring(L, 1);
    Archive **slot = new_slot(L, sizeof *slot, ARCHIVE_META);
    *slot = archive_open(path, &err);
    return *slot ? 1 : script_push_done(L, false, &err);
}

/* archive:names() -> number of each entry by its name */
static int archive_names(lua_State *L) {
    const Archive *archive = check_archive(L);
    lua_newtable(L);
    for (int64_t k = 0; k < archive_count(archive); k++) {
        const char *name = archive_name(archive, k);
        if (!name) continue;
        lua_pushinteger(L, k);
        lua_setfield(L, -2, name);
    }
    return 1;
}

/* The bytes of an entry of at most 256 MB, in a block for mem_free. */
static bool entry_bytes(lua_State *L, char **bytes, size_t *size, Err *err) {
    enum { MEGABYTES = 256 };
    Reader reader;
    if (!archive_reader(check_archive(L), luaL_checkinteger(L, 2), &reader, err))
        return false;
    bool ok = reader.most >> 20 <= MEGABYTES ||
              err_set(err, "%s: is larger than %d MB", reader.name, MEGABYTES);
    ok = ok && reader_rest(&reader, bytes, size, err);
    reader_close(&reader);
    return ok;
}

/* archive:text(number) -> the entry's bytes */
static int archive_text(lua_State *L) {
    Err err = {0};
    char *bytes;
    size_t size;
    if (!entry_bytes(L, &bytes, &size, &err)) return script_push_done(L, false, &err);
    return script_push_owned(L, bytes, size);
}

/* archive:h5(number) -> the entry as an HDF5 file */
static int archive_h5(lua_State *L) {
    Err err = {0};
    const Archive *archive = check_archive(L);
    lua_Integer index = luaL_checkinteger(L, 2);
    H5File **slot = new_slot(L, sizeof *slot, H5_META);
    *slot = h5_open_entry(archive, index, &err);
    return *slot ? 1 : script_push_done(L, false, &err);
}

/* core.archive_write(path, names, contents) -> true: contents are texts and images of
 * HDF5 files */
static int core_archive_write(lua_State *L) {
    Err err = {0};
    const char *path = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_Integer count = luaL_len(L, 2);
    for (lua_Integer k = 1; k <= count; k++) { /* so that nothing raises later */
        lua_geti(L, 2, k);
        lua_geti(L, 3, k);
        luaL_checkstring(L, -2);
        if (!luaL_testudata(L, -1, IMAGE_META)) luaL_checkstring(L, -1);
        lua_pop(L, 2);
    }
    ArchiveWriter *writer = archive_create(path, &err);
    bool ok = writer != NULL;
    for (lua_Integer k = 1; ok && k <= count; k++) {
        lua_rawgeti(L, 2, k);
        lua_rawgeti(L, 3, k);
        const H5Image *image = luaL_testudata(L, -1, IMAGE_META);
        ArchivePart text = {0};
        if (!image) text.data = lua_tolstring(L, -1, &text.bytes);
        ok = archive_add_parts(writer, lua_tostring(L, -2), image ? image->parts : &text,
                               image ? image->count : 1, false, &err);
        lua_pop(L, 2);
    }
    if (ok)
        ok = archive_finish(writer, &err);
    else if (writer)
        archive_cancel(writer);
    return script_push_done(L, ok, &err);
}

static const luaL_Reg functions[] = {
    {"h5_open", core_h5_open},
    {"h5_image", core_h5_image},
    {"archive_open", core_archive_open},
    {"archive_write", core_archive_write},
    {NULL, NULL},
};
static const luaL_Reg h5_methods[] = {
    {"arrays", h5_arrays}, {"groups", h5_groups},   {"bytes", h5_size},
    {"read", h5_tensor},   {"texts", h5_attribute}, {"close", h5_gc},
    {NULL, NULL}};
static const luaL_Reg image_methods[] = {
    {"write", image_write}, {"size", image_size}, {NULL, NULL}};
static const luaL_Reg archive_methods[] = {{"names", archive_names},
                                           {"text", archive_text},
                                           {"h5", archive_h5},
                                           {"close", archive_gc},
                                           {NULL, NULL}};

static void new_meta(lua_State *L, const char *name, lua_CFunction close,
                     const luaL_Reg *methods) {
    if (luaL_newmetatable(L, name)) {
        lua_pushcfunction(L, close);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, close);
        lua_setfield(L, -2, "__close");
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

void script_open_h5(lua_State *L) {
    script_register(L, functions);
    new_meta(L, H5_META, h5_gc, h5_methods);
    new_meta(L, IMAGE_META, image_gc, image_methods);
    new_meta(L, ARCHIVE_META, archive_gc, archive_methods);
}
