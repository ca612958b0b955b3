/* Files in Lua: the raw functions behind cdl.io. What can go wrong with a file is
 * returned as nil and a message; cdl/io.lua raises it with the script's line. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/atomic.h"
#include "io/csv.h"
#include "io/idx.h"
#include "io/npy.h"
#include "io/reader.h"
#include "script/script.h"

#define CSV_META    "cdl.csv"
#define FOLDER_META "cdl.folder"

int script_push_failure(lua_State *L, const Err *err) {
    luaL_pushfail(L);
    lua_pushstring(L, err->text);
    return 2;
}

int script_push_done(lua_State *L, bool ok, const Err *err) {
    if (!ok) return script_push_failure(L, err);
    lua_pushboolean(L, true);
    return 1;
}

const Tensor *script_check_values(lua_State *L, int index) {
    Variable *variable = script_to_variable(L, index);
    return variable ? &variable->value : script_check_tensor(L, index);
}

static int push_loaded(lua_State *L, bool ok, Tensor tensor, const Err *err) {
    if (!ok) return script_push_failure(L, err);
    script_push_tensor(L, tensor);
    return 1;
}

/* core.npy_load(path) -> tensor */
static int core_npy_load(lua_State *L) {
    Err err = {0};
    Tensor tensor = {0};
    bool ok = npy_load(luaL_checkstring(L, 1), &tensor, &err);
    return push_loaded(L, ok, tensor, &err);
}

/* core.npy_save(path, tensor) -> true */
static int core_npy_save(lua_State *L) {
    Err err = {0};
    const char *path = luaL_checkstring(L, 1);
    return script_push_done(L, npy_save(path, script_check_values(L, 2), &err), &err);
}

/* core.idx_load(path) -> tensor */
static int core_idx_load(lua_State *L) {
    Err err = {0};
    Tensor tensor = {0};
    bool ok = idx_load(luaL_checkstring(L, 1), &tensor, &err);
    return push_loaded(L, ok, tensor, &err);
}

/* ---- csv ---- */

static int csv_close(lua_State *L) {
    csv_free(luaL_checkudata(L, 1, CSV_META));
    return 0;
}

/* Columns from a list of names and of numbers from 1; the strings stay in the list. */
static void read_columns(lua_State *L, int index, CsvOptions *options) {
    options->n_columns = (int)luaL_len(L, index);
    CsvColumn *columns =
        lua_newuserdatauv(L, (size_t)options->n_columns * sizeof *columns + 1, 0);
    for (int k = 0; k < options->n_columns; k++) {
        bool named = lua_geti(L, index, k + 1) == LUA_TSTRING;
        columns[k] = named ? (CsvColumn){lua_tostring(L, -1), 0}
                           : (CsvColumn){NULL, luaL_checkinteger(L, -1) - 1};
        lua_pop(L, 1);
    }
    options->columns = columns;
}

/* core.csv_load(path, separator, header (nil: find out), skip, refuse_missing, columns or
 * nil, dtype) -> tensor, names or nil */
static int core_csv_load(lua_State *L) {
    Err err = {0};
    CsvOptions options = csv_defaults;
    const char *path = luaL_checkstring(L, 1), *separator = luaL_checkstring(L, 2);
    if (!csv_separator(separator[0]) || separator[1])
        script_raise(L,
                     "read_csv: separator must be one of , ; : | tab or space, got '%s'",
                     separator);
    options.separator = separator[0];
    if (!lua_isnoneornil(L, 3))
        options.header = lua_toboolean(L, 3) ? CSV_HEADER_YES : CSV_HEADER_NO;
    options.skip = luaL_checkinteger(L, 4);
    options.refuse_missing = lua_toboolean(L, 5);
    options.dtype = script_check_dtype(L, 7);
    if (!lua_isnoneornil(L, 6)) read_columns(L, 6, &options);
    CsvTable *table = lua_newuserdatauv(L, sizeof *table, 0);
    *table = (CsvTable){0};
    luaL_setmetatable(L, CSV_META);
    if (!csv_load(path, &options, table, &err)) return script_push_failure(L, &err);
    script_push_tensor(L, tensor_retain(&table->values));
    int64_t columns = table->values.shape.dim[1];
    if (table->names)
        lua_createtable(L, (int)columns, 0);
    else
        lua_pushnil(L);
    for (int64_t k = 0; table->names && k < columns; k++) {
        lua_pushstring(L, table->names[k]);
        lua_seti(L, -2, k + 1);
    }
    csv_free(table);
    return 2;
}

/* ---- text and paths ---- */

/* core.write_text(path, text) -> true */
static int core_write_text(lua_State *L) {
    Err err = {0};
    size_t size;
    const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &size);
    return script_push_done(L, atomic_write(path, text, size, &err), &err);
}

static bool append_part(lua_State *L, int index, Atomic *file, Err *err) {
    size_t size;
    const char *text = lua_tolstring(L, index, &size);
    if (text) return atomic_append(file, text, size, err);
    Tensor straight = {0};
    const Tensor *tensor = script_to_tensor(L, index);
    if (!tensor) return err_set(err, "a part of the file is no text and no tensor");
    if (!tensor_contiguous(tensor, &straight, err)) return false;
    bool ok = atomic_append(file, straight.data, tensor_bytes(&straight), err);
    tensor_release(&straight);
    return ok;
}

/* core.write_parts(path, list of texts and of tensors, whose bytes are meant) -> true */
static int core_write_parts(lua_State *L) {
    Err err = {0};
    Atomic file;
    const char *path = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    bool ok = atomic_open(&file, path, &err);
    if (!ok) return script_push_done(L, ok, &err);
    for (int k = 1; ok && lua_rawgeti(L, 2, k) != LUA_TNIL; k++) {
        ok = append_part(L, -1, &file, &err);
        lua_pop(L, 1);
    }
    if (ok)
        ok = atomic_commit(&file, &err);
    else
        atomic_cancel(&file);
    return script_push_done(L, ok, &err);
}

static int push_bytes(lua_State *L) {
    lua_pushlstring(L, lua_touserdata(L, 1), (size_t)lua_tointeger(L, 2));
    return 1;
}

int script_push_owned(lua_State *L, char *bytes, size_t size) {
    lua_pushcfunction(L, push_bytes);
    lua_pushlightuserdata(L, bytes);
    lua_pushinteger(L, (lua_Integer)size);
    int status = lua_pcall(L, 2, 1, 0);
    mem_free(bytes);
    return status == LUA_OK ? 1 : lua_error(L);
}

/* core.read_text(path) -> text */
static int core_read_text(lua_State *L) {
    Err err = {0};
    Reader reader;
    char *text = NULL;
    size_t size = 0;
    if (!reader_open(&reader, luaL_checkstring(L, 1), &err))
        return script_push_done(L, false, &err);
    bool ok = reader_rest(&reader, &text, &size, &err);
    reader_close(&reader);
    if (!ok) return script_push_done(L, false, &err);
    return script_push_owned(L, text, size);
}

/* core.make_folder(path): with those above it; raises when it cannot be made. */
static int core_make_folder(lua_State *L) {
    Err err = {0};
    if (!folder_make(luaL_checkstring(L, 1), &err)) script_error(L, &err);
    return 0;
}

/* core.path_kind(path) -> "file", "folder", "other", or nil when nothing is there */
static int core_path_kind(lua_State *L) {
    struct stat info;
    if (stat(luaL_checkstring(L, 1), &info) != 0)
        lua_pushnil(L);
    else if (S_ISREG(info.st_mode))
        lua_pushliteral(L, "file");
    else if (S_ISDIR(info.st_mode))
        lua_pushliteral(L, "folder");
    else
        lua_pushliteral(L, "other");
    return 1;
}

/* core.is_link(path) -> whether it is a symbolic link */
static int core_is_link(lua_State *L) {
    struct stat info;
    lua_pushboolean(L,
                    lstat(luaL_checkstring(L, 1), &info) == 0 && S_ISLNK(info.st_mode));
    return 1;
}

/* core.bytes_tensor(text) -> uint8 {n}: a text that stands among arrays */
static int core_bytes_tensor(lua_State *L) {
    Err err = {0};
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    Tensor tensor = {0};
    if (!tensor_new(&tensor, DTYPE_UINT8, shape_of(1, (int64_t)size), &err))
        script_error(L, &err);
    memcpy(tensor.data, text, size);
    script_push_tensor(L, tensor);
    return 1;
}

/* core.tensor_bytes(contiguous uint8 tensor) -> text */
static int core_tensor_bytes(lua_State *L) {
    const Tensor *tensor = script_check_tensor(L, 1);
    luaL_argcheck(L, tensor->dtype == DTYPE_UINT8 && tensor_is_contiguous(tensor), 1,
                  "contiguous uint8 tensor expected");
    lua_pushlstring(L, tensor->data, tensor_bytes(tensor));
    return 1;
}

/* core.truncate_file(path, bytes) -> true: drops what is behind the first bytes. */
static int core_truncate_file(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    if (truncate(path, (off_t)luaL_checkinteger(L, 2)) == 0) {
        lua_pushboolean(L, true);
        return 1;
    }
    luaL_pushfail(L);
    lua_pushfstring(L, "cannot shorten '%s': %s", path, strerror(errno));
    return 2;
}

static int folder_close(lua_State *L) {
    DIR **folder = luaL_checkudata(L, 1, FOLDER_META);
    if (*folder) closedir(*folder);
    *folder = NULL;
    return 0;
}

/* core.list_folder(path) -> the names in it, in no order, without "." and ".." */
static int core_list_folder(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    DIR **folder = lua_newuserdatauv(L, sizeof *folder, 0);
    *folder = NULL;
    luaL_setmetatable(L, FOLDER_META);
    *folder = opendir(path);
    if (!*folder) {
        luaL_pushfail(L);
        lua_pushfstring(L, "cannot read the folder '%s': %s", path, strerror(errno));
        return 2;
    }
    lua_newtable(L);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(*folder)) != NULL;) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        lua_pushstring(L, name);
        lua_rawseti(L, -2, ++n);
    }
    closedir(*folder);
    *folder = NULL;
    return 1;
}

static const luaL_Reg file_functions[] = {
    {"npy_load", core_npy_load},
    {"npy_save", core_npy_save},
    {"idx_load", core_idx_load},
    {"csv_load", core_csv_load},
    {"write_text", core_write_text},
    {"write_parts", core_write_parts},
    {"read_text", core_read_text},
    {"make_folder", core_make_folder},
    {"path_kind", core_path_kind},
    {"bytes_tensor", core_bytes_tensor},
    {"tensor_bytes", core_tensor_bytes},
    {"truncate_file", core_truncate_file},
    {"list_folder", core_list_folder},
    {"is_link", core_is_link},
    {NULL, NULL},
};

void script_new_holder(lua_State *L, const char *name, lua_CFunction close) {
    if (luaL_newmetatable(L, name)) {
        lua_pushcfunction(L, close);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
}

void script_open_files(lua_State *L) {
    script_register(L, file_functions);
    script_new_holder(L, CSV_META, csv_close);
    script_new_holder(L, FOLDER_META, folder_close);
}
