/* Plans in Lua: running them, and looking at them. */
#include <string.h>
#include "base/mem.h"
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

/* plan:run(inputs...) -> outputs */
static int plan_call(lua_State *L) {
    Plan *plan = script_check_plan(L, 1);
    int count = lua_gettop(L) - 1;
    for (int port = 0; port < count; port++) bind_input(L, plan, port);
    Err err = {0};
    if (!plan_run(plan, &err)) script_error(L, &err);
    int n_out = plan_outputs(plan);
    luaL_checkstack(L, n_out + 4, "too many outputs");
    for (int k = 0; k < n_out; k++) push_output(L, plan_output(plan, k));
    return n_out;
}

static int plan_about(lua_State *L) {
    PlanInfo info = plan_info(script_check_plan(L, 1));
    lua_createtable(L, 0, 5);
    const struct {
        const char *name;
        size_t value;
    } fields[] = {
        {"scratch_bytes", info.scratch_bytes}, {"lower_bound", info.lower_bound},
        {"steps", (size_t)info.steps},         {"barriers", (size_t)info.barriers},
        {"nodes", (size_t)info.nodes},
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

static const luaL_Reg plan_meta[] = {
    {"__gc", plan_gc}, {"__close", plan_gc}, {NULL, NULL}};
static const luaL_Reg plan_methods[] = {
    {"run", plan_call}, {"info", plan_about}, {"dump", plan_text}, {NULL, NULL}};

/* core.plan_debug(poison, optimize): test switches of the planner */
static int core_plan_debug(lua_State *L) {
    plan_set_poison(lua_toboolean(L, 1));
    plan_set_optimize(lua_toboolean(L, 2));
    return 0;
}

static const luaL_Reg functions[] = {{"plan_debug", core_plan_debug}, {NULL, NULL}};

void script_open_plans(lua_State *L) {
    script_register(L, functions);
    luaL_newmetatable(L, PLAN_META);
    luaL_setfuncs(L, plan_meta, 0);
    luaL_newlib(L, plan_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
