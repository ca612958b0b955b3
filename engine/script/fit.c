/* core.run_loop: a run of the training loop (train/fit.h) with its host in Lua.
 *
 *     core.run_loop {
 *       kind = "fit" | "evaluate" | "predict",
 *       train = part, test = part, predict = part,     -- the parts that the kind needs
 *       first_epoch =, last_epoch =, validation_every = | validation_epochs = {...},
 *       model =, callbacks = {...},                    -- the live list
 *       program = function(mode, leaves) ... end,      -- the plan for such a batch
 *       results = function(mode) ... end,              -- the metrics' plan, names
 *       reset = function(mode) ... end, pack = function(outputs) ... end,
 *       finish = function() ... end,                   -- fit: before on_train_end
 *       keep = function(epoch) ... end,                -- fit: after each epoch, or nil
 *       place = {epoch =, batch =, pass =, drawn =},   -- fit: where it goes on
 *       profile = true,                                -- becomes the list of hooks' times
 *     }
 *     part = { leaves = {tensors}, batch =, drop_remainder =, steps =,
 *              shuffle = "none" | "rows" | "batch", seed =, fit =,
 *              -- or the order of each pass: so many rows of the leaves, numbered from 0
 *              rows =, order = function(pass) ... return int64_tensor end }
 *     part = { draw = function() ... return {tensors} or nil end, -- nil ends the pass
 *              start = function(pass) ... end, copy = boolean, batches =, steps = }
 *
 * It returns the outcome and the values (evaluate: metrics; predict: outputs), or nil,
 * a message and whether that is finished text (an error that Lua code raised) or wants
 * a script line, and that line if it is known. It raises only for a spec that is
 * wrong. */
#include "script/fit.h"
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/mem.h"
#include "data/class_weight.h"
#include "script/signals.h"

/* ---- the host ---- */

static int call_program(lua_State *L) {
    Run *run = run_self(L);
    lua_getfield(L, 4, "program");
    lua_pushstring(L, run_mode_name(run->mode));
    lua_createtable(L, run->batch->parts, 0);
    for (int i = 0; i < run->batch->parts; i++) {
        const BatchPart *part = &run->batch->part[i];
        lua_createtable(L, 0, 2);
        lua_pushstring(L, dtype_name(part->dtype));
        lua_setfield(L, -2, "dtype");
        script_push_shape(L, &part->shape);
        lua_setfield(L, -2, "shape");
        lua_rawseti(L, -2, i + 1);
    }
    lua_call(L, 2, 1);
    script_check_plan(L, -1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, 2, ANCHOR_PLANS + run->mode * FIT_PLANS + run->slot);
    return 1;
}

static Plan *host_plan(Fit *fit, FitMode mode, const Batch *batch, int slot, Err *err) {
    Run *run = fit->context;
    run->mode = mode;
    run->batch = batch;
    run->slot = slot;
    bool made = run_protected(run, call_program, true, err);
    run->batch = NULL;
    if (!made) return NULL;
    Plan *plan =
        script_check_plan(run->L, -1); /* call_program has checked it: no raise */
    lua_pop(run->L, 1);
    return plan;
}

static int call_reset(lua_State *L) {
    lua_getfield(L, 4, "reset");
    lua_pushstring(L, run_mode_name(run_self(L)->mode));
    lua_call(L, 1, 0);
    return 0;
}

static bool host_reset(Fit *fit, FitMode mode, Err *err) {
    Run *run = fit->context;
    run->mode = mode;
    return run_protected(run, call_reset, false, err);
}

static int keep_epoch(lua_State *L) {
    run_keep_epoch(L, run_self(L));
    return 0;
}

static bool host_epoch(Fit *fit, Err *err) {
    if (!(fit->hooks & (hook_bit(HOOK_epoch_end) | hook_bit(HOOK_train_end))))
        return true;
    return run_protected(fit->context, keep_epoch, false, err);
}

static int call_keep(lua_State *L) {
    lua_getfield(L, 4, "keep");
    lua_pushinteger(L, run_self(L)->number);
    lua_call(L, 1, 0);
    return 0;
}

static bool host_border(Fit *fit, int64_t epoch, Err *err) {
    Run *run = fit->context;
    run->number = epoch;
    return !run->keeps || run_protected(run, call_keep, false, err);
}

static int call_finish(lua_State *L) {
    lua_getfield(L, 4, "finish");
    lua_call(L, 0, 0);
    return 0;
}

static bool host_finish(Fit *fit, Err *err) {
    return run_protected(fit->context, call_finish, false, err);
}

static int take_back_stop(lua_State *L) {
    static const char *const field[FIT_MODES] = {"stop_training", "stop_evaluating",
                                                 "stop_predicting"};
    lua_getfield(L, 4, "model");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, field[run_self(L)->mode]);
    return 0;
}

static bool host_begin(Fit *fit, FitMode mode, Err *err) {
    Run *run = fit->context;
    run->mode = mode;
    fit->stop[mode] = false;
    return run_protected(run, take_back_stop, false, err);
}

static bool host_interrupted(void) { return signals_pending() != 0; }

/* Inside a hook of another run the signal is left for that one to see. */
static void host_interrupt_seen(Fit *fit) {
    Run *run = fit->context;
    if (!run->outer && signals_pending() == SIGINT) signals_clear();
}

static const FitHost host = {
    .hook = run_hook,
    .lookup = run_lookup,
    .plan = host_plan,
    .reset = host_reset,
    .epoch = host_epoch,
    .border = host_border,
    .finish = host_finish,
    .begin = host_begin,
    .interrupted = host_interrupted,
    .interrupt_seen = host_interrupt_seen,
};

/* ---- running ---- */

typedef struct RunKind {
    const char *name;
    FitMode mode;
} RunKind;

static const RunKind run_kinds[] = {
    {"fit", FIT_TRAIN},
    {"evaluate", FIT_TEST},
    {"predict", FIT_PREDICT},
};

static const RunKind *read_kind(lua_State *L) {
    lua_getfield(L, RUN_SPEC, "kind");
    const char *name = luaL_checkstring(L, -1);
    for (size_t i = 0; i < sizeof run_kinds / sizeof *run_kinds; i++)
        if (strcmp(name, run_kinds[i].name) == 0) {
            lua_pop(L, 1);
            return &run_kinds[i];
        }
    luaL_error(L, "run_loop: no kind '%s'", name);
    return NULL;
}

static bool run_kind(Run *run, const RunKind *kind, Err *err) {
    switch (kind->mode) {
    case FIT_TRAIN:
        return fit_train(&run->fit, err);
    case FIT_TEST:
        return fit_test(&run->fit, err);
    default:
        return fit_predict(&run->fit, err);
    }
}

/* What evaluate returns: the metrics' values in order. */
static int collect_values(lua_State *L) {
    Run *run = run_self(L);
    run_push_results(L, run, run->mode, true);
    return 1;
}

static int collect_outputs(lua_State *L) {
    Collect *collect = &run_self(L)->fit.collect;
    lua_createtable(L, collect->n, 0);
    for (int k = 0; k < collect->n; k++) {
        script_push_tensor(L, tensor_retain(&collect->output[k]));
        lua_rawseti(L, -2, k + 1);
    }
    return 1;
}

static bool push_values(Run *run, const RunKind *kind, Err *err) {
    if (kind->mode == FIT_PREDICT) return run_protected(run, collect_outputs, true, err);
    if (kind->mode == FIT_TRAIN) {
        lua_pushnil(run->L);
        return true;
    }
    run->mode = kind->mode;
    return run_protected(run, collect_values, true, err);
}

static int push_failure(lua_State *L, const Err *err) {
    lua_settop(L, RUN_TOP);
    lua_pushnil(L);
    if (lua_rawgeti(L, RUN_ANCHORS, ANCHOR_ERROR) != LUA_TNIL) {
        lua_pushboolean(L, 1);
        return 3;
    }
    lua_pop(L, 1);
    lua_pushstring(L, err->text);
    lua_pushboolean(L, 0);
    if (!err->where[0]) return 3;
    lua_pushstring(L, err->where);
    return 4;
}

static void run_close(Run *run) {
    fit_release(&run->fit);
    for (int mode = 0; mode < FIT_MODES; mode++) {
        source_free(run->fit.part[mode].source);
        run->fit.part[mode].source = NULL;
    }
    mem_free(run->entry);
    mem_free(run->validation_epochs);
    mem_free(run->cost);
    run->entry = NULL;
    run->cost = NULL;
    run->costs = 0;
    run->validation_epochs = NULL;
}

static int run_loop(lua_State *L) {
    luaL_checktype(L, RUN_SPEC, LUA_TTABLE);
    lua_settop(L, RUN_SPEC);
    luaL_checkstack(L, 20, "too many nested calls");
    const RunKind *kind = read_kind(L);
    Run *run = lua_newuserdatauv(L, sizeof *run, 0);
    *run = (Run){.fit = {.host = &host, .context = run}, .L = L, .current = -1};
    luaL_setmetatable(L, RUN_META);
    lua_pushnil(L);
    lua_newtable(L);
    run_push_handler(L, run);
    lua_replace(L, RUN_HANDLER);
    lua_newtable(L);
    for (FitMode mode = 0; mode < FIT_MODES; mode++) run_read_part(L, run, mode);
    if (!run->fit.part[kind->mode].source) luaL_error(L, "run_loop: nothing to run on");
    run_read_epochs(L, run);
    lua_getfield(L, RUN_SPEC, "profile");
    run->profiled = lua_toboolean(L, -1);
    run->keeps = lua_getfield(L, RUN_SPEC, "keep") != LUA_TNIL;
    lua_getfield(L, RUN_SPEC, "model");
    run->model = lua_topointer(L, -1);
    lua_pop(L, 3);

    Err err = {0};
    run->outer = run_current(L);
    run_set_current(L, run);
    signals_enter_fit();
    bool ok = run_kind(run, kind, &err) && push_values(run, kind, &err);
    signals_leave_fit();
    run_set_current(L, run->outer);
    if (run->profiled) {
        run_push_profile(L, run);
        lua_setfield(L, RUN_SPEC, "profile");
    }
    run_close(run);
    if (!ok) return push_failure(L, &err);
    lua_pushstring(L, fit_outcome_name(run->fit.outcome));
    lua_insert(L, -2);
    return 2;
}

static int run_gc(lua_State *L) {
    run_close(luaL_checkudata(L, 1, RUN_META));
    return 0;
}

/* ---- small services for the Lua side ---- */

/* core.run_position(): epoch, batch, pass over the training data and batches that it has
 * given, of the innermost run; nothing outside of runs. */
static int run_position(lua_State *L) {
    const Run *run = run_current(L);
    if (!run) return 0;
    lua_pushinteger(L, run->fit.epoch);
    lua_pushinteger(L, run->fit.batch);
    lua_pushinteger(L, run->fit.pass);
    lua_pushinteger(L, run->fit.part[FIT_TRAIN].drawn);
    return 4;
}

/* Whether a hook of the fit of the model at that index is running, innermost. */
static bool in_hook_of(lua_State *L, const Run *run, int model) {
    return run && run->current >= 0 && run->fit.part[FIT_TRAIN].source &&
           lua_topointer(L, model) == run->model;
}

/* core.move_run(model, place): the model's fit, in a hook of which this is called, goes on
 * there; place as in run_loop's spec. nil and the reason when it cannot. */
static int move_run(lua_State *L) {
    Run *run = run_current(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    const char *problem = NULL;
    if (!in_hook_of(L, run, 1))
        problem =
            "the model is being fitted; a hook of that fit may call it, and nothing "
            "within it";
    else if (run->hook == HOOK_train_end || run->hook == HOOK_exit ||
             run->hook == HOOK_exception)
        problem = "training has ended; call it after fit";
    if (problem) {
        luaL_pushfail(L);
        lua_pushstring(L, problem);
        return 2;
    }
    run_read_place(L, 2, &run->fit.place);
    run->fit.moved = true;
    lua_pushboolean(L, 1);
    return 1;
}

/* core.class_weights(y, labels, weights) -> float32 tensor {n} */
static int class_weights(lua_State *L) {
    const Tensor *y = script_check_tensor(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TTABLE);
    int n = (int)lua_rawlen(L, 2);
    ClassWeight *weight = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof *weight, 0);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, 2, i + 1);
        lua_rawgeti(L, 3, i + 1);
        weight[i] = (ClassWeight){luaL_checkinteger(L, -2), luaL_checknumber(L, -1)};
        lua_pop(L, 2);
    }
    Tensor out = {0};
    Err err = {0};
    if (!class_weight_apply(y, n, weight, &out, &err)) script_error(L, &err);
    script_push_tensor(L, out);
    return 1;
}

/* core.terminal_width(): columns of the terminal that standard output is, nil when it
 * is none. */
static int terminal_width(lua_State *L) {
    struct winsize size;
    if (!isatty(STDOUT_FILENO)) return 0;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    lua_pushinteger(L, known ? size.ws_col : 80);
    return 1;
}

/* core.hook_names(): the names of all hooks. */
static int hook_names(lua_State *L) {
    lua_createtable(L, HOOK_COUNT, 0);
    for (int hook = 0; hook < HOOK_COUNT; hook++) {
        lua_pushstring(L, hook_table[hook].name);
        lua_rawseti(L, -2, hook + 1);
    }
    return 1;
}

int run_idle(lua_State *L) {
    (void)L;
    return 0;
}

static const luaL_Reg fit_functions[] = {
    {"run_loop", run_loop},           {"run_position", run_position},
    {"class_weights", class_weights}, {"terminal_width", terminal_width},
    {"hook_names", hook_names},       {"idle_hook", run_idle},
    {"move_run", move_run},           {NULL, NULL},
};

void script_open_fit(lua_State *L) {
    luaL_newmetatable(L, RUN_META);
    lua_pushcfunction(L, run_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, run_gc);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
    script_register(L, fit_functions);
}
