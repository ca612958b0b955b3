/* Nodes that are one pass over memory together. The bits of all results stay the same. */
#include <string.h>
#include "plan/internal.h"

/* How often each node is read, by live nodes and from outside. */
static bool count_readers(Draft *draft, int32_t **readers) {
    int32_t *count =
        arena_alloc(&draft->arena, ((size_t)draft->count + 1) * sizeof *count);
    if (!count) return false;
    for (NodeId id = 0; id < draft->count; id++) count[id] = 0;
    for (int k = 0; k < draft->n_out; k++) count[draft->out[k]]++;
    for (int k = 0; k < draft->n_stores; k++) count[draft->stores[k].value]++;
    for (NodeId id = 0; id < draft->count; id++) {
        const Node *node = &draft->nodes[id];
        for (int k = 0; draft->live[id] && k < node->n_in; k++) count[node->in[k]]++;
    }
    *readers = count;
    return true;
}

/* Would places of the input be computed for several windows? */
static bool windows_overlap(const Attrs *pool, int axes) {
    for (int k = 0; k < axes; k++)
        if (pool->i[k] < pool->i[9 + k]) return true;
    return false;
}

/* A convolution that a pooling alone reads is pooled while it is in the cache. */
static bool join_conv_and_pool(Draft *draft, NodeId id, const int32_t readers[]) {
    Node *pool = &draft->nodes[id];
    if (pool->op != OP_max_pool && pool->op != OP_average_pool) return true;
    const NodeId below = pool->in[0];
    const Node *conv = &draft->nodes[below];
    if (conv->op != OP_conv_bias || readers[below] > 1 ||
        windows_overlap(pool->attrs, conv->type.shape.ndim - 2))
        return true;
    Attrs *attrs = arena_alloc(&draft->arena, sizeof *attrs);
    if (!attrs) return false;
    *attrs = *conv->attrs;
    memcpy(attrs->i + 14, pool->attrs->i, 12 * sizeof *attrs->i);
    attrs->i[26] = pool->op == OP_average_pool;
    *pool = (Node){.op = OP_conv_pool,
                   .type = pool->type,
                   .attrs = attrs,
                   .n_in = conv->n_in,
                   .in = conv->in,
                   .where = conv->where,
                   .path = conv->path};
    draft->live[below] = false;
    return true;
}

bool draft_fuse(Draft *draft) {
    int32_t *readers;
    if (!count_readers(draft, &readers)) return false;
    for (NodeId id = 0; id < draft->count; id++)
        if (draft->live[id] && !join_conv_and_pool(draft, id, readers)) return false;
    return true;
}
