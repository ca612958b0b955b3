/* The op table. Every operation of cdl is one row of ops.def: enum, dispatch, Lua functions,
 * help, dumps and the gradient tests expand from it.
 *
 * A row has: id, number of inputs (-1: one or more), number of outputs, cast rule, shape rule,
 * gradient rule, kernel, doc. A shape rule gives the types of the outputs from those of the
 * inputs; a gradient rule adds nodes to the graph; neither touches data. */
#ifndef CDL_GRAPH_OP_H
#define CDL_GRAPH_OP_H
#include "kernels/call.h"
#include "tensor/tensor.h"

enum { OP_MAX_OUT = 6, OP_MAX_IN = 64 };

typedef enum OpId {
#define OP(id, n_in, n_out, cast, shape, grad, kernel, doc) OP_##id,
#include "graph/ops.def"
#undef OP
    OP_COUNT,
    /* leaves, and the further outputs of an op with several */
    OP_LEAF_INPUT = OP_COUNT, /* attrs.i[0]: port */
    OP_LEAF_VARIABLE,
    OP_LEAF_CONSTANT, /* a captured tensor */
    OP_OUTPUT         /* output attrs.i[0] of inputs[0] */
} OpId;

typedef struct Type {
    DType dtype;
    Shape shape;
} Type;

/* How the inputs' dtypes are brought together before the shape rule sees them. */
typedef enum CastRule {
    CAST_NONE,   /* as they are */
    CAST_COMMON, /* all to the promoted dtype */
    CAST_ARITH,  /* the same, and bool becomes int64 (api.md 1.3: bool in arithmetic) */
    CAST_FLOAT,  /* the same, and anything but float becomes float32 */
    CAST_BOOL,   /* all to bool (x ~= 0) */
    CAST_SECOND, /* inputs 2.. to their common dtype, input 1 to bool (where) */
    CAST_FLOAT1, /* input 1 alone to float (float32 unless float64) */
    CAST_INDEX /* the last input to int64; floats there must be integral (checked by the cast) */
} CastRule;

typedef struct Graph Graph;
typedef int32_t NodeId;
enum { NODE_NONE = -1 };

/* What a gradient rule is asked: node `out` (outputs are out, out + 1, ...) of op `op`, with
 * the gradients of its outputs (NODE_NONE: that output is not used). It sets din[k] for the
 * inputs that have a gradient (NODE_NONE else), each of the input's own shape and dtype.
 * Only din[k] with need[k] set has to be built. Integer inputs have no gradient. */
typedef struct GradCall {
    OpId op;
    const Attrs *attrs;
    int n_in, n_out;
    const NodeId *in;
    NodeId out;
    const NodeId *dout;
    const bool *need;
    NodeId *din;
} GradCall;

typedef struct OpDef {
    const char *name;
    int n_in, n_out;
    CastRule cast;
    /* out[] has n_out entries. Messages do not begin with the op's name: callers add it. */
    bool (*shape)(const Attrs *attrs, int n_in, const Type in[], Type out[], Err *err);
    void (*grad)(Graph *graph, GradCall *call); /* NULL: not differentiable */
    const Kernel *kernel[3];                    /* by Isa */
    const char *doc;
} OpDef;

extern const OpDef op_table[OP_COUNT];

OpId op_find(const char *name);   /* OP_COUNT: none */
const Kernel *op_kernel(OpId op); /* for the chosen ISA */
const char *op_name(OpId op);     /* leaves too */
/* The dtype that input k must be cast to under the op's rule. weak[k] marks Lua numbers, which
 * take the tensors' dtype (api.md 1.3); weak may be NULL. */
void op_cast(OpId op, int n_in, const Type in[], const bool weak[], const double value[],
             DType to[]);

/* The types of an op's outputs from those of its (already cast) inputs: the row's shape rule,
 * after a check of arity. out has n_out entries. The text has no op name. */
bool op_types(OpId op, const Attrs *attrs, int n_in, const Type in[], Type out[],
              Err *err);

/* Eager: runs the op on concrete tensors (cast by op_cast and made contiguous here), on the
 * pool when it is worth it. Fills out[0..n_out-1]. Views (reshape) share memory. */
bool op_run(OpId op, const Attrs *attrs, int n_in, const Tensor in[], Tensor out[],
            Err *err);

#endif
