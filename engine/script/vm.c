/* The Lua state: libraries, the searcher for cdl's own modules, errors that blame the
 * script's line. */
#include "script/script.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "script/embed.h"
#include "script/value.h"

/* ---- errors ---- */

static int stack_depth(lua_State *L) {
    lua_Debug frame;
    int depth = 0;
    while (lua_getstack(L, depth, &frame)) depth++;
    return depth;
}

/* cdl's own chunks are named "=cdl/..." (see load_module), so the first Lua frame with
 * another name is the user's. A line that core.set_where names stands for the frames that were
 * there at that time: only what has been called since, a layer's own `call` say, is nearer. */
const char *script_where(lua_State *L, char *text, size_t size) {
    const Vm *vm = vm_get(L);
    snprintf(text, size, "%s", vm->where);
    int levels = INT_MAX;
    if (vm->where[0] && L == vm->where_state) levels = stack_depth(L) - vm->where_depth;
    lua_Debug frame;
    for (int level = 0; level < levels && lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "Sl", &frame);
        if (frame.currentline <= 0 || strncmp(frame.source, "=cdl/", 5) == 0) continue;
        snprintf(text, size, "%s:%d", frame.short_src, frame.currentline);
        return text;
    }
    return text;
}

/* Whether a text names the last layer of a path. */
static bool names_layer(const char *text, const char *path) {
    const char *slash = strrchr(path, '/');
    return strstr(text, slash ? slash + 1 : path) != NULL;
}

/* Throws "file:line: text", with the path of the layer that is being called where the text does
 * not name the layer itself. */
static int raise_text(lua_State *L, const char *where, const char *text) {
    char line[256];
    const char *path = vm_get(L)->path;
    if (!where || !where[0]) where = script_where(L, line, sizeof line);
    lua_pushfstring(L, where[0] ? "%s: " : "%s", where);
    lua_pushstring(L, text);
    if (path[0] && !names_layer(text, path))
        lua_pushfstring(L, " (in layer '%s')", path);
    else
        lua_pushliteral(L, "");
    lua_concat(L, 3);
    return lua_error(L);
}

int script_raise(lua_State *L, const char *format, ...) {
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    raise_text(L, NULL, text);
    abort(); /* not reached: lua_error does not return */
}

int script_error(lua_State *L, const Err *err) {
    raise_text(L, err->where, err->text);
    abort(); /* not reached */
}

static int core_raise(lua_State *L) {
    /* A long list of valid names may exceed the buffer of script_raise: no copy here. */
    return raise_text(L, luaL_optstring(L, 2, NULL), luaL_checkstring(L, 1));
}

static int core_warn(lua_State *L) {
    log_warning("%s", luaL_checkstring(L, 1));
    return 0;
}

/* core.where(): "file:line" of the script, "" when there is none. */
static int core_where(lua_State *L) {
    char line[256];
    lua_pushstring(L, script_where(L, line, sizeof line));
    return 1;
}

static void set_text(char *to, size_t size, const char *from) {
    snprintf(to, size, "%s", from);
}

/* core.set_where(text or nil [, depth]) -> the text and depth before: errors and nodes are blamed
 * on that line, unless a function of the script that is called from here on is nearer. depth is
 * given when a former line is set again. */
static int core_set_where(lua_State *L) {
    Vm *vm = vm_get(L);
    const char *where = luaL_optstring(L, 1, "");
    int depth =
        (int)luaL_optinteger(L, 2, stack_depth(L) - 1); /* without this C function */
    lua_pushstring(L, vm->where);
    lua_pushinteger(L, vm->where_depth);
    set_text(vm->where, sizeof vm->where, where);
    vm->where_depth = depth;
    vm->where_state = L;
    return 2;
}

/* core.set_path(text or nil): the layer path of the nodes to come; returns the old one. */
static int core_set_path(lua_State *L) {
    Vm *vm = vm_get(L);
    const char *path = luaL_optstring(L, 1, "");
    lua_pushstring(L, vm->path);
    set_text(vm->path, sizeof vm->path, path);
    return 1;
}

/* ---- the process ---- */

static int core_threads(lua_State *L) {
    if (!lua_isnoneornil(L, 1)) pool_set_threads((int)luaL_checkinteger(L, 1));
    lua_pushinteger(L, pool_threads());
    return 1;
}

/* core.memory() -> bytes alive, peak, allocations so far */
static int core_memory(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)mem_bytes());
    lua_pushinteger(L, (lua_Integer)mem_peak());
    lua_pushinteger(L, (lua_Integer)mem_allocations());
    return 3;
}

/* core.fail_allocation(n): the n-th allocation from now fails (tests). */
static int core_fail_allocation(lua_State *L) {
    mem_fail_at(luaL_checkinteger(L, 1));
    return 0;
}

static int core_clock(lua_State *L) {
    lua_pushnumber(L, clock_now());
    return 1;
}

static int core_since_start(lua_State *L) {
    lua_pushnumber(L, clock_since_start());
    return 1;
}

/* core.hash(text): a 63-bit number, the name of a random stream. */
static int core_hash(lua_State *L) {
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    lua_pushinteger(L, (lua_Integer)(hash_bytes(text, size) >> 1));
    return 1;
}

/* core.entropy(): 32 random bits from the system */
static int core_entropy(lua_State *L) {
    uint32_t bits = 0;
    if (getrandom(&bits, sizeof bits, 0) != sizeof bits)
        bits = (uint32_t)(clock_now() * 1e6);
    lua_pushinteger(L, (lua_Integer)bits);
    return 1;
}

/* ---- modules ---- */

static int load_file_module(lua_State *L, const char *folder, const char *name) {
    static const char *const forms[] = {"%s/%s.lua", "%s/%s/init.lua"};
    char base[256];
    snprintf(base, sizeof base, "%s", name);
    for (char *at = base; *at; at++)
        if (*at == '.') *at = '/';
    for (int form = 0; form < 2; form++) {
        char path[1024], chunk[300];
        snprintf(path, sizeof path, form ? forms[1] : forms[0], folder, base);
        FILE *file = fopen(path, "rb");
        if (!file) continue;
        luaL_Buffer text;
        luaL_buffinit(L, &text);
        size_t got;
        do {
            char *room = luaL_prepbuffer(&text);
            got = fread(room, 1, LUAL_BUFFERSIZE, file);
            luaL_addsize(&text, got);
        } while (got > 0);
        fclose(file);
        luaL_pushresult(&text);
        snprintf(chunk, sizeof chunk, form ? "=%s/init.lua" : "=%s.lua", base);
        size_t size;
        const char *source = lua_tolstring(L, -1, &size);
        if (luaL_loadbufferx(L, source, size, chunk, "t")) return lua_error(L);
        lua_pushstring(L, path);
        return 2;
    }
    return 0;
}

/* A package searcher for modules whose names are "cdl" or begin with "cdl.". */
static int load_module(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    if (strcmp(name, "cdl") != 0 && strncmp(name, "cdl.", 4) != 0) return 0;
    const char *folder = getenv("CDL_LUA");
    if (folder && folder[0]) {
        int results = load_file_module(L, folder, name);
        if (results) return results;
    }
    for (const EmbeddedModule *module = embedded_modules; module->name; module++) {
        if (strcmp(module->name, name) != 0) continue;
        char chunk[300];
        snprintf(chunk, sizeof chunk, "=%s.lua", name);
        for (char *at = chunk; *at; at++)
            if (*at == '.' && strcmp(at, ".lua") != 0) *at = '/';
        if (strcmp(name, "cdl") == 0) snprintf(chunk, sizeof chunk, "=cdl/init.lua");
        if (luaL_loadbufferx(L, module->text, module->size, chunk, "t"))
            return lua_error(L);
        lua_pushstring(L, name);
        return 2;
    }
    lua_pushfstring(L, "no module '%s' is built into cdl", name);
    return 1;
}

static const luaL_Reg vm_functions[] = {
    {"raise", core_raise},
    {"warn", core_warn},
    {"where", core_where},
    {"set_where", core_set_where},
    {"set_path", core_set_path},
    {"threads", core_threads},
    {"memory", core_memory},
    {"fail_allocation", core_fail_allocation},
    {"clock", core_clock},
    {"since_start", core_since_start},
    {"hash", core_hash},
    {"entropy", core_entropy},
    {NULL, NULL},
};

void script_register(lua_State *L, const luaL_Reg *functions) {
    luaL_setfuncs(L, functions, 0);
}

static int open_core(lua_State *L) {
    lua_newtable(L);
    script_register(L, vm_functions);
    script_open_tensor(L);
    script_open_make(L);
    script_open_view(L);
    script_open_variable(L);
    script_open_apply(L);
    script_open_trace(L);
    script_open_gradients(L);
    script_open_plans(L);
    script_open_files(L);
    script_open_arrays(L);
    script_open_pickle(L);
    script_open_images(L);
    script_open_graph_table(L);
    script_open_fit(L);
    script_open_http(L);
    script_open_identity(L);
    script_open_processes(L);
    script_open_event(L);
    script_open_json(L);
    script_open_h5(L);
    return 1;
}

static int open_state(lua_State *L) {
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, open_core);
    lua_setfield(L, -2, "cdl.core");
    lua_pop(L, 1);
    lua_getfield(L, -1, "searchers");
    for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
        lua_geti(L, -1, i);
        lua_seti(L, -2, i + 1);
    }
    lua_pushcfunction(L, load_module);
    lua_seti(L, -2, 2);
    lua_pop(L, 2);
    return 0;
}

/* Lua's own memory. An error for the lack of it tells no line, and no handler is called: the
 * line is kept here. */
static void *allocate(void *state, void *block, size_t old, size_t bytes) {
    if (bytes == 0) {
        free(block);
        return NULL;
    }
    void *moved = realloc(block, bytes);
    Vm *vm = vm_get(state);
    if (!moved) script_where(state, vm->starved, sizeof vm->starved);
    return moved;
}

lua_State *vm_new(void) {
    Vm *vm = mem_zalloc(sizeof *vm);
    lua_State *L = vm ? luaL_newstate() : NULL;
    if (!L) {
        mem_free(vm);
        return NULL;
    }
    *(Vm **)lua_getextraspace(L) = vm;
    lua_setallocf(L, allocate, L);
    lua_pushcfunction(L, open_state);
    if (lua_pcall(L, 0, 0, 0)) {
        vm_close(L);
        return NULL;
    }
    return L;
}

void vm_close(lua_State *L) {
    Vm *vm = vm_get(L);
    lua_close(L);
    tensor_trim();
    mem_free(vm);
}
