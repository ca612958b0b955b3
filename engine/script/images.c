/* Pictures in Lua: reading and writing one, and the loader that makes batches of them. */
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "data/image_loader.h"
#include "io/atomic.h"
#include "io/png.h"
#include "script/script.h"

#define LOADER_META "cdl.image_loader"
#define FLOATS_META "cdl.image_floats"

static int fail(lua_State *L, const Err *err) {
    luaL_pushfail(L);
    lua_pushstring(L, err->text);
    return 2;
}

static int64_t integer_of(lua_State *L, int table, const char *field) {
    lua_getfield(L, table, field);
    int64_t value = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    return value;
}

static double number_of(lua_State *L, int table, const char *field) {
    lua_getfield(L, table, field);
    double value = luaL_optnumber(L, -1, 0);
    lua_pop(L, 1);
    return value;
}

static bool boolean_of(lua_State *L, int table, const char *field) {
    lua_getfield(L, table, field);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

/* The work that a table describes, whose fields have the names of ImageWork's. */
static ImageWork read_work(lua_State *L, int table) {
    luaL_checktype(L, table, LUA_TTABLE);
    ImageWork work = {.height = integer_of(L, table, "height"),
                      .width = integer_of(L, table, "width"),
                      .channels = (int)integer_of(L, table, "channels"),
                      .resize = (ImageResize)integer_of(L, table, "resize"),
                      .antialias = boolean_of(L, table, "antialias"),
                      .whole = boolean_of(L, table, "whole"),
                      .fit = (ImageFit)integer_of(L, table, "fit"),
                      .bilinear = boolean_of(L, table, "bilinear"),
                      .fill = integer_of(L, table, "fill"),
                      .fill_value = number_of(L, table, "fill_value"),
                      .rescale = number_of(L, table, "rescale")};
    bool fits = work.height >= 0 && work.height <= IMAGE_SIDE && work.width >= 0 &&
                work.width <= IMAGE_SIDE && work.height * work.width <= IMAGE_PIXELS;
    if (!fits)
        script_raise(L, "pictures of %lld x %lld pixels are too large",
                     (long long)work.height, (long long)work.width);
    luaL_argcheck(L, work.channels >= 1 && work.resize <= IMAGE_NEAREST, table,
                  "channels and a way to resize expected");
    return work;
}

static int floats_close(lua_State *L) {
    float **floats = luaL_checkudata(L, 1, FLOATS_META);
    mem_free(*floats);
    *floats = NULL;
    return 0;
}

/* core.image_load(path, work) -> float32 {height, width, channels}; or nil and a message */
static int core_image_load(lua_State *L) {
    Err err = {0};
    int64_t height, width;
    Tensor tensor = {0};
    const char *path = luaL_checkstring(L, 1);
    ImageWork work = read_work(L, 2);
    float **floats = lua_newuserdatauv(L, sizeof *floats, 0);
    *floats = NULL;
    luaL_setmetatable(L, FLOATS_META);
    if (!image_work_load(&work, path, floats, &height, &width, &err))
        return fail(L, &err);
    if (!tensor_new(&tensor, DTYPE_FLOAT32,
                    shape_of(3, height, width, (int64_t)work.channels), &err))
        return fail(L, &err);
    memcpy(tensor.data, *floats, tensor_bytes(&tensor));
    mem_free(*floats);
    *floats = NULL;
    script_push_tensor(L, tensor);
    return 1;
}

/* core.png_save(path, contiguous uint8 {height, width, channels}) -> true; or nil and a
 * message */
static int core_png_save(lua_State *L) {
    Err err = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;
    const char *path = luaL_checkstring(L, 1);
    const Tensor *x = script_check_tensor(L, 2);
    luaL_argcheck(L,
                  x->dtype == DTYPE_UINT8 && x->shape.ndim == 3 && x->shape.dim[2] >= 1 &&
                      x->shape.dim[2] <= 4 && tensor_is_contiguous(x),
                  2, "contiguous uint8 tensor {height, width, 1 to 4} expected");
    Image image = {x->shape.dim[0], x->shape.dim[1], (int)x->shape.dim[2],
                   (uint8_t *)x->data};
    bool ok =
        png_encode(&image, &bytes, &size, &err) && atomic_write(path, bytes, size, &err);
    mem_free(bytes);
    if (!ok) return fail(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

/* ---- the loader ---- */

static ImageLoader *check_loader(lua_State *L) {
    ImageLoader **loader = luaL_checkudata(L, 1, LOADER_META);
    if (!*loader) luaL_error(L, "the loader is closed");
    return *loader;
}

static int loader_close(lua_State *L) {
    ImageLoader **loader = luaL_checkudata(L, 1, LOADER_META);
    image_loader_free(*loader);
    *loader = NULL;
    return 0;
}

/* core.image_loader(work, images or nil, threads) -> loader. images: contiguous uint8 or
 * float32 {n, height, width, channels}. */
static int core_image_loader(lua_State *L) {
    Err err = {0};
    ImageWork work = read_work(L, 1);
    const Tensor *images = lua_isnoneornil(L, 2) ? NULL : script_check_tensor(L, 2);
    int threads = (int)luaL_checkinteger(L, 3);
    luaL_argcheck(L, work.height && work.width, 1, "a size expected");
    if (images)
        luaL_argcheck(
            L,
            tensor_is_contiguous(images) && images->shape.ndim == 4 &&
                (images->dtype == DTYPE_UINT8 || images->dtype == DTYPE_FLOAT32) &&
                images->shape.dim[1] == work.height &&
                images->shape.dim[2] == work.width &&
                images->shape.dim[3] == work.channels,
            2, "images of the work's size expected");
    ImageLoader **loader = lua_newuserdatauv(L, sizeof *loader, 0);
    *loader = NULL;
    luaL_setmetatable(L, LOADER_META);
    *loader = image_loader_new(&work, images, threads, &err);
    if (!*loader) script_error(L, &err);
    return 1;
}

/* The eight numbers of the transform in the list on top of the stack, which goes. */
static void read_transform(lua_State *L, ImageJob *job) {
    job->moved = lua_istable(L, -1);
    for (int k = 0; job->moved && k < 8; k++) {
        lua_rawgeti(L, -1, k + 1);
        job->transform[k] = luaL_checknumber(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* core.image_ask(loader, jobs): a list of { picture, transform =, shift =, brightness = },
 * where picture is a path or a row of the loader's images, from 0. */
static int core_image_ask(lua_State *L) {
    Err err = {0};
    ImageLoader *loader = check_loader(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_Integer n = luaL_len(L, 2);
    luaL_argcheck(L, n > 0 && n < 1 << 24, 2, "a list of jobs expected");
    ImageJob *jobs = lua_newuserdatauv(L, (size_t)n * sizeof *jobs, 0);
    for (lua_Integer i = 0; i < n; i++) {
        ImageJob *job = &jobs[i];
        *job = (ImageJob){.shift = NAN, .brightness = NAN};
        lua_rawgeti(L, 2, i + 1);
        int table = lua_gettop(L);
        if (lua_rawgeti(L, table, 1) == LUA_TSTRING)
            job->path = lua_tostring(L, -1); /* lives in its table */
        else
            job->row = luaL_checkinteger(L, -1);
        lua_getfield(L, table, "transform");
        read_transform(L, job);
        if (lua_getfield(L, table, "shift") != LUA_TNIL)
            job->shift = luaL_checknumber(L, -1);
        if (lua_getfield(L, table, "brightness") != LUA_TNIL)
            job->brightness = luaL_checknumber(L, -1);
        lua_settop(L, table - 1);
    }
    if (!image_loader_ask(loader, n, jobs, &err)) script_error(L, &err);
    return 0;
}

/* core.image_take(loader) -> batch, and nil or messages by the number of the picture */
static int core_image_take(lua_State *L) {
    Err err = {0};
    Tensor tensor = {0};
    ImageLoader *loader = check_loader(L);
    if (!image_loader_take(loader, &tensor, &err)) script_error(L, &err);
    int64_t n = tensor.shape.dim[0];
    script_push_tensor(L, tensor);
    bool found = false;
    for (int64_t i = 0; i < n; i++) {
        const char *why = image_loader_failure(loader, i);
        if (!why) continue;
        if (!found) lua_newtable(L);
        found = true;
        lua_pushstring(L, why);
        lua_rawseti(L, -2, i + 1);
    }
    return found ? 2 : 1;
}

static const luaL_Reg image_functions[] = {
    {"image_load", core_image_load},     {"png_save", core_png_save},
    {"image_loader", core_image_loader}, {"image_ask", core_image_ask},
    {"image_take", core_image_take},     {NULL, NULL},
};

static void new_holder(lua_State *L, const char *name, lua_CFunction close) {
    if (luaL_newmetatable(L, name)) {
        lua_pushcfunction(L, close);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
}

void script_open_images(lua_State *L) {
    script_register(L, image_functions);
    new_holder(L, LOADER_META, loader_close);
    new_holder(L, FLOATS_META, floats_close);
}
