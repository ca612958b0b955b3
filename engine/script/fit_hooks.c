/* Finding the callbacks' hooks and calling them.
 *
 * Hooks are looked up before training begins and at each epoch's begin, through
 * metatables, so that an event itself needs no lookup: it walks a flat list of
 * entries. A callback may ask to hear of batches at most every so many seconds, with a
 * field batch_interval; the clock is read here, and Lua is not entered before the time
 * has come. A callback is called in its place in the list; in the hooks that its field
 * runs_last names ({on_epoch_end = true}) it comes after all others. */
#include "script/fit.h"
#include "base/clock.h"
#include "base/mem.h"

/* ---- lookup ---- */

/* Protected functions get the run, the anchors, the hooks table and the spec. */
enum { ARG_RUN = 1, ARG_ANCHORS, ARG_HOOKS, ARG_SPEC };

/* Pushes the field of that name, nil in place of a hook that does nothing; its type. */
static int push_hook(lua_State *L, int callback, const char *name) {
    int type = lua_getfield(L, callback, name);
    if (lua_tocfunction(L, -1) != run_idle) return type;
    lua_pop(L, 1);
    lua_pushnil(L);
    return LUA_TNIL;
}

/* Leaves the callback's function for the hook on the stack, or nothing. The short
 * names for batches count only where the long one is missing. */
static bool find_function(lua_State *L, int callback, Hook hook, int place) {
    const char *name = hook_table[hook].name;
    int type = push_hook(L, callback, name);
    if (type == LUA_TNIL &&
        (hook == HOOK_train_batch_begin || hook == HOOK_train_batch_end)) {
        lua_pop(L, 1);
        name = hook == HOOK_train_batch_begin ? "on_batch_begin" : "on_batch_end";
        type = push_hook(L, callback, name);
    }
    if (type == LUA_TFUNCTION) return true;
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return false;
    }
    if (luaL_getmetafield(L, -1, "__call") != LUA_TNIL) {
        lua_pop(L, 1);
        return true;
    }
    script_raise(L, "callback %d: %s must be a function, got a %s", place, name,
                 luaL_typename(L, -1));
}

/* Whether the function on top takes the logs: it has room for them. Callable objects
 * may. */
static bool takes_logs(lua_State *L, Hook hook) {
    if (hook_table[hook].arguments == HOOK_TEXT) return false;
    if (!lua_isfunction(L, -1)) return true;
    lua_Debug about;
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">u", &about);
    int needed = hook_table[hook].arguments == HOOK_NUMBER ? 3 : 2;
    return about.isvararg || about.nparams >= needed;
}

static double read_interval(lua_State *L, int callback, Hook hook) {
    static const uint32_t batch_ends = UINT32_C(1) << HOOK_train_batch_end |
                                       UINT32_C(1) << HOOK_test_batch_end |
                                       UINT32_C(1) << HOOK_predict_batch_end;
    if (!(batch_ends & hook_bit(hook))) return 0;
    lua_getfield(L, callback, "batch_interval");
    double interval = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return interval;
}

/* The time of a callback's last call lives on when its hooks are looked up anew. */
static double last_time(const Run *run, Hook hook, int callback) {
    const HookList *list = &run->list[hook];
    for (int i = 0; i < list->n; i++)
        if (run->entry[list->first + i].callback == callback)
            return run->entry[list->first + i].last;
    return 0;
}

/* Whether the callback wants to come after the others in the hook. */
static bool runs_last(lua_State *L, int callback, Hook hook) {
    bool last = false;
    if (lua_getfield(L, callback, "runs_last") == LUA_TTABLE) {
        lua_getfield(L, -1, hook_table[hook].name);
        last = lua_toboolean(L, -1);
    }
    lua_settop(L, callback);
    return last;
}

/* The words for callback number n in messages: its name, or its number, and its class.
 * They are made here, since asking a callback for a field may run its own code. */
static void keep_words(lua_State *L, int callback, int n, int table) {
    bool named = lua_getfield(L, callback, "name") == LUA_TSTRING;
    const char *class = NULL;
    if (luaL_getmetafield(L, callback, "__name") == LUA_TSTRING)
        class = lua_tostring(L, -1);
    if (named)
        lua_pushfstring(L, "in callback '%s'", lua_tostring(L, callback + 1));
    else
        lua_pushfstring(L, "in callback %d", n);
    if (class) lua_pushfstring(L, "%s (%s)", lua_tostring(L, -1), class);
    lua_rawseti(L, table, -n);
    lua_settop(L, callback);
}

/* Fills entries and lists from the callbacks at index `all`; the hooks table is at
 * `table`. */
static int find_all(lua_State *L, const Run *run, int all, int table, HookEntry *entry,
                    HookList lists[]) {
    int n = 0, count = (int)lua_rawlen(L, all);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, all, i);
        keep_words(L, lua_gettop(L), i, table);
        lua_pop(L, 1);
    }
    for (Hook hook = 0; hook < HOOK_COUNT; hook++) {
        lists[hook] = (HookList){.first = n};
        for (int k = 0; k < 2 * count; k++) {
            int i = k % count + 1;
            bool last_round = k >= count;
            lua_rawgeti(L, all, i);
            int callback = lua_gettop(L);
            if (runs_last(L, callback, hook) == last_round &&
                find_function(L, callback, hook, i)) {
                double interval = read_interval(L, callback, hook);
                entry[n] = (HookEntry){n, i, takes_logs(L, hook), interval,
                                       last_time(run, hook, i)};
                lists[hook].throttled |= interval > 0;
                lists[hook].n++;
                lua_rawseti(L, table, 2 * n + 1);
                lua_pushvalue(L, callback);
                lua_rawseti(L, table, 2 * n + 2);
                n++;
            }
            lua_settop(L, callback - 1);
        }
    }
    return n;
}

static int lookup(lua_State *L) {
    Run *run = run_self(L);
    lua_getfield(L, ARG_SPEC, "callbacks");
    int all = lua_gettop(L);
    size_t room = lua_rawlen(L, all) * HOOK_COUNT;
    run_profile_grow(L, run, (int)lua_rawlen(L, all));
    lua_createtable(L, (int)room, 0);
    /* Scratch that the collector takes back when a metatable's function raises. */
    HookEntry *scratch = lua_newuserdatauv(L, (room + 1) * sizeof *scratch, 0);
    HookList lists[HOOK_COUNT];
    int n = find_all(L, run, all, all + 1, scratch, lists);
    HookEntry *entry = mem_grow(run->entry, (size_t)(n + 1) * sizeof *entry);
    if (!entry) script_raise(L, "out of memory for %d hooks", n);
    for (int i = 0; i < n; i++) entry[i] = scratch[i];
    run->entry = entry;
    run->fit.hooks = 0;
    for (Hook hook = 0; hook < HOOK_COUNT; hook++) {
        run->list[hook] = lists[hook];
        if (lists[hook].n) run->fit.hooks |= hook_bit(hook);
    }
    lua_settop(L, all + 1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, ARG_ANCHORS, ANCHOR_HOOKS);
    return 1;
}

bool run_lookup(Fit *fit, Err *err) {
    Run *run = fit->context;
    if (!run_protected(run, lookup, true, err)) return false;
    lua_replace(run->L, RUN_HOOKS);
    return true;
}

/* ---- dispatch ---- */

void run_push_place(lua_State *L, const Run *run, int hooks) {
    const HookEntry *entry = &run->entry[run->current];
    const HookDef *def = &hook_table[run->hook];
    lua_rawgeti(L, hooks, -entry->callback);
    if (def->arguments == HOOK_NUMBER)
        lua_pushfstring(L, ", %s(%I)", def->name, (LUAI_UACINT)run->number);
    else
        lua_pushfstring(L, ", %s", def->name);
    lua_concat(L, 2);
}

/* What on_exception and on_exit are told. A Lua error is parked in full length. */
static void push_text(lua_State *L, const Run *run) {
    if (run->hook == HOOK_exception) {
        if (lua_rawgeti(L, ARG_ANCHORS, ANCHOR_MESSAGE) != LUA_TNIL) return;
        lua_pop(L, 1);
    }
    lua_pushstring(L, run->text);
}

/* Pushes function, callback and arguments of an entry; gives the number of arguments.
 * Logs are at index `logs`. */
static int push_call(lua_State *L, const Run *run, const HookEntry *entry, int logs) {
    lua_rawgeti(L, ARG_HOOKS, 2 * entry->slot + 1);
    lua_rawgeti(L, ARG_HOOKS, 2 * entry->slot + 2);
    int n = 1;
    switch (hook_table[run->hook].arguments) {
    case HOOK_TEXT:
        push_text(L, run);
        return 2;
    case HOOK_NUMBER:
        lua_pushinteger(L, run->number);
        n++;
        break;
    case HOOK_LOGS:
        break;
    }
    if (!entry->takes_logs) return n;
    lua_pushvalue(L, logs);
    return n + 1;
}

/* The wishes to stop are fields of the model; only a hook can have set them. */
static void read_stop(lua_State *L, Run *run) {
    static const char *const field[FIT_MODES] = {"stop_training", "stop_evaluating",
                                                 "stop_predicting"};
    lua_getfield(L, ARG_SPEC, "model");
    for (int mode = 0; mode < FIT_MODES; mode++) {
        if (!run->fit.part[mode].source) continue;
        lua_getfield(L, -1, field[mode]);
        run->fit.stop[mode] = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
}

static bool is_due(const HookEntry *entry, double now) {
    return entry->interval <= 0 || now - entry->last >= entry->interval;
}

/* Calls the function below its n arguments. While it runs, errors are its. */
static void call_entry(lua_State *L, Run *run, int entry, int n) {
    double begin = run_profile_begin(run);
    run->current = entry;
    lua_call(L, n, 0);
    run->current = -1;
    run_profile_end(run, run->entry[entry].callback, begin);
}

static int dispatch(lua_State *L) {
    Run *run = run_self(L);
    const HookList list = run->list[run->hook];
    bool was_moved = run->fit.moved;
    double now = list.throttled ? clock_now() : 0;
    int logs = 0;
    for (int i = list.first; i < list.first + list.n; i++) {
        if (!is_due(&run->entry[i], now)) continue;
        if (run->entry[i].takes_logs && !logs) {
            double begin = run_profile_begin(run);
            run_push_logs(L, run, hook_table[run->hook].logs);
            run_profile_end(run, 0, begin);
            logs = lua_gettop(L);
        }
        int n = push_call(L, run, &run->entry[i], logs);
        run->entry[i].last = now;
        call_entry(L, run, i, n);
        if (run->fit.moved && !was_moved) break; /* the event is of another time by now */
    }
    read_stop(L, run);
    return 0;
}

/* The entry run->slot alone. */
static int dispatch_one(lua_State *L) {
    Run *run = run_self(L);
    int n = push_call(L, run, &run->entry[run->slot], 0);
    call_entry(L, run, run->slot, n);
    return 0;
}

static bool nobody_due(const Run *run, Hook hook) {
    const HookList *list = &run->list[hook];
    if (!list->throttled) return false;
    double now = clock_now();
    for (int i = list->first; i < list->first + list->n; i++)
        if (is_due(&run->entry[i], now)) return false;
    return true;
}

/* Calls every callback, whatever one of them raises: they close files and the like. A
 * failure here never takes the place of the one that ended the run. */
static bool call_each(Run *run, Hook hook, Err *err) {
    const HookList list = run->list[hook];
    bool was_parked = run_is_parked(run), ok = true;
    for (int i = list.first; i < list.first + list.n; i++) {
        run->slot = i;
        ok &= run_protected(run, dispatch_one, false, err);
    }
    if (!ok && !was_parked && run->fit.outcome == FIT_FAILED) run_forget(run);
    return ok;
}

bool run_hook(Fit *fit, Hook hook, int64_t number, const char *text, Err *err) {
    Run *run = fit->context;
    if (nobody_due(run, hook)) return true;
    run->hook = hook;
    run->number = number;
    run->text = text;
    if (hook_table[hook].arguments == HOOK_TEXT) return call_each(run, hook, err);
    if (run_protected(run, dispatch, false, err)) return true;
    /* A hook that fails while a signal waits was broken off by it, which is no error. */
    if (fit->host->interrupted()) run_forget(run);
    return false;
}
