/* fit{profile_callbacks = true}: the time that each callback takes in each hook. The
 * making of the logs, which is for all callbacks, counts as callback 0. */
#include "script/fit.h"
#include "base/clock.h"
#include "base/mem.h"

static size_t place(int callback, Hook hook) {
    return (size_t)callback * HOOK_COUNT + (size_t)hook;
}

void run_profile_grow(lua_State *L, Run *run, int callbacks) {
    if (!run->profiled || callbacks + 1 <= run->costs) return;
    HookCost *cost = mem_grow(run->cost, place(callbacks + 1, 0) * sizeof *cost);
    if (!cost) script_raise(L, "out of memory for a profile of %d callbacks", callbacks);
    for (size_t i = place(run->costs, 0); i < place(callbacks + 1, 0); i++)
        cost[i] = (HookCost){0};
    run->cost = cost;
    run->costs = callbacks + 1;
}

double run_profile_begin(const Run *run) { return run->profiled ? clock_now() : 0; }

void run_profile_end(Run *run, int callback, double begin) {
    if (!run->profiled) return;
    HookCost *cost = &run->cost[place(callback, run->hook)];
    cost->seconds += clock_now() - begin;
    cost->calls++;
}

static void push_cost(lua_State *L, int callback, Hook hook, const HookCost *cost) {
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, callback);
    lua_setfield(L, -2, "place");
    lua_pushstring(L, hook_table[hook].name);
    lua_setfield(L, -2, "hook");
    lua_pushnumber(L, cost->seconds);
    lua_setfield(L, -2, "seconds");
    lua_pushinteger(L, cost->calls);
    lua_setfield(L, -2, "calls");
}

void run_push_profile(lua_State *L, const Run *run) {
    lua_newtable(L);
    int n = 0;
    for (int callback = 0; callback < run->costs; callback++)
        for (Hook hook = 0; hook < HOOK_COUNT; hook++) {
            const HookCost *cost = &run->cost[place(callback, hook)];
            if (cost->calls == 0) continue;
            push_cost(L, callback, hook, cost);
            lua_rawseti(L, -2, ++n);
        }
}
