/* Ops in Lua: one C function per row of the op table. With eager inputs the kernel runs at
 * once; in a trace a node is added. */
#include <string.h>
#include "script/value.h"

typedef struct Input {
    Value *value;       /* tensor, or */
    Variable *variable; /* variable, or */
    double number;      /* number or boolean */
    int64_t whole;      /* the same, exactly, when type.dtype is int64 */
    bool weak;
    Type type;
} Input;

static void read_table(lua_State *L, int index, int most, int64_t *ints, double *reals) {
    if (lua_isnoneornil(L, index)) return;
    luaL_checktype(L, index, LUA_TTABLE);
    for (int k = 0; k < most; k++) {
        lua_geti(L, index, k + 1);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            return;
        }
        if (ints)
            ints[k] =
                lua_isboolean(L, -1) ? lua_toboolean(L, -1) : luaL_checkinteger(L, -1);
        else
            reals[k] = luaL_checknumber(L, -1);
        lua_pop(L, 1);
    }
}

static void input_type(lua_State *L, Input *input) {
    if (input->variable) {
        input->type = (Type){input->variable->value.dtype, input->variable->value.shape};
    } else if (input->value && input->value->kind == VALUE_TRACED) {
        NodeId node = trace_node(L, input->value);
        input->type = *graph_type(vm_get(L)->trace->graph, node);
    } else if (input->value) {
        input->type = (Type){input->value->tensor.dtype, input->value->tensor.shape};
    }
}

/* Argument `index` as an input; tables become tensors, in place on the stack. */
static Input read_input(lua_State *L, int index, const char *op) {
    Input input = {0};
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        input.number = lua_tonumber(L, index);
        input.weak = true;
        input.type.dtype =
            value_fits(DTYPE_INT64, input.number) || lua_isinteger(L, index)
                ? DTYPE_INT64
                : DTYPE_FLOAT32;
        if (input.type.dtype == DTYPE_INT64)
            input.whole =
                lua_isinteger(L, index) ? lua_tointeger(L, index) : (int64_t)input.number;
        return input;
    case LUA_TBOOLEAN:
        input.number = lua_toboolean(L, index);
        input.type.dtype = DTYPE_BOOL;
        return input;
    case LUA_TTABLE:
        if (luaL_getmetafield(L, index, "__name") != LUA_TNIL)
            script_raise(L, "%s: tensor expected, got %s", op, lua_tostring(L, -1));
        script_table_tensor(L, index, -1);
        lua_replace(L, index);
        break;
    default:
        break;
    }
    input.variable = script_to_variable(L, index);
    if (!input.variable) {
        input.value = value_to(L, index);
        if (!input.value || input.value->kind == VALUE_CLOSED)
            script_raise(L, "%s: tensor expected, got %s", op, luaL_typename(L, index));
    }
    input_type(L, &input);
    return input;
}

/* In a trace an op is traced unless all its tensors were made within this same trace and are
 * eager: those are constants of the trace, while others are captured by reference, so that a
 * change to them is seen by the next step. */
static bool wants_trace(const Trace *trace, const Input *in, int count) {
    if (!trace) return false;
    for (int k = 0; k < count; k++) {
        if (in[k].variable) return true;
        if (in[k].value &&
            (in[k].value->kind == VALUE_TRACED || in[k].value->trace != trace->number))
            return true;
    }
    return false;
}

/* A Lua number in an integer dtype that cannot hold it. Sums, differences and products wrap, so
 * the number may wrap first; the larger and the smaller stop at the dtype's ends; elsewhere no
 * number of that dtype gives the right result. */
static void fit_number(lua_State *L, OpId op, Input *input, DType dtype) {
    if (dtype_is_float(dtype) || dtype == DTYPE_BOOL) return;
    if (input->type.dtype == DTYPE_FLOAT32)
        script_raise(L, "%s: %g is not an integer", op_name(op), input->number);
    if (dtype == DTYPE_INT64 || value_fits(dtype, (double)input->whole)) return;
    if (op == OP_add || op == OP_sub || op == OP_mul)
        input->whole = dtype == DTYPE_UINT8 ? (uint8_t)input->whole
                                            : (int32_t)(uint32_t)input->whole;
    else if (op == OP_maximum || op == OP_minimum)
        input->whole = input->whole < 0       ? (dtype == DTYPE_UINT8 ? 0 : INT32_MIN)
                       : dtype == DTYPE_UINT8 ? UINT8_MAX
                                              : INT32_MAX;
    else
        script_raise(L, "%s: %lld does not fit in dtype %s", op_name(op),
                     (long long)input->whole, dtype_name(dtype));
    input->number = (double)input->whole;
}

static bool number_tensor(const Input *input, DType dtype, Tensor *out, Err *err) {
    if (!tensor_new(out, dtype, (Shape){0}, err)) return false;
    if (dtype == DTYPE_INT64 && input->weak)
        *(int64_t *)out->data = input->whole;
    else
        dtype_store(dtype, out->data, input->number);
    return true;
}

/* A number as a node. A graph's numbers are doubles: a larger integer becomes a constant. */
static NodeId number_node(lua_State *L, Graph *graph, const Input *input, DType dtype) {
    if (dtype != DTYPE_INT64 || !input->weak || (int64_t)input->number == input->whole)
        return graph_number(graph, dtype, input->number);
    Tensor scalar;
    Err err = {0};
    if (!number_tensor(input, dtype, &scalar, &err)) script_error(L, &err);
    NodeId node = graph_constant(graph, &scalar);
    tensor_release(&scalar);
    return node;
}

static int apply_traced(lua_State *L, OpId op, const Attrs *attrs, int count,
                        const Input *in, const DType to[]) {
    Graph *graph = vm_get(L)->trace->graph;
    NodeId node[OP_MAX_IN];
    trace_locate(L);
    for (int k = 0; k < count; k++) {
        if (in[k].variable)
            node[k] = trace_read(L, in[k].variable);
        else if (!in[k].value)
            node[k] = number_node(L, graph, &in[k], to[k]);
        else if (in[k].value->kind == VALUE_TRACED)
            node[k] = trace_node(L, in[k].value);
        else
            node[k] = trace_capture(L, &in[k].value->tensor);
    }
    NodeId out = graph_op(graph, op, attrs, count, node);
    trace_check(L);
    int n_out = op_table[op].n_out;
    luaL_checkstack(L, n_out + 4, NULL);
    for (int k = 0; k < n_out; k++) value_push_node(L, out + k);
    return n_out;
}

/* Frees what is only reachable from Lua's garbage and says whether to try again. */
static bool memory_again(lua_State *L, Err *err) {
    if (!strstr(err->text, "memory")) return false;
    lua_gc(L, LUA_GCCOLLECT, 0);
    tensor_trim();
    *err = (Err){0};
    return true;
}

static int apply_eager(lua_State *L, OpId op, const Attrs *attrs, int count,
                       const Input *in, const DType to[]) {
    Tensor tensor[OP_MAX_IN], out[OP_MAX_OUT] = {{0}};
    Err err = {0};
    int made = 0;
    bool done = true;
    for (; made < count && done; made++) {
        if (in[made].variable)
            tensor[made] = tensor_retain(&in[made].variable->value);
        else if (in[made].value)
            tensor[made] = tensor_retain(&in[made].value->tensor);
        else if (!(done = number_tensor(&in[made], to[made], &tensor[made], &err)))
            break;
    }
    if (done) {
        done = op_run(op, attrs, count, tensor, out, &err);
        if (!done && memory_again(L, &err))
            done = op_run(op, attrs, count, tensor, out, &err);
    }
    for (int k = 0; k < made; k++) tensor_release(&tensor[k]);
    if (!done) script_error(L, &err);
    int n_out = op_table[op].n_out;
    luaL_checkstack(L, n_out + 4, NULL);
    for (int k = 0; k < n_out; k++) script_push_tensor(L, out[k]);
    return n_out;
}

/* row(ints or nil, reals or nil, inputs...) -> outputs; the op is upvalue 1 */
static int apply_row(lua_State *L) {
    OpId op = (OpId)lua_tointeger(L, lua_upvalueindex(1));
    const OpDef *def = &op_table[op];
    int count = lua_gettop(L) - 2;
    if (def->n_in >= 0 ? count != def->n_in : count < 1)
        script_raise(L, "%s: %d inputs wanted, got %d", def->name, def->n_in,
                     count < 0 ? 0 : count);
    if (count > OP_MAX_IN)
        script_raise(L, "%s: at most %d inputs, got %d", def->name, OP_MAX_IN, count);
    Attrs attrs = {0};
    read_table(L, 1, ATTR_INTS, attrs.i, NULL);
    read_table(L, 2, ATTR_REALS, NULL, attrs.f);
    Input in[OP_MAX_IN];
    Type types[OP_MAX_IN];
    bool weak[OP_MAX_IN];
    double number[OP_MAX_IN];
    DType to[OP_MAX_IN];
    luaL_checkstack(L, SHAPE_MAX * 3, NULL);
    for (int k = 0; k < count; k++) {
        in[k] = read_input(L, k + 3, def->name);
        types[k] = in[k].type;
        weak[k] = in[k].weak;
        number[k] = in[k].number;
    }
    op_cast(op, count, types, weak, number, to);
    for (int k = 0; k < count; k++)
        if (weak[k]) fit_number(L, op, &in[k], to[k]);
    if (wants_trace(vm_get(L)->trace, in, count))
        return apply_traced(L, op, &attrs, count, in, to);
    return apply_eager(L, op, &attrs, count, in, to);
}

/* core.row(name): the function of a row of the op table, nil when there is no such row */
static int core_row(lua_State *L) {
    OpId op = op_find(luaL_checkstring(L, 1));
    if (op == OP_COUNT) return 0;
    lua_pushinteger(L, op);
    lua_pushcclosure(L, apply_row, 1);
    return 1;
}

/* core.rows() -> list of {name =, inputs =, outputs =, doc =, differentiable =} */
static int core_rows(lua_State *L) {
    lua_createtable(L, OP_COUNT, 0);
    for (int op = 0; op < OP_COUNT; op++) {
        lua_createtable(L, 0, 5);
        lua_pushstring(L, op_table[op].name);
        lua_setfield(L, -2, "name");
        lua_pushinteger(L, op_table[op].n_in);
        lua_setfield(L, -2, "inputs");
        lua_pushinteger(L, op_table[op].n_out);
        lua_setfield(L, -2, "outputs");
        lua_pushstring(L, op_table[op].doc);
        lua_setfield(L, -2, "doc");
        lua_pushboolean(L, op_table[op].grad != NULL);
        lua_setfield(L, -2, "differentiable");
        lua_seti(L, -2, op + 1);
    }
    return 1;
}

/* core.dtype_id(name): the number that cast's and random's attributes want */
static int core_dtype_id(lua_State *L) {
    lua_pushinteger(L, script_check_dtype(L, 1));
    return 1;
}

/* core.promote(a, b): the name of the promoted dtype */
static int core_promote(lua_State *L) {
    lua_pushstring(
        L, dtype_name(dtype_promote(script_check_dtype(L, 1), script_check_dtype(L, 2))));
    return 1;
}

static const luaL_Reg apply_functions[] = {
    {"row", core_row},         {"rows", core_rows}, {"dtype_id", core_dtype_id},
    {"promote", core_promote}, {NULL, NULL},
};

void script_open_apply(lua_State *L) { script_register(L, apply_functions); }
