/* Reading the spec that core.run_loop is given (fit.c says what it holds). It is made by
 * cdl/fit.lua, which has checked what the user gave; what is wrong here raises. */
#include "base/mem.h"
#include "script/fit.h"

static int64_t read_integer(lua_State *L, int table, const char *field,
                            int64_t fallback) {
    int64_t value = fallback;
    if (lua_getfield(L, table, field) != LUA_TNIL) value = luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    return value;
}

void run_read_place(lua_State *L, int table, FitPlace *place) {
    *place = (FitPlace){
        .epoch = read_integer(L, table, "epoch", 1),
        .batch = read_integer(L, table, "batch", 0),
        .pass = read_integer(L, table, "pass", 0),
        .drawn = read_integer(L, table, "drawn", 0),
    };
}

void run_read_epochs(lua_State *L, Run *run) {
    Fit *fit = &run->fit;
    fit->first_epoch = read_integer(L, RUN_SPEC, "first_epoch", 1);
    fit->last_epoch = read_integer(L, RUN_SPEC, "last_epoch", 1);
    fit->validation_every = read_integer(L, RUN_SPEC, "validation_every", 1);
    fit->moved = lua_getfield(L, RUN_SPEC, "place") == LUA_TTABLE;
    if (fit->moved) run_read_place(L, lua_gettop(L), &fit->place);
    lua_pop(L, 1);
    if (lua_getfield(L, RUN_SPEC, "validation_epochs") == LUA_TTABLE) {
        int n = (int)lua_rawlen(L, -1);
        run->validation_epochs =
            mem_alloc((size_t)(n + 1) * sizeof *run->validation_epochs);
        if (!run->validation_epochs) script_raise(L, "out of memory for %d epochs", n);
        for (int i = 0; i < n; i++) {
            lua_rawgeti(L, -1, i + 1);
            run->validation_epochs[i] = luaL_checkinteger(L, -1);
            lua_pop(L, 1);
        }
        fit->n_validation = n;
        fit->validation_epochs = run->validation_epochs;
    }
    lua_pop(L, 1);
}
