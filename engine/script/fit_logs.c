/* The tables that hooks get as logs, made from the plans that compute the metrics'
 * results. A table is made only for a hook that takes it. */
#include "script/fit.h"

const char *run_mode_name(FitMode mode) {
    static const char *const names[FIT_MODES] = {"train", "test", "predict"};
    return names[mode];
}

/* The plan and its names are asked for once a run: spec.results(mode). */
static Plan *results_plan(lua_State *L, Run *run, FitMode mode) {
    if (run->results[mode]) return run->results[mode];
    luaL_checkstack(L, 6, NULL);
    lua_getfield(L, 4, "results");
    lua_pushstring(L, run_mode_name(mode));
    lua_call(L, 1, 2);
    Plan *plan = script_check_plan(L, -2);
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_rawseti(L, 2, ANCHOR_NAMES + mode);
    lua_rawseti(L, 2, ANCHOR_RESULTS + mode);
    return run->results[mode] = plan;
}

void run_push_results(lua_State *L, Run *run, FitMode mode, bool as_list) {
    Plan *plan = results_plan(L, run, mode);
    Err err = {0};
    if (!plan_run(plan, &err)) script_error(L, &err);
    int n = plan_outputs(plan);
    lua_rawgeti(L, 2, ANCHOR_NAMES + mode);
    lua_createtable(L, as_list ? n : 0, as_list ? 0 : n);
    for (int k = 0; k < n; k++) {
        if (!as_list) lua_rawgeti(L, -2, k + 1);
        script_push_value(L, plan_output(plan, k));
        if (as_list)
            lua_rawseti(L, -2, k + 1);
        else
            lua_rawset(L, -3);
    }
    lua_remove(L, -2);
}

/* Copies the table on top, each key with the prefix, into the one below it; pops it. */
static void merge(lua_State *L, const char *prefix) {
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        if (prefix[0])
            lua_pushfstring(L, "%s%s", prefix, lua_tostring(L, -2));
        else
            lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -5);
    }
    lua_pop(L, 1);
}

void run_keep_epoch(lua_State *L, Run *run) {
    run_push_results(L, run, FIT_TRAIN, false);
    if (run->fit.validated) {
        run_push_results(L, run, FIT_TEST, false);
        merge(L, "val_");
    }
    lua_rawseti(L, 2, ANCHOR_EPOCH_LOGS);
}

/* The callbacks may change their table, so they get a copy of what the loop keeps. */
static void push_epoch(lua_State *L) {
    lua_newtable(L);
    if (lua_rawgeti(L, 2, ANCHOR_EPOCH_LOGS) == LUA_TTABLE)
        merge(L, "");
    else
        lua_pop(L, 1);
}

/* {outputs = the batch's outputs in the model's structure}. */
static void push_outputs(lua_State *L, Run *run) {
    const Collect *collect = &run->fit.collect;
    lua_createtable(L, 0, 1);
    lua_getfield(L, 4, "pack");
    lua_createtable(L, collect->n, 0);
    for (int k = 0; k < collect->n; k++) {
        Tensor view;
        Err err = {0};
        if (!collect_tail(collect, k, run->fit.batch_rows, &view, &err))
            script_error(L, &err);
        script_push_tensor(L, view);
        lua_rawseti(L, -2, k + 1);
    }
    lua_call(L, 1, 1);
    lua_setfield(L, -2, "outputs");
}

void run_push_logs(lua_State *L, Run *run, HookLogs kind) {
    switch (kind) {
    case LOGS_EMPTY:
        lua_newtable(L);
        break;
    case LOGS_TRAIN:
        run_push_results(L, run, FIT_TRAIN, false);
        break;
    case LOGS_TEST:
        run_push_results(L, run, FIT_TEST, false);
        break;
    case LOGS_EPOCH:
        push_epoch(L);
        break;
    case LOGS_OUTPUTS:
        push_outputs(L, run);
        break;
    }
}
