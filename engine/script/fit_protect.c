/* Calls of Lua code from within a run: errors are parked and come out as its result. */
#include "script/fit.h"
#include "train/step.h"

/* The run that is going on innermost: its address in the registry under this key. */
static const char current_run = 0;

Run *run_current(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &current_run);
    Run *run = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return run;
}

void run_set_current(lua_State *L, Run *run) {
    if (run)
        lua_pushlightuserdata(L, run);
    else
        lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &current_run);
}

Run *run_self(lua_State *L) { return lua_touserdata(L, 1); }

/* A plan that a batch wants and cannot have: the message names the batch. */
static void name_batch(lua_State *L, const Run *run, int message) {
    char place[STEP_PLACE];
    if (!run->batch || !step_place(&run->fit, run->mode, place)[0]) return;
    lua_pushfstring(L, "%s (%s)", lua_tostring(L, message), place);
    lua_replace(L, message);
}

/* The message handler: makes text of whatever was raised, adds where the loop was and the
 * traceback, and parks both forms. The first error stays. */
static int park(lua_State *L) {
    enum { MESSAGE = 2, HOOKS, ANCHORS = lua_upvalueindex(2) };
    const Run *run = lua_touserdata(L, lua_upvalueindex(1));
    lua_settop(L, 1);
    luaL_tolstring(L, 1, NULL);
    bool first = lua_rawgeti(L, ANCHORS, ANCHOR_ERROR) == LUA_TNIL;
    lua_settop(L, MESSAGE);
    if (!first) return 1;
    name_batch(L, run, MESSAGE);
    lua_pushvalue(L, MESSAGE);
    lua_rawseti(L, ANCHORS, ANCHOR_MESSAGE);
    lua_rawgeti(L, ANCHORS, ANCHOR_HOOKS);
    lua_pushvalue(L, MESSAGE);
    lua_pushliteral(L, "\n");
    lua_pushnil(L);
    bool in_hook = run->current >= 0;
    if (in_hook) run_push_place(L, run, HOOKS);
    if (in_hook || run_push_data_place(L, run)) {
        lua_copy(L, -1, HOOKS + 3);
        lua_settop(L, HOOKS + 3);
        lua_concat(L, 3);
    } else {
        lua_settop(L, HOOKS + 1);
    }
    luaL_traceback(L, L, lua_tostring(L, -1), 1);
    lua_rawseti(L, ANCHORS, ANCHOR_ERROR);
    lua_settop(L, MESSAGE);
    return 1;
}

void run_push_handler(lua_State *L, Run *run) {
    lua_pushlightuserdata(L, run);
    lua_pushvalue(L, RUN_ANCHORS);
    lua_pushcclosure(L, park, 2);
}

bool run_protected(Run *run, lua_CFunction f, bool result, Err *err) {
    lua_State *L = run->L;
    run->current = -1;
    lua_pushcfunction(L, f);
    lua_pushlightuserdata(L, run);
    lua_pushvalue(L, RUN_ANCHORS);
    lua_pushvalue(L, RUN_HOOKS);
    lua_pushvalue(L, RUN_SPEC);
    if (lua_pcall(L, 4, result, RUN_HANDLER) == LUA_OK) return true;
    /* Without memory Lua does not call the handler. */
    if (lua_rawgeti(L, RUN_ANCHORS, ANCHOR_ERROR) == LUA_TNIL) {
        lua_pushvalue(L, -2);
        lua_rawseti(L, RUN_ANCHORS, ANCHOR_ERROR);
    }
    lua_pop(L, 1);
    const char *text = lua_tostring(L, -1);
    err_set(err, "%s", text ? text : "error");
    lua_pop(L, 1);
    run->current = -1;
    return false;
}

bool run_is_parked(const Run *run) {
    bool parked = lua_rawgeti(run->L, RUN_ANCHORS, ANCHOR_ERROR) != LUA_TNIL;
    lua_pop(run->L, 1);
    return parked;
}

void run_forget(Run *run) {
    for (int key = ANCHOR_ERROR; key <= ANCHOR_MESSAGE; key++) {
        lua_pushnil(run->L);
        lua_rawseti(run->L, RUN_ANCHORS, key);
    }
}
