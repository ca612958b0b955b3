/* A graph: the ops of one traced function, in program order. Nodes are numbered; node k uses
 * only nodes below k, so the order of numbers is an order of execution.
 *
 * Errors are sticky: builders take NODE_NONE and return NODE_NONE, the first error stays in
 * graph->err with the script's line; check once at the end (the Lua binding checks at once).
 *
 *     Graph *g = graph_new();
 *     NodeId x = graph_input(g, 0, type), w = graph_variable(g, variable);
 *     NodeId y = graph_op2(g, OP_matmul, x, w);
 *     if (g->err.set) ...
 *     graph_free(g); */
#ifndef CDL_GRAPH_GRAPH_H
#define CDL_GRAPH_GRAPH_H
#include "base/arena.h"
#include "graph/op.h"
#include "graph/variable.h"

typedef struct Node {
    OpId op;
    int n_in;
    const NodeId *in;
    const Attrs *attrs; /* never NULL */
    Type type;
    Variable *variable; /* OP_LEAF_VARIABLE; retained */
    Tensor constant; /* OP_LEAF_CONSTANT; retained, captured by reference, any strides */
    bool number;     /* a constant made by graph_number: nobody can change it */
    const char *where; /* "script.lua:12" or "" ; interned in the graph */
    const char *path;  /* layer path or "" */
} Node;

enum { GRAPH_SLOTS = 64 };

struct Graph {
    Err err;
    Node *nodes;
    NodeId count, room;
    const char *where,
        *path; /* given to new nodes; set by the binding, and by gradients */
    Arena arena;
    struct GraphName *names[GRAPH_SLOTS]; /* interned text, by hash */
    struct GraphVariable *variables;      /* the nodes of variables */
    NodeId numbers[GRAPH_SLOTS]; /* recent number constants, by hash; 0 or node + 1 */
};

Graph *graph_new(void); /* NULL: no memory */
void graph_free(Graph *graph);
void graph_locate(Graph *graph, const char *where,
                  const char *path); /* for the nodes to come */

NodeId graph_input(Graph *g, int port, Type type);
NodeId graph_variable(Graph *g, Variable *variable); /* one node per variable */
NodeId graph_constant(Graph *g, const Tensor *tensor);
/* A scalar constant. Integers wrap; equal numbers may share a node. */
NodeId graph_number(Graph *g, DType dtype, double value);

/* Any op: casts the inputs by the op's rule, applies the shape rule, adds the node and, for ops
 * with several outputs, an OP_OUTPUT node for each further one (result + 1, + 2 ...). Folds the
 * trivial cases (cast to the same dtype, reshape to the same shape). attrs may be NULL. */
NodeId graph_op(Graph *g, OpId op, const Attrs *attrs, int n_in, const NodeId in[]);
NodeId graph_op1(Graph *g, OpId op, NodeId a);
NodeId graph_op2(Graph *g, OpId op, NodeId a, NodeId b);
NodeId graph_op3(Graph *g, OpId op, NodeId a, NodeId b, NodeId c);
static inline const Type *graph_type(const Graph *g, NodeId n) {
    return &g->nodes[n].type;
}

/* Conveniences for gradient rules. All accept NODE_NONE. */
NodeId graph_cast(Graph *g, NodeId a, DType dtype);
NodeId graph_reshape(Graph *g, NodeId a, const Shape *shape);
NodeId graph_expand(Graph *g, NodeId a, const Shape *shape);        /* broadcast_to */
NodeId graph_sum(Graph *g, NodeId a, uint32_t axes, bool keepdims); /* bit k: axis k */
NodeId graph_sum_to(Graph *g, NodeId a, const Shape *shape); /* undoes a broadcast */
NodeId graph_permute(Graph *g, NodeId a, const int perm[]);
NodeId graph_zeros(Graph *g, Type type);
NodeId graph_scale(Graph *g, NodeId a, double factor); /* a * number */
NodeId graph_shift(Graph *g, NodeId a, double number); /* a + number */

/* Gradients of sum(ys) with respect to xs (any nodes, also ones between others): dx[k], or
 * NODE_NONE where no y depends on xs[k]; stop_gradient, integers and bools cut, while ops that
 * are flat everywhere (floor, sign) give zeros. seeds: gradient of each y; NULL, or NODE_NONE
 * in it, for ones. Nodes added here take their forward node's line and path. False:
 * graph->err is set and dx untouched. */
bool graph_gradients(Graph *g, int n_y, const NodeId y[], const NodeId seeds[], int n_x,
                     const NodeId x[], NodeId dx[]);

/* Checks the invariants (order, arity, types as the shape rules give them): debug builds. */
bool graph_verify(const Graph *g, Err *err);
/* One node a line: "%7 float32{128, 512} = dense(%1, %2, %3)  # model/dense  train.lua:12". */
char *graph_dump(const Graph *g); /* mem_free; NULL: no memory */

#endif
