/* Nodes that are one pass over memory together. The bits of all results stay the same. */
#include <string.h>
#include "kernels/blas.h"
#include "kernels/isa.h"
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

/* Rows of updates: where their gradient stands among the inputs, behind p and the state; the
 * row that computes it from a product itself, and the one that takes slices of it. */
static const struct {
    OpId update, with_product, with_slices;
    int gradient;
} updates[] = {{OP_sgd_update, OP_matmul_sgd_update, OP_sgd_rows, 1},
               {OP_momentum_update, OP_matmul_momentum_update, OP_momentum_rows, 2},
               {OP_adagrad_update, OP_matmul_adagrad_update, OP_adagrad_rows, 2},
               {OP_rmsprop_update, OP_matmul_rmsprop_update, OP_rmsprop_rows, 4},
               {OP_adam_update, OP_matmul_adam_update, OP_adam_rows, 3}};
enum { UPDATES = sizeof updates / sizeof *updates };

/* The update as the row op, with `instead` where its gradient stood and `last` behind all. */
static bool rewrite_update(Draft *draft, Node *update, OpId op, int gradient,
                           NodeId instead, NodeId last) {
    const size_t n = (size_t)update->n_in;
    NodeId *in = arena_alloc(&draft->arena, (n + 1) * sizeof *in);
    if (!in) return false;
    memcpy(in, update->in, n * sizeof *in);
    in[gradient] = instead;
    in[n] = last;
    update->op = op;
    update->in = in;
    update->n_in++;
    return true;
}

/* Gradients of fewer elements stay in the cache anyway. Rows of so many columns fall on one
 * another in the first level cache. */
enum { LARGE = 4096, ALIKE = 1024 };

/* A large product of two matrices as they lie. Below AVX-512 the library computes the
 * largest ones, whose bits are others; and where rows of b fall on one another b is packed,
 * which would be done again and again. */
static bool is_plain_product(const Draft *draft, const Node *node) {
    if (node->op != OP_matmul) return false;
    const Shape *a = &draft->nodes[node->in[0]].type.shape;
    const Shape *b = &draft->nodes[node->in[1]].type.shape;
    const int64_t size = shape_size(&node->type.shape);
    if (a->ndim != 2 || b->ndim != 2 || size < LARGE) return false;
    if (isa_get() == ISA_AVX512) return true;
    double work = (double)size * (double)a->dim[node->attrs->i[0] ? 0 : 1];
    return work < BLAS_WORK && b->dim[1] % ALIKE != 0;
}

/* A gradient that is a product is used block by block. */
static bool join_product(Draft *draft, Node *update, int row, NodeId below) {
    const Node *product = &draft->nodes[below];
    if (!is_plain_product(draft, product)) return true;
    Attrs *attrs = arena_alloc(&draft->arena, sizeof *attrs);
    if (!attrs || !rewrite_update(draft, update, updates[row].with_product,
                                  updates[row].gradient, product->in[0], product->in[1]))
        return false;
    *attrs = *update->attrs;
    attrs->i[2] = product->attrs->i[0];
    attrs->i[3] = product->attrs->i[1];
    update->attrs = attrs;
    update->path = product->path;
    draft->live[below] = false;
    return true;
}

/* A table of which a batch uses some rows (an embedding) has a gradient that is 0 but for
 * these: scatter(slices, indices) writes it out, as large as the table, and the update reads
 * it. Instead the update takes the slices, and the indices in order, and adds them up where
 * they belong. */
static bool join_slices(Draft *draft, Node *update, int row, NodeId below) {
    Node *scatter = &draft->nodes[below];
    if (scatter->attrs->i[0] != 0) return true;
    NodeId *indices = arena_alloc(&draft->arena, sizeof *indices);
    Attrs *attrs = arena_alloc(&draft->arena, sizeof *attrs);
    if (!indices || !attrs ||
        !rewrite_update(draft, update, updates[row].with_slices, updates[row].gradient,
                        scatter->in[0], below))
        return false;
    update->path = scatter->path;
    *indices = scatter->in[1];
    *attrs = (Attrs){.i = {scatter->attrs->i[1]}};
    const int64_t count = shape_size(&draft->nodes[*indices].type.shape);
    scatter->op = OP_index_order;
    scatter->type = (Type){DTYPE_INT64, {2, {2, count}}};
    scatter->attrs = attrs;
    scatter->n_in = 1;
    scatter->in = indices;
    return true;
}

/* An update that alone reads its gradient computes it itself. A gradient that is clipped,
 * scaled, fetched or added to another one (a penalty, a weight used twice) has other readers,
 * and stays a tensor. */
static bool join_update(Draft *draft, NodeId id, const int32_t readers[]) {
    Node *update = &draft->nodes[id];
    int row = 0;
    while (row < UPDATES && updates[row].update != update->op) row++;
    if (row == UPDATES) return true;
    const NodeId below = update->in[updates[row].gradient];
    if (readers[below] > 1) return true;
    return draft->nodes[below].op == OP_scatter ? join_slices(draft, update, row, below)
                                                : join_product(draft, update, row, below);
}

bool draft_fuse(Draft *draft) {
    int32_t *readers;
    if (!count_readers(draft, &readers)) return false;
    for (NodeId id = 0; id < draft->count; id++)
        if (draft->live[id] &&
            (!join_conv_and_pool(draft, id, readers) || !join_update(draft, id, readers)))
            return false;
    return true;
}
