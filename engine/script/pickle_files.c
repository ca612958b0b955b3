/* The files of Python that Keras and the CIFAR page hand out: pickles, and arrays of objects in
 * .npz files. */
#include <string.h>
#include "base/mem.h"
#include "io/archive.h"
#include "io/npy.h"
#include "script/pickle.h"

#define BYTES_META "cdl.pickle.bytes"

static int bytes_close(lua_State *L) {
    char **bytes = luaL_checkudata(L, 1, BYTES_META);
    mem_free(*bytes);
    *bytes = NULL;
    return 0;
}

/* Skips the header of a .npy file that holds objects. */
static bool skip_npy_header(Reader *reader, Err *err) {
    unsigned char start[12], byte;
    if (!reader_take(reader, start, 10, err)) return false;
    size_t length = start[8] | (size_t)start[9] << 8;
    if (memcmp(start, "\x93NUMPY", 6) != 0)
        return err_set(err, "%s: not an array", reader->name);
    if (start[6] > 1 && !reader_take(reader, start + 10, 2, err)) return false;
    if (start[6] > 1) length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    while (length-- > 0)
        if (!reader_take(reader, &byte, 1, err)) return false;
    return true;
}

/* A reader of an entry in a zip archive. */
static bool open_entry(Archive *archive, const char *path, const char *entry, Reader *out,
                       Err *err) {
    int64_t count = archive_count(archive);
    for (int64_t k = 0; k < count; k++) {
        const char *name = archive_name(archive, k);
        if (name && strcmp(name, entry) == 0) return archive_reader(archive, k, out, err);
    }
    return err_set(err, "%.600s: has no '%.160s'", path, entry);
}

/* The bytes of a pickle: a file, or an array of objects in a .npz file. */
static bool read_bytes(const char *path, const char *entry, char **bytes, size_t *size,
                       char name[READER_NAME], Err *err) {
    Reader reader;
    Archive *archive = entry ? archive_open(path, err) : NULL;
    if (entry && !archive) return false;
    bool ok = entry ? open_entry(archive, path, entry, &reader, err)
                    : reader_open(&reader, path, err);
    if (ok) {
        memcpy(name, reader.name, READER_NAME);
        ok = (!entry || skip_npy_header(&reader, err)) &&
             reader_rest(&reader, bytes, size, err);
        reader_close(&reader);
    }
    archive_close(archive);
    return ok;
}

/* core.pickle_load(path [, entry of a .npz file]) -> its value; or nil and a message */
static int core_pickle_load(lua_State *L) {
    Err err = {0};
    char name[READER_NAME];
    size_t size = 0;
    const char *path = luaL_checkstring(L, 1), *entry = luaL_optstring(L, 2, NULL);
    lua_settop(L, 2);
    char **bytes = lua_newuserdatauv(L, sizeof *bytes, 0);
    *bytes = NULL;
    luaL_setmetatable(L, BYTES_META);
    bool ok = read_bytes(path, entry, bytes, &size, name, &err);
    ok = ok && pickle_run(L, name, *bytes, size, &err);
    mem_free(*bytes);
    *bytes = NULL;
    if (ok) return 1;
    luaL_pushfail(L);
    lua_pushstring(L, err.text);
    return 2;
}

/* core.npz_entry(path, entry) -> one array of a .npz file; or nil and a message */
static int core_npz_entry(lua_State *L) {
    Err err = {0};
    Reader reader;
    Tensor tensor = {0};
    const char *path = luaL_checkstring(L, 1), *entry = luaL_checkstring(L, 2);
    Archive *archive = archive_open(path, &err);
    if (archive && open_entry(archive, path, entry, &reader, &err)) {
        npy_read(&reader, &tensor, &err);
        reader_close(&reader);
    }
    archive_close(archive);
    if (tensor.buffer) {
        script_push_tensor(L, tensor);
        return 1;
    }
    luaL_pushfail(L);
    lua_pushstring(L, err.text);
    return 2;
}

static const luaL_Reg pickle_functions[] = {
    {"pickle_load", core_pickle_load},
    {"npz_entry", core_npz_entry},
    {NULL, NULL},
};

void script_open_pickle(lua_State *L) {
    script_register(L, pickle_functions);
    if (luaL_newmetatable(L, BYTES_META)) {
        lua_pushcfunction(L, bytes_close);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
}
