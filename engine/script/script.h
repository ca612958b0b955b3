/* The border between C and Lua: what the files of this room share. lua.h is seen only here.
 *
 * Userdata are made closed (metatable set, pointer NULL) and then filled; __gc and __close are
 * one idempotent function. Functions named script_push_... take over the reference that they
 * are given, also when they raise. */
#ifndef CDL_SCRIPT_SCRIPT_H
#define CDL_SCRIPT_SCRIPT_H
#include <stdbool.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include "graph/graph.h"
#include "plan/plan.h"
#include "tensor/tensor.h"

/* ---- vm.c: the state, modules, errors ---- */

/* A state with the standard libraries, `require` for the embedded modules (or those in the
 * folder that CDL_LUA names) and the C module "cdl.core". NULL: no memory. */
lua_State *vm_new(void);
void vm_close(lua_State *L);

/* Raises a Lua error: "file:line: text", where the line is the script's own: the innermost Lua
 * frame whose chunk name does not begin with "=cdl/", or what core.set_where names. */
int script_raise(lua_State *L, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
/* The same from an Err; err->where, when set, is the line that is blamed. */
int script_error(lua_State *L, const Err *err) __attribute__((noreturn));
/* "file:line" of the script (no colon at the end), "" when there is none. */
const char *script_where(lua_State *L, char *text, size_t size);

/* Registers one of the C files of this room in core: functions[] ends with {NULL, NULL}. */
void script_register(lua_State *L, const luaL_Reg *functions);

/* ---- tensor.c, make.c ---- */
Tensor *script_to_tensor(lua_State *L,
                         int index); /* eager tensor, NULL when it is none */
Tensor *script_check_tensor(lua_State *L,
                            int index); /* raises: "tensor expected, got ..." */
void script_push_tensor(lua_State *L, Tensor tensor);     /* takes the reference */
void script_push_shape(lua_State *L, const Shape *shape); /* Lua array */
Shape script_check_shape(lua_State *L, int index); /* Lua array of sizes, none negative */
DType script_check_dtype(lua_State *L, int index); /* name */
/* A tensor from a nested table of numbers or booleans (dtype < 0: float32, bool for booleans);
 * raises where it is ragged or a value does not fit. Pushes it. */
void script_table_tensor(lua_State *L, int index, int dtype);

/* ---- variable.c ---- */
Variable *script_to_variable(lua_State *L, int index); /* NULL when it is none */
Variable *script_check_variable(lua_State *L, int index);
void script_push_variable(lua_State *L, Variable *variable); /* takes the reference */

/* ---- files.c ---- */
/* What a function that reads or writes a file returns: nil and the message, or true. */
int script_push_failure(lua_State *L, const Err *err);
int script_push_done(lua_State *L, bool ok, const Err *err);
/* Pushes a string of these bytes, which are freed, also when Lua has no memory for them. */
int script_push_owned(lua_State *L, char *bytes, size_t size);
/* A tensor, or the present value of a variable; borrowed. */
const Tensor *script_check_values(lua_State *L, int index);
/* The metatable of a userdata that owns something until Lua has taken it over. */
void script_new_holder(lua_State *L, const char *name, lua_CFunction close);

/* ---- plans.c ---- */
Plan *script_check_plan(lua_State *L, int index);
/* An output as a number, or nested arrays where it has axes. */
void script_push_value(lua_State *L, const Operand *output);

/* One function of each file that fills the core table on top of the stack. */
void script_open_tensor(lua_State *L);
void script_open_make(lua_State *L);
void script_open_view(lua_State *L);
void script_open_variable(lua_State *L);
void script_open_apply(lua_State *L);
void script_open_trace(lua_State *L);
void script_open_graph_table(lua_State *L);
void script_open_gradients(lua_State *L);
void script_open_plans(lua_State *L);
void script_open_files(lua_State *L);
void script_open_arrays(lua_State *L);
void script_open_pickle(lua_State *L);
void script_open_images(lua_State *L);
void script_open_fit(lua_State *L);
void script_open_http(lua_State *L);
void script_open_identity(lua_State *L);
void script_open_processes(lua_State *L);
void script_open_event(lua_State *L);
void script_open_json(lua_State *L);
void script_open_h5(lua_State *L);

#endif
