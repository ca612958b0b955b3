/* The graph as the plan wants it: equal nodes joined, small constants computed once,
 * needless broadcasts dropped, dead nodes left out. Nothing here changes a bit of any
 * result. */
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "graph/call_setup.h"
#include "plan/internal.h"

/* Constants of up to so many elements are computed when the plan is made, and compared.
 */
enum { FOLD_SIZE = 64 };

typedef struct Table {
    NodeId *slot; /* NODE_NONE: free */
    uint64_t mask;
} Table;

static const Attrs no_attrs;

bool plan_no_memory(Err *err) { return err_set(err, "out of memory for the plan"); }

NodeId draft_base(const Draft *draft, NodeId node) {
    const Node *n = &draft->nodes[node];
    while (draft->optimize && (n->op == OP_reshape || n->op == OP_stop_gradient)) {
        node = n->in[0];
        n = &draft->nodes[node];
    }
    return node;
}

NodeId draft_producer(const Draft *draft, NodeId node) {
    node = draft_base(draft, node);
    const Node *n = &draft->nodes[node];
    return n->op == OP_OUTPUT ? n->in[0] : node;
}

bool draft_can_fail(const Draft *draft, NodeId id) {
    const Node *node = &draft->nodes[id];
    if (node->op >= OP_COUNT || !(op_kernel(node->op)->flags & KERNEL_FAULTS))
        return false;
    /* These rows fail for some dtypes or attributes only, and are everywhere. */
    if (node->op == OP_cast)
        return node->attrs->i[1] && dtype_is_float(draft->nodes[node->in[0]].type.dtype);
    if (node->op == OP_floordiv || node->op == OP_mod)
        return !dtype_is_float(node->type.dtype);
    return true;
}

static bool is_small(const Type *type) { return shape_size(&type->shape) <= FOLD_SIZE; }

static const void *constant_bytes(const Node *node, size_t *bytes) {
    *bytes = tensor_bytes(&node->constant);
    return node->constant.data;
}

static uint64_t mix(uint64_t hash, uint64_t other) {
    hash = (hash ^ other) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

static uint64_t node_hash(const Node *node) {
    uint64_t hash = mix((uint64_t)node->op, (uint64_t)node->type.dtype);
    if (node->op == OP_LEAF_CONSTANT) {
        size_t bytes;
        const void *data = constant_bytes(node, &bytes);
        return mix(hash, hash_bytes(data, bytes));
    }
    hash = mix(hash, hash_bytes(node->attrs, sizeof *node->attrs));
    return mix(hash, hash_bytes(node->in, (size_t)node->n_in * sizeof *node->in));
}

static bool node_equal(const Node *a, const Node *b) {
    if (a->op != b->op || a->n_in != b->n_in || a->type.dtype != b->type.dtype ||
        !shape_equal(&a->type.shape, &b->type.shape))
        return false;
    if (a->op == OP_LEAF_CONSTANT) {
        size_t bytes, same;
        const void *x = constant_bytes(a, &bytes), *y = constant_bytes(b, &same);
        return memcmp(x, y, bytes) == 0;
    }
    return memcmp(a->attrs, b->attrs, sizeof *a->attrs) == 0 &&
           memcmp(a->in, b->in, (size_t)a->n_in * sizeof *a->in) == 0;
}

/* An earlier node that computes the same, or the node itself, which is then remembered.
 */
static NodeId table_find(Table *table, const Node *nodes, NodeId node) {
    uint64_t at = node_hash(&nodes[node]) & table->mask;
    for (; table->slot[at] != NODE_NONE; at = (at + 1) & table->mask)
        if (node_equal(&nodes[table->slot[at]], &nodes[node])) return table->slot[at];
    table->slot[at] = node;
    return node;
}

/* Ops whose inputs broadcast by themselves: an input that is a broadcast_to can be
 * replaced by what it repeats, if the others still give the output its shape. */
static bool broadcasts(OpId op) {
    return op_table[op].shape == op_table[OP_add].shape ||
           op_table[op].shape == op_table[OP_eq].shape ||
           op_table[op].shape == op_table[OP_where].shape;
}

static void drop_expansions(Draft *draft, Node *node, NodeId *in) {
    Type types[OP_MAX_IN], out[OP_MAX_OUT];
    for (int k = 0; k < node->n_in; k++) types[k] = draft->nodes[in[k]].type;
    for (int k = 0; k < node->n_in; k++) {
        const Node *expanded = &draft->nodes[in[k]];
        if (expanded->op != OP_broadcast_to) continue;
        Type before = types[k];
        types[k] = draft->nodes[expanded->in[0]].type;
        if (op_types(node->op, node->attrs, node->n_in, types, out, NULL) &&
            out[0].dtype == node->type.dtype &&
            shape_equal(&out[0].shape, &node->type.shape))
            in[k] = expanded->in[0];
        else
            types[k] = before;
    }
}

/* relu_grad(y, max_pool_grad(y, dy)) is one pass: a window's maximum says whether the relu
 * let anything through. */
static bool join_pool_and_relu(Draft *draft, Node *node, NodeId *in) {
    if (node->op != OP_relu_grad) return true;
    const Node *pool = &draft->nodes[in[1]];
    if (pool->op != OP_max_pool_grad || pool->in[0] != in[0]) return true;
    Attrs *attrs = arena_alloc(&draft->arena, sizeof *attrs);
    if (!attrs) return false;
    *attrs = *pool->attrs;
    attrs->i[15] = 1;
    node->op = OP_max_pool_grad;
    node->attrs = attrs;
    in[1] = pool->in[1];
    return true;
}

/* Computes a small node all of whose inputs are constants that cannot change. */
static bool fold(Draft *draft, NodeId id, Err *err) {
    Node *node = &draft->nodes[id];
    if (op_table[node->op].n_out != 1 || draft_can_fail(draft, id) || node->n_in < 1 ||
        node->n_in > OP_MAX_IN || !is_small(&node->type))
        return true;
    Tensor in[OP_MAX_IN], result;
    for (int k = 0; k < node->n_in; k++) {
        if (!draft->fixed[node->in[k]]) return true;
        in[k] = draft->nodes[node->in[k]].constant;
    }
    if (!op_run(node->op, node->attrs, node->n_in, in, &result, err)) return false;
    draft->folded[draft->n_folded++] = result;
    node->op = OP_LEAF_CONSTANT;
    node->n_in = 0;
    node->constant = result;
    draft->fixed[id] = true;
    return true;
}

static bool is_fixed(const Node *node) {
    return node->op == OP_LEAF_CONSTANT && node->constant.buffer->references == 1 &&
           tensor_is_contiguous(&node->constant) && is_small(&node->type);
}

static bool take_node(Draft *draft, Table *table, NodeId id, Err *err) {
    Node *node = &draft->nodes[id];
    *node = draft->graph->nodes[id];
    if (!node->attrs) node->attrs = &no_attrs;
    draft->same[id] = id;
    if (node->n_in) {
        NodeId *in = arena_alloc(&draft->arena, (size_t)node->n_in * sizeof *in);
        if (!in) return plan_no_memory(err);
        for (int k = 0; k < node->n_in; k++) in[k] = draft->same[node->in[k]];
        if (draft->optimize && node->op < OP_COUNT && broadcasts(node->op))
            drop_expansions(draft, node, in);
        if (draft->optimize && !join_pool_and_relu(draft, node, in))
            return plan_no_memory(err);
        node->in = in;
    }
    if (!draft->optimize) return true;
    if (node->op == OP_OUTPUT) {
        /* Outputs stand behind their node, also behind the one that now stands for it. */
        draft->same[id] = node->in[0] + (NodeId)node->attrs->i[0];
        return true;
    }
    draft->fixed[id] = is_fixed(node);
    if (node->op < OP_COUNT && !fold(draft, id, err)) return false;
    if (node->op < OP_COUNT || draft->fixed[id])
        draft->same[id] = table_find(table, draft->nodes, id);
    return true;
}

static void mark_live(Draft *draft) {
    for (int k = 0; k < draft->n_out; k++) draft->live[draft->out[k]] = true;
    for (int k = 0; k < draft->n_stores; k++) draft->live[draft->stores[k].value] = true;
    for (NodeId id = draft->count - 1; id >= 0; id--) {
        const Node *node = &draft->nodes[id];
        if (!draft->optimize && node->op < OP_COUNT) draft->live[id] = true;
        if (!draft->live[id]) continue;
        for (int k = 0; k < node->n_in; k++) draft->live[node->in[k]] = true;
    }
}

static bool take_stores(Draft *draft, int n_stores, const PlanStore stores[], Err *err) {
    for (int k = 0; k < n_stores; k++) {
        bool again = false; /* the last store to a variable wins */
        for (int later = k + 1; later < n_stores && !again; later++)
            again = stores[later].variable == stores[k].variable;
        if (again) continue;
        const Tensor *to = &stores[k].variable->value;
        const Type *type = &draft->graph->nodes[stores[k].value].type;
        if (type->dtype != to->dtype || !shape_equal(&type->shape, &to->shape)) {
            char have[SHAPE_TEXT], want[SHAPE_TEXT];
            return err_set(err, "variable '%s' is %s%s, the value assigned to it %s%s",
                           stores[k].variable->path, dtype_name(to->dtype),
                           shape_text(&to->shape, want), dtype_name(type->dtype),
                           shape_text(&type->shape, have));
        }
        NodeId value = draft->same[stores[k].value];
        const Node *base = &draft->nodes[draft_base(draft, value)];
        if (base->op == OP_LEAF_VARIABLE && base->variable == stores[k].variable)
            continue;
        draft->stores[draft->n_stores++] = (PlanStore){stores[k].variable, value};
    }
    return true;
}

static bool draft_fill(Draft *draft, int n_out, const NodeId out[], int n_stores,
                       const PlanStore stores[], Err *err) {
    size_t n = (size_t)draft->count, slots = 16;
    while (slots < 2 * n) slots *= 2;
    Table table = {arena_alloc(&draft->arena, slots * sizeof *table.slot), slots - 1};
    draft->nodes = arena_alloc(&draft->arena, (n + 1) * sizeof *draft->nodes);
    draft->same = arena_alloc(&draft->arena, (n + 1) * sizeof *draft->same);
    draft->live = arena_alloc(&draft->arena, n + 1);
    draft->fixed = arena_alloc(&draft->arena, n + 1);
    draft->folded = arena_alloc(&draft->arena, (n + 1) * sizeof *draft->folded);
    draft->out = arena_alloc(&draft->arena, ((size_t)n_out + 1) * sizeof *draft->out);
    draft->stores =
        arena_alloc(&draft->arena, ((size_t)n_stores + 1) * sizeof *draft->stores);
    if (!table.slot || !draft->nodes || !draft->same || !draft->live || !draft->fixed ||
        !draft->folded || !draft->out || !draft->stores)
        return plan_no_memory(err);
    for (size_t k = 0; k < slots; k++) table.slot[k] = NODE_NONE;
    for (NodeId id = 0; id < draft->count; id++)
        if (!take_node(draft, &table, id, err)) return false;
    for (int k = 0; k < n_out; k++) draft->out[draft->n_out++] = draft->same[out[k]];
    if (!take_stores(draft, n_stores, stores, err)) return false;
    mark_live(draft);
    return !draft->optimize || draft_fuse(draft) || plan_no_memory(err);
}

bool draft_new(Draft *draft, const Graph *graph, bool optimize, int n_out,
               const NodeId out[], int n_stores, const PlanStore stores[], Err *err) {
    *draft = (Draft){.graph = graph, .optimize = optimize, .count = graph->count};
    return draft_fill(draft, n_out, out, n_stores, stores, err);
}

void draft_free(Draft *draft) {
    for (int k = 0; k < draft->n_folded; k++) tensor_release(&draft->folded[k]);
    arena_free(&draft->arena);
}
