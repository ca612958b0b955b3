/* The gradient of a product: for each factor the product of all others, without division,
 * so that zeros are right, at every order of derivative.
 *
 * The factors of a group stand in a row. They are multiplied in pairs, the pairs in
 * pairs, and so on, up to one number (a tree). Back down, the others of a factor are the
 * others of its pair times its partner. That is n work and log2(n) levels. */
#include "graph/ops/rules.h"

enum { LEVELS = 64 };

typedef struct Level {
    NodeId factors; /* (rows, pairs, 2) */
    int64_t count;  /* before an odd row was padded with a 1 */
} Level;

static Shape two_axes(int64_t rows, int64_t columns) {
    return shape_of(2, rows, columns);
}

/* (rows, count) -> (rows, pairs, 2) */
static NodeId make_pairs(Graph *g, NodeId factors, int64_t rows, int64_t count) {
    if (count % 2) {
        Attrs one = {.i = {0, 0, 0, 1}, .f = {1}};
        factors = graph_op(g, OP_pad, &one, 1, &factors);
    }
    Shape shape = shape_of(3, rows, (count + 1) / 2, INT64_C(2));
    return graph_reshape(g, factors, &shape);
}

/* The first or second of each pair: (rows, pairs). */
static NodeId member(Graph *g, NodeId pairs, int64_t rows, int64_t count, int which) {
    Attrs box = {.i = {0, 0, which, 0, 0, 0, rows, count, 1, 0, 0, 0, 1, 1, 1}};
    Shape shape = two_axes(rows, count);
    return graph_reshape(g, graph_op(g, OP_slice, &box, 1, &pairs), &shape);
}

/* (rows, pairs, 2) with the members of each pair exchanged. */
static NodeId swap_members(Graph *g, NodeId pairs, int64_t rows, int64_t count) {
    Attrs box = {.i = {0, 0, 1, 0, 0, 0, rows, count, 2, 0, 0, 0, 1, 1, -1}};
    return graph_op(g, OP_slice, &box, 1, &pairs);
}

/* From d times the others of each pair (rows, pairs) to d times the others of each
 * factor. */
static NodeId descend(Graph *g, NodeId others, const Level *level, int64_t rows) {
    int64_t pairs = (level->count + 1) / 2;
    Shape column = shape_of(3, rows, pairs, INT64_C(1)), row = two_axes(rows, pairs * 2);
    NodeId partner = swap_members(g, level->factors, rows, pairs);
    NodeId each = mul(g, graph_reshape(g, others, &column), partner);
    each = graph_reshape(g, each, &row);
    if (level->count == pairs * 2) return each;
    Attrs box = {.i = {0, 0, 0, 0, 0, 0, rows, level->count, 0, 0, 0, 0, 1, 1}};
    return graph_op(g, OP_slice, &box, 1, &each);
}

/* d (rows, 1) times the product of the other factors of the row, for each of (rows,
 * count). */
static NodeId times_others(Graph *g, NodeId factors, NodeId d, int64_t rows,
                           int64_t count) {
    Level levels[LEVELS];
    int n = 0;
    while (count > 1 && factors != NODE_NONE) {
        int64_t pairs = (count + 1) / 2;
        levels[n] = (Level){make_pairs(g, factors, rows, count), count};
        factors = pairs == 1 ? NODE_NONE
                             : mul(g, member(g, levels[n].factors, rows, pairs, 0),
                                   member(g, levels[n].factors, rows, pairs, 1));
        count = pairs;
        n++;
    }
    while (n-- > 0) d = descend(g, d, &levels[n], rows);
    return d;
}

void grad_prod(Graph *g, GradCall *call) {
    NodeId x = call->in[0];
    Shape shape = graph_type(g, x)->shape, moved = shape;
    uint32_t axes = (uint32_t)call->attrs->i[0];
    int to_end[SHAPE_MAX], back[SHAPE_MAX], n = 0;
    int64_t count = 1;
    for (int reduced = 0; reduced < 2; reduced++)
        for (int k = 0; k < shape.ndim; k++)
            if ((int)(axes >> k & 1) == reduced) to_end[n++] = k;
    for (int k = 0; k < shape.ndim; k++) {
        back[to_end[k]] = k;
        moved.dim[k] = shape.dim[to_end[k]];
        if (axes >> k & 1) count *= shape.dim[k];
    }
    int64_t size = shape_size(&shape);
    if (size == 0) {
        call->din[0] = graph_zeros(g, *graph_type(g, x));
        return;
    }
    Shape rows = two_axes(size / count, count), column = two_axes(size / count, 1);
    NodeId factors = graph_reshape(g, graph_permute(g, x, to_end), &rows);
    NodeId d = graph_reshape(g, call->dout[0], &column);
    NodeId gradient = times_others(g, factors, d, size / count, count);
    call->din[0] = graph_permute(g, graph_reshape(g, gradient, &moved), back);
}
