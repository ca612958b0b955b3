/* Files of several arrays in Lua: the raw functions behind cdl.io's savez, loadz,
 * save_safetensors and load_safetensors. What can go wrong with a file is returned as nil
 * and a message.
 *
 * What is loaded belongs to a userdata until all of it is in a table, since Lua may run
 * out of memory on the way. */
#include "base/mem.h"
#include "io/aside.h"
#include "io/npz.h"
#include "io/safetensors.h"
#include "script/script.h"

#define NPZ_META         "cdl.npz"
#define SAFETENSORS_META "cdl.safetensors"
#define SAVER_META       "cdl.saver"

static int table_room(int64_t count) { return (int)(count < 1 << 20 ? count : 1 << 20); }

/* A table of the tensors by name, and the list of the names in the file's order. */
static void push_arrays(lua_State *L, const NamedTensors *arrays) {
    lua_createtable(L, 0, table_room(arrays->count));
    for (int64_t k = 0; k < arrays->count; k++) {
        script_push_tensor(L, tensor_retain(&arrays->list[k].tensor));
        lua_setfield(L, -2, arrays->list[k].name);
    }
    lua_createtable(L, table_room(arrays->count), 0);
    for (int64_t k = 0; k < arrays->count; k++) {
        lua_pushstring(L, arrays->list[k].name);
        lua_seti(L, -2, k + 1);
    }
}

/* The arrays of two lists, names and tensors, which own what the result borrows. */
static NamedTensors check_arrays(lua_State *L, int names, int tensors) {
    luaL_checktype(L, names, LUA_TTABLE);
    luaL_checktype(L, tensors, LUA_TTABLE);
    lua_Integer count = luaL_len(L, names);
    if ((size_t)count > SIZE_MAX / sizeof(NamedTensor)) luaL_error(L, "too many arrays");
    NamedTensor *list = lua_newuserdatauv(L, (size_t)count * sizeof *list + 1, 0);
    for (lua_Integer k = 0; k < count; k++) {
        lua_geti(L, names, k + 1);
        lua_geti(L, tensors, k + 1);
        list[k] = (NamedTensor){luaL_checkstring(L, -2), *script_check_values(L, -1)};
        lua_pop(L, 2);
    }
    return (NamedTensors){list, count};
}

static int npz_close(lua_State *L) {
    named_free(luaL_checkudata(L, 1, NPZ_META));
    return 0;
}

/* core.npz_load(path) -> table of tensors by name, list of the names */
static int core_npz_load(lua_State *L) {
    Err err = {0};
    const char *path = luaL_checkstring(L, 1);
    NamedTensors *npz = lua_newuserdatauv(L, sizeof *npz, 0);
    *npz = (NamedTensors){0};
    luaL_setmetatable(L, NPZ_META);
    if (!npz_load(path, npz, &err)) return script_push_failure(L, &err);
    push_arrays(L, npz);
    named_free(npz);
    return 2;
}

/* core.npz_save(path, names, tensors, compress) -> true */
static int core_npz_save(lua_State *L) {
    Err err = {0};
    const char *path = luaL_checkstring(L, 1);
    NamedTensors arrays = check_arrays(L, 2, 3);
    bool ok = npz_save(path, arrays.list, arrays.count, lua_toboolean(L, 4), &err);
    return script_push_done(L, ok, &err);
}

/* ---- safetensors ---- */

static int safetensors_close(lua_State *L) {
    safetensors_free(luaL_checkudata(L, 1, SAFETENSORS_META));
    return 0;
}

/* core.safetensors_load(path) -> table of tensors by name, list of the names, metadata */
static int core_safetensors_load(lua_State *L) {
    Err err = {0};
    const char *path = luaL_checkstring(L, 1);
    Safetensors *file = lua_newuserdatauv(L, sizeof *file, 0);
    *file = (Safetensors){0};
    luaL_setmetatable(L, SAFETENSORS_META);
    if (!safetensors_load(path, file, &err)) return script_push_failure(L, &err);
    push_arrays(L, &file->arrays);
    lua_createtable(L, 0, table_room(file->metadata_count));
    for (int64_t k = 0; k < file->metadata_count; k++) {
        lua_pushstring(L, file->metadata[k].value);
        lua_setfield(L, -2, file->metadata[k].key);
    }
    safetensors_free(file);
    return 3;
}

/* core.safetensors_save(path, names, tensors, keys, values) -> true; keys and values are
 * the metadata's. */
static int core_safetensors_save(lua_State *L) {
    Err err = {0};
    const char *path = luaL_checkstring(L, 1);
    Safetensors file = {.arrays = check_arrays(L, 2, 3)};
    luaL_checktype(L, 4, LUA_TTABLE);
    luaL_checktype(L, 5, LUA_TTABLE);
    file.metadata_count = luaL_len(L, 4);
    if ((size_t)file.metadata_count > SIZE_MAX / sizeof *file.metadata)
        return luaL_error(L, "too many entries");
    size_t bytes = (size_t)file.metadata_count * sizeof *file.metadata + 1;
    file.metadata = lua_newuserdatauv(L, bytes, 0);
    for (int64_t k = 0; k < file.metadata_count; k++) {
        lua_geti(L, 4, k + 1);
        lua_geti(L, 5, k + 1);
        file.metadata[k] =
            (MetadataEntry){luaL_checkstring(L, -2), luaL_checkstring(L, -1)};
        lua_pop(L, 2);
    }
    return script_push_done(L, safetensors_save(path, &file, &err), &err);
}

/* ---- written aside ---- */

/* What is copied for a thread that writes; for more the process is forked. */
enum { COPY_BYTES = 64 << 20 };

typedef struct Saver {
    Aside aside;
    char *path;
    NamedTensors copies;
} Saver;

static bool save_aside(void *context, Err *err) {
    const Saver *saver = context;
    return safetensors_save(saver->path, &(Safetensors){.arrays = saver->copies}, err);
}

typedef struct SaveJob {
    const char *path;
    NamedTensors arrays;
} SaveJob;

static bool save_forked(void *context, Err *err) {
    const SaveJob *job = context;
    return safetensors_save(job->path, &(Safetensors){.arrays = job->arrays}, err);
}

static bool copy_array(const NamedTensor *from, NamedTensor *out, Err *err) {
    if (!tensor_copy(&from->tensor, &out->tensor, err)) return false;
    out->name = mem_strdup(from->name);
    return out->name || err_set(err, "out of memory for the name of an array");
}

static bool copy_job(const SaveJob *job, Saver *saver, Err *err) {
    size_t count = (size_t)job->arrays.count;
    saver->path = mem_strdup(job->path);
    saver->copies.list = mem_zalloc(count * sizeof *saver->copies.list + 1);
    if (!saver->path || !saver->copies.list)
        return err_set(err, "out of memory for %zu arrays", count);
    for (saver->copies.count = 0; saver->copies.count < job->arrays.count;) {
        int64_t k = saver->copies.count++;
        if (!copy_array(&job->arrays.list[k], &saver->copies.list[k], err)) return false;
    }
    return true;
}

static void saver_free(Saver *saver) {
    named_free(&saver->copies);
    mem_free(saver->path);
    saver->path = NULL;
}

/* core.safetensors_save_aside(path, names, tensors) -> a saver: the arrays are written as they are
 * now, while the program goes on. */
static int core_safetensors_save_aside(lua_State *L) {
    Err err = {0};
    SaveJob job = {luaL_checkstring(L, 1), check_arrays(L, 2, 3)};
    size_t bytes = 0;
    for (int64_t k = 0; k < job.arrays.count; k++)
        bytes += tensor_bytes(&job.arrays.list[k].tensor);
    Saver *saver = lua_newuserdatauv(L, sizeof *saver, 0);
    *saver = (Saver){0};
    luaL_setmetatable(L, SAVER_META);
    bool started = bytes > COPY_BYTES
                       ? aside_fork(&saver->aside, save_forked, &job, &err)
                       : copy_job(&job, saver, &err) &&
                             aside_thread(&saver->aside, save_aside, saver, &err);
    return started ? 1 : script_push_failure(L, &err);
}

/* core.saver_look(saver, wait) -> nil: it is still at work; true; or false, message: how it
 * ended, which is told once. */
static int core_saver_look(lua_State *L) {
    Err err = {0};
    Saver *saver = luaL_checkudata(L, 1, SAVER_META);
    AsideState state = aside_look(&saver->aside, lua_toboolean(L, 2), &err);
    if (state == ASIDE_RUNS) {
        lua_pushnil(L);
        return 1;
    }
    saver_free(saver);
    lua_pushboolean(L, state != ASIDE_FAILED);
    if (state != ASIDE_FAILED) return 1;
    lua_pushstring(L, err.text);
    return 2;
}

static int saver_close(lua_State *L) {
    Err err = {0};
    Saver *saver = luaL_checkudata(L, 1, SAVER_META);
    aside_look(&saver->aside, true, &err);
    saver_free(saver);
    return 0;
}

static const luaL_Reg array_functions[] = {
    {"npz_load", core_npz_load},
    {"npz_save", core_npz_save},
    {"safetensors_load", core_safetensors_load},
    {"safetensors_save", core_safetensors_save},
    {"safetensors_save_aside", core_safetensors_save_aside},
    {"saver_look", core_saver_look},
    {NULL, NULL},
};

void script_open_arrays(lua_State *L) {
    script_register(L, array_functions);
    script_new_holder(L, NPZ_META, npz_close);
    script_new_holder(L, SAVER_META, saver_close);
    script_new_holder(L, SAFETENSORS_META, safetensors_close);
}
