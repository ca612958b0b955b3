/* The userdata behind every tensor in Lua that is not symbolic, and the trace that is going on.
 * Private to tensor.c, variable.c, apply.c and trace.c. */
#ifndef CDL_SCRIPT_VALUE_H
#define CDL_SCRIPT_VALUE_H
#include "script/script.h"

typedef enum ValueKind { VALUE_CLOSED, VALUE_EAGER, VALUE_TRACED } ValueKind;

/* metatable "cdl.tensor"; user value 1 holds the mask, if any */
typedef struct Value {
    ValueKind kind;
    Tensor tensor; /* eager */
    int64_t
        trace;   /* traced: number of its trace; eager: of the trace that made it, or 0 */
    NodeId node; /* traced: its node there */
} Value;

#define VALUE_META    "cdl.tensor"
#define VARIABLE_META "cdl.variable"
#define PLAN_META     "cdl.plan"

/* What a variable stands for in a trace: its versions in program order. */
typedef struct Binding {
    Variable *variable;
    NodeId *version; /* version[0] is the read of the variable itself */
    int versions, room;
} Binding;

/* An eager tensor that the trace has captured; chained by the hash of its address. */
typedef struct Captured {
    NodeId node;
    int32_t next; /* -1: the last of its chain */
} Captured;

enum { CAPTURED_SLOTS = 64 };

typedef struct Trace {
    int64_t number; /* unique; handles of a finished trace never match again */
    Graph *graph;
    Binding *bindings;
    int n_bindings, room;
    Variable **remap; /* pairs: a variable and the one that takes its place here */
    int n_remap;
    Captured *captured;
    int n_captured, captured_room;
    int32_t captured_slot[CAPTURED_SLOTS]; /* first of each chain, plus 1; 0: none */
    struct Trace *outer;
} Trace;

/* What belongs to one lua_State; reached through its extra space. */
typedef struct Vm {
    Trace *trace;    /* the one that is going on, or NULL */
    int64_t traces;  /* number of the last one */
    char where[256]; /* script line that core.set_where names; "" : look at the stack */
    int where_depth; /* frames that stood below when it was set, and on which stack */
    lua_State *where_state;
    char path[512];    /* layer path that core.set_path names */
    size_t owed;       /* tensor bytes pushed since the collector last moved */
    char starved[256]; /* script line at which Lua was last refused memory */
} Vm;

static inline Vm *vm_get(lua_State *L) { return *(Vm **)lua_getextraspace(L); }

Trace *trace_get(lua_State *L); /* the current one; raises when there is none */
NodeId trace_output(lua_State *L, int index); /* a tensor, variable or number as a node */
/* Raises when the trace of a traced value is over or is not the current one. */
NodeId trace_node(lua_State *L, const Value *value);
NodeId trace_read(lua_State *L, Variable *variable); /* the newest version */
/* The node of an eager tensor in the current trace: captured by reference. The same tensor (memory,
 * shape, strides) has one node, so that gradients with respect to it find it. */
NodeId trace_capture(lua_State *L, const Tensor *tensor);
void trace_assign(lua_State *L, Variable *variable, NodeId value);
const Binding *trace_binding(lua_State *L,
                             Variable *variable); /* NULL: not touched yet */
/* Gives the nodes to come the script's line and the layer path. */
void trace_locate(lua_State *L);
/* Raises the graph's error, if there is one. */
void trace_check(lua_State *L);

/* Runs body under a new trace with the three arguments on the stack; one result. */
int trace_with(lua_State *L, lua_CFunction body);
/* For such a body. Stack: function, list of specs, remap. Calls the function with traced inputs;
 * leaves its result, a list of outputs, on top. */
void trace_call(lua_State *L);

Value *value_check(lua_State *L, int index); /* any tensor but symbolic */
Value *value_to(lua_State *L, int index);    /* NULL when it is none */
void value_push_node(lua_State *L, NodeId node);
/* Dtype and shape; `eager` is room for them. */
const Type *value_type(lua_State *L, Value *value, Type *eager);
bool value_fits(DType dtype, double x); /* x can be an element of that dtype */
/* Raises when a cast to an integer dtype would cut or clip an element. */
void value_check_cast(lua_State *L, const Tensor *from, DType dtype);

#endif
