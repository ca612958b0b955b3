/* Plans in Lua: running them, and looking at them. */
#include <string.h>
#include "base/mem.h"
#include "kernels/limits.h"
#include "plan/profile.h"
#include "script/value.h"

Plan *script_check_plan(lua_State *L, int index) {
    Plan **slot = luaL_checkudata(L, index, PLAN_META);
    if (!*slot) script_raise(L, "this plan is closed");
    return *slot;
}

static int plan_gc(lua_State *L) {
    Plan **slot = luaL_checkudata(L, 1, PLAN_META);
    plan_free(*slot);
    *slot = NULL;
    return 0;
}

static void bind_input(lua_State *L, Plan *plan, int port) {
    const Type *want = plan_port(plan, port);
    const Tensor *tensor = script_check_tensor(L, port + 2);
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (!want) return;
    if (tensor->dtype != want->dtype || !shape_equal(&tensor->shape, &want->shape))
        script_raise(L, "input %d is %s %s, wanted %s %s", port + 1,
                     dtype_name(tensor->dtype), shape_text(&tensor->shape, a),
                     dtype_name(want->dtype), shape_text(&want->shape, b));
    if (!tensor_is_contiguous(tensor)) {
        Tensor dense;
        Err err = {0};
        if (!tensor_contiguous(tensor, &dense, &err)) script_error(L, &err);
        script_push_tensor(L, dense);
        lua_replace(L,
                    port + 2); /* stays on the stack, so alive, until the run is over */
        tensor = script_check_tensor(L, port + 2);
    }
    plan_bind(plan, port, tensor->data);
}

static void push_output(lua_State *L, const Operand *output) {
    Tensor copy;
    Err err = {0};
    if (!tensor_new(&copy, output->dtype, output->shape, &err)) script_error(L, &err);
    memcpy(copy.data, output->data, tensor_bytes(&copy));
    script_push_tensor(L, copy);
}

/* Stack: plan, inputs. */
static void run_on(lua_State *L, Plan *plan) {
    int count = lua_gettop(L) - 1;
    for (int port = 0; port < count; port++) bind_input(L, plan, port);
    Err err = {0};
    if (!plan_run(plan, &err)) script_error(L, &err);
}

/* The same; pushes the outputs. */
static int run_plan(lua_State *L, Plan *plan) {
    run_on(L, plan);
    int n_out = plan_outputs(plan);
    luaL_checkstack(L, n_out + 4, "too many outputs");
    for (int k = 0; k < n_out; k++) push_output(L, plan_output(plan, k));
    return n_out;
}

/* plan:run(inputs...) -> outputs */
static int plan_call(lua_State *L) { return run_plan(L, script_check_plan(L, 1)); }

/* plan:try(inputs...) -> outputs; nothing when these are no eager tensors of the types that
 * its inputs have */
static int plan_try(lua_State *L) {
    Plan *plan = script_check_plan(L, 1);
    int count = lua_gettop(L) - 1;
    bool takes = !plan_port(plan, count);
    for (int port = 0; port < count && takes; port++) {
        const Type *want = plan_port(plan, port);
        const Tensor *tensor = script_to_tensor(L, port + 2);
        takes = want && tensor && tensor->dtype == want->dtype &&
                shape_equal(&tensor->shape, &want->shape);
    }
    return takes ? run_plan(L, plan) : 0;
}

static const char *push_value(lua_State *L, const Operand *value, int axis,
                              const char *at) {
    if (axis == value->shape.ndim) {
        lua_pushnumber(L, dtype_load(value->dtype, at));
        return at + dtype_size(value->dtype);
    }
    lua_createtable(L, (int)value->shape.dim[axis], 0);
    for (int64_t i = 1; i <= value->shape.dim[axis]; i++) {
        at = push_value(L, value, axis + 1, at);
        lua_rawseti(L, -2, i);
    }
    return at;
}

void script_push_value(lua_State *L, const Operand *value) {
    luaL_checkstack(L, SHAPE_MAX + 2, NULL);
    push_value(L, value, 0, value->data);
}

/* plan:values(inputs...) -> list of the outputs as numbers, or nested arrays */
static int plan_values(lua_State *L) {
    Plan *plan = script_check_plan(L, 1);
    run_on(L, plan);
    int n_out = plan_outputs(plan);
    lua_createtable(L, n_out, 0);
    for (int k = 0; k < n_out; k++) {
        script_push_value(L, plan_output(plan, k));
        lua_rawseti(L, -2, k + 1);
    }
    return 1;
}

static int plan_about(lua_State *L) {
    PlanInfo info = plan_info(script_check_plan(L, 1));
    lua_createtable(L, 0, 7);
    const struct {
        const char *name;
        size_t value;
    } fields[] = {
        {"scratch_bytes", info.scratch_bytes}, {"lower_bound", info.lower_bound},
        {"steps", (size_t)info.steps},         {"barriers", (size_t)info.barriers},
        {"nodes", (size_t)info.nodes},         {"value_bytes", info.value_bytes},
        {"chained", (size_t)info.chained},
    };
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
        lua_pushinteger(L, (lua_Integer)fields[k].value);
        lua_setfield(L, -2, fields[k].name);
    }
    return 1;
}

static int plan_text(lua_State *L) {
    char *text = plan_dump(script_check_plan(L, 1));
    if (!text) script_raise(L, "out of memory");
    lua_pushstring(L, text);
    mem_free(text);
    return 1;
}

/* ---- where the time goes ---- */

/* plan:profile_start(keep): times its runs from now on; of the first `keep` every span. */
static int plan_time(lua_State *L) {
    Err err = {0};
    int keep = (int)luaL_optinteger(L, 2, 0);
    if (!plan_profile_start(script_check_plan(L, 1), keep, &err)) script_error(L, &err);
    return 0;
}

static int plan_time_no_more(lua_State *L) {
    plan_profile_stop(script_check_plan(L, 1));
    return 0;
}

static void set_number(lua_State *L, const char *field, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, field);
}

static void set_string(lua_State *L, const char *field, const char *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

static void push_steps(lua_State *L, const Plan *plan, const PlanProfile *profile) {
    lua_createtable(L, profile->steps, 0);
    for (int s = 0; s < profile->steps; s++) {
        StepInfo info = plan_step_info(plan, s);
        lua_createtable(L, 0, 7);
        set_string(L, "op", info.name);
        set_string(L, "path", info.path);
        set_string(L, "where", info.where);
        set_number(L, "seconds", profile->step[s]);
        set_number(L, "flops", info.flops);
        set_number(L, "bytes", info.bytes);
        set_number(L, "parts", (double)info.parts);
        lua_rawseti(L, -2, s + 1);
    }
}

/* The spans of one thread in one kept run, appended to the list on top of the stack. */
static void push_spans(lua_State *L, const Plan *plan, const ProfileSpan *span, int run,
                       int thread) {
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    for (int p = 0; p < plan_profile(plan)->phases; p++, span++) {
        if (span->begin == 0) continue;
        lua_createtable(L, 0, 5);
        set_number(L, "run", run + 1);
        set_number(L, "thread", thread + 1);
        set_number(L, "step", plan_phase_step(plan, p) + 1);
        set_number(L, "begin", span->begin);
        set_number(L, "seconds", span->end - span->begin);
        lua_rawseti(L, -2, ++n);
    }
}

/* plan:profile() -> {runs, seconds, copying, copied_bytes, threads, steps = {{op, path,
 * where, seconds, flops, bytes, parts}, ...}, spans = {{run, thread, step, begin,
 * seconds}, ...}}; nil when it was not started. Seconds are of all runs, flops and bytes
 * of one. */
static int plan_times(lua_State *L) {
    Plan *plan = script_check_plan(L, 1);
    const PlanProfile *profile = plan_profile(plan);
    if (!profile) return 0;
    lua_createtable(L, 0, 7);
    set_number(L, "runs", (double)profile->runs);
    set_number(L, "seconds", profile->seconds);
    set_number(L, "copying", profile->copying);
    set_number(L, "copied_bytes", plan_copied_bytes(plan));
    set_number(L, "threads", profile->threads);
    push_steps(L, plan, profile);
    lua_setfield(L, -2, "steps");
    lua_newtable(L);
    const ProfileSpan *span = profile->spans;
    for (int run = 0; run < profile->kept; run++)
        for (int thread = 0; thread < profile->threads; thread++, span += profile->phases)
            push_spans(L, plan, span, run, thread);
    lua_setfield(L, -2, "spans");
    return 1;
}

/* core.limits() -> {flops, levels = {{bytes, copy}, ...}}: what the machine can do at most,
 * per second, with all threads. */
static int core_limits(lua_State *L) {
    Limits limits = limits_measure();
    lua_createtable(L, 0, 2);
    set_number(L, "flops", limits.flops);
    lua_createtable(L, LIMIT_LEVELS, 0);
    for (int level = 0; level < LIMIT_LEVELS; level++) {
        lua_createtable(L, 0, 2);
        set_number(L, "bytes", (double)limits.bytes[level]);
        set_number(L, "copy", limits.copy[level]);
        lua_rawseti(L, -2, level + 1);
    }
    lua_setfield(L, -2, "levels");
    return 1;
}

static const luaL_Reg plan_meta[] = {
    {"__gc", plan_gc}, {"__close", plan_gc}, {NULL, NULL}};
static const luaL_Reg plan_methods[] = {{"run", plan_call},
                                        {"try", plan_try},
                                        {"values", plan_values},
                                        {"info", plan_about},
                                        {"dump", plan_text},
                                        {"profile_start", plan_time},
                                        {"profile_stop", plan_time_no_more},
                                        {"profile", plan_times},
                                        {NULL, NULL}};

/* core.plan_debug(poison, optimize): test switches of the planner */
static int core_plan_debug(lua_State *L) {
    plan_set_poison(lua_toboolean(L, 1));
    plan_set_optimize(lua_toboolean(L, 2));
    return 0;
}

static const luaL_Reg functions[] = {
    {"plan_debug", core_plan_debug}, {"limits", core_limits}, {NULL, NULL}};

void script_open_plans(lua_State *L) {
    script_register(L, functions);
    luaL_newmetatable(L, PLAN_META);
    luaL_setfuncs(L, plan_meta, 0);
    luaL_newlib(L, plan_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
