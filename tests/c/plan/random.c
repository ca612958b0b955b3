/* Random graphs: planned equals eager, bit for bit, optimised or not, poisoned or not,
 * and with 1, 2 and 5 threads. */
#include "base/pool.h"
#include "support.h"

enum { GRAPHS = 200, PORTS = 3, MAX_NODES = 400 };

typedef struct Pool {
    NodeId node[MAX_NODES];
    int count;
} Pool;

static NodeId pick(const Pool *pool) { return pool->node[draw(pool->count)]; }

/* Another node that broadcasts with a, or a itself. */
static NodeId pick_partner(const Graph *g, const Pool *pool, NodeId a) {
    for (int tries = 0; tries < 6; tries++) {
        NodeId b = pick(pool);
        Shape shape;
        if (shape_broadcast(&graph_type(g, a)->shape, &graph_type(g, b)->shape, &shape,
                            NULL) &&
            shape_size(&shape) < 60000)
            return b;
    }
    return a;
}

static NodeId grow_elementwise(Graph *g, const Pool *pool) {
    static const OpId unary[] = {OP_neg,   OP_abs,    OP_relu,
                                 OP_tanh,  OP_square, OP_sigmoid,
                                 OP_floor, OP_sign,   OP_stop_gradient};
    static const OpId binary[] = {OP_add, OP_sub, OP_mul, OP_maximum, OP_minimum, OP_add};
    NodeId a = pick(pool), b = pick_partner(g, pool, a);
    switch (draw(5)) {
    case 0:
        return graph_op1(g, unary[draw(sizeof unary / sizeof *unary)], a);
    case 1:
        return graph_op3(g, OP_where, graph_op2(g, OP_gt, a, b), a, b);
    case 2:
        return graph_scale(g, a, (double)draw(5) - 2);
    default:
        return graph_op2(g, binary[draw(sizeof binary / sizeof *binary)], a, b);
    }
}

static NodeId grow_shape(Graph *g, const Pool *pool) {
    NodeId a = pick(pool);
    Shape shape = graph_type(g, a)->shape, other = {0};
    int64_t size = shape_size(&shape), rows = shape.ndim ? shape.dim[0] : 1;
    switch (draw(4)) {
    case 0:
        other = shape_of(1, size);
        return graph_reshape(g, a, &other);
    case 1:
        other = shape_of(2, rows, size / rows);
        return graph_reshape(g, a, &other);
    case 2: {
        int perm[SHAPE_MAX];
        for (int k = 0; k < shape.ndim; k++) perm[k] = shape.ndim - 1 - k;
        return graph_permute(g, a, perm);
    }
    default:
        if (size > 30000 || shape.ndim > 3) return a;
        other.ndim = shape.ndim + 1;
        other.dim[0] = 2;
        for (int k = 0; k < shape.ndim; k++) other.dim[k + 1] = shape.dim[k];
        return graph_expand(g, a, &other);
    }
}

static NodeId grow_other(Graph *g, const Pool *pool) {
    NodeId a = pick(pool);
    const Shape *shape = &graph_type(g, a)->shape;
    if (shape->ndim == 0) return graph_op1(g, OP_neg, a);
    switch (draw(4)) {
    case 0:
        return graph_sum(g, a, 1u << draw(shape->ndim), draw(2));
    case 1: {
        Attrs attrs = {.i = {1 << draw(shape->ndim), draw(2)}};
        return graph_op(g, draw(2) ? OP_max : OP_mean, &attrs, 1, &a);
    }
    case 2: {
        Attrs attrs = {.i = {shape->ndim - 1, draw(2)}};
        return graph_op(g, OP_sort, &attrs, 1, &a);
    }
    default: {
        if (shape->ndim != 2) return graph_op1(g, OP_softmax, a);
        Attrs attrs = {.i = {1, 0}}; /* a' b with b of as many rows */
        NodeId b = pick(pool), in[2] = {a, a};
        const Shape *other = &graph_type(g, b)->shape;
        if (other->ndim == 2 && other->dim[0] == shape->dim[0] &&
            shape->dim[1] * other->dim[1] < 60000)
            in[1] = b;
        else if (shape->dim[1] > 250)
            return graph_op1(g, OP_abs, a);
        return graph_op(g, OP_matmul, &attrs, 2, in);
    }
    }
}

/* A graph over three ports, two variables, captured tensors and numbers. */
static void grow(Graph *g, Pool *pool, const Tensor ports[], Variable *v[2],
                 const Tensor *captured) {
    for (int p = 0; p < PORTS; p++)
        pool->node[pool->count++] =
            graph_input(g, p, type_of(ports[p].dtype, ports[p].shape));
    pool->node[pool->count++] = graph_variable(g, v[0]);
    pool->node[pool->count++] = graph_variable(g, v[1]);
    pool->node[pool->count++] = graph_constant(g, captured);
    pool->node[pool->count++] = graph_number(g, DTYPE_FLOAT32, 0.5);
    int steps = 5 + (int)draw(60);
    for (int k = 0; k < steps; k++) {
        int64_t kind = draw(10);
        NodeId node = kind < 6   ? grow_elementwise(g, pool)
                      : kind < 8 ? grow_shape(g, pool)
                                 : grow_other(g, pool);
        if (node == NODE_NONE) return;
        /* Further outputs are picked too, cast back to floats. */
        pool->node[pool->count++] = node;
        if (node + 1 < g->count && g->nodes[node + 1].op == OP_OUTPUT && draw(2))
            pool->node[pool->count++] = graph_cast(g, node + 1, DTYPE_FLOAT32);
    }
}

static bool run_and_compare(Plan *plan, const Tensor ports[], const Tensor want[],
                            int n_out, Variable *v[2], const Tensor old[2],
                            const Tensor *changed[2]) {
    bool good = true;
    for (int k = 0; k < 2; k++) tensor_assign(&v[k]->value, &old[k], NULL);
    for (int p = 0; p < PORTS; p++) plan_bind(plan, p, ports[p].data);
    good = plan_run(plan, NULL);
    for (int k = 0; k < n_out; k++)
        good = good && same_bits(plan_output(plan, k), &want[k]);
    for (int k = 0; k < 2; k++)
        good = good &&
               memcmp(v[k]->value.data, changed[k]->data, tensor_bytes(changed[k])) == 0;
    return good;
}

/* A node that variable v could become: of its type, or made so. */
static NodeId new_value(Graph *g, const Pool *pool, const Variable *v) {
    for (int tries = 0; tries < 30; tries++) {
        NodeId node = pick(pool);
        if (shape_equal(&graph_type(g, node)->shape, &v->value.shape)) return node;
    }
    NodeId any = pick(pool);
    NodeId sum = graph_sum(g, any, (1u << graph_type(g, any)->shape.ndim) - 1, false);
    return graph_expand(g, sum, &v->value.shape);
}

static bool planned_as_eager(void) {
    Graph *g = graph_new();
    Pool pool = {.count = 0};
    Shape shapes[4] = {shape_of(2, 40L, 90L), shape_of(2, 100L, 200L), shape_of(1, 90L),
                       shape_of(3, 7L, 1L, 90L)};
    Tensor ports[PORTS], old[2], captured = random_tensor(DTYPE_FLOAT32, shapes[0]),
                                 turned;
    Variable *v[2];
    for (int p = 0; p < PORTS; p++)
        ports[p] = random_tensor(DTYPE_FLOAT32, shapes[draw(4)]);
    for (int k = 0; k < 2; k++) {
        v[k] = random_variable("v", DTYPE_FLOAT32, shapes[draw(3)]);
        tensor_copy(&v[k]->value, &old[k], NULL);
    }
    tensor_permute(&captured, (int[]){1, 0}, &turned, NULL);
    grow(g, &pool, ports, v, &turned);
    NodeId out[4];
    int n_out = (int)draw(5);
    for (int k = 0; k < n_out; k++) out[k] = pick(&pool);
    PlanStore stores[2];
    for (int k = 0; k < 2; k++) stores[k] = (PlanStore){v[k], new_value(g, &pool, v[k])};

    Err err = {0};
    Tensor *value = calloc((size_t)g->count, sizeof *value), want[4];
    bool good = !g->err.set && eager_run(g, ports, value, &err);
    if (!good) fprintf(stderr, "eager: %s%s\n", g->err.text, err.text);
    const Tensor *changed[2] = {&value[stores[0].value], &value[stores[1].value]};
    Tensor flat[2] = {{0}, {0}};
    for (int k = 0; good && k < n_out; k++) want[k] = value[out[k]];
    for (int k = 0; good && k < 2; k++) {
        tensor_contiguous(changed[k], &flat[k], NULL);
        changed[k] = &flat[k];
    }
    for (int variant = 0; good && variant < 4; variant++) {
        plan_set_optimize(variant < 3);
        Plan *plan = plan_new(g, PORTS, n_out, out, 2, stores, &err);
        plan_set_optimize(true);
        plan_set_poison(variant == 2);
        for (int again = 0; good && again < 2; again++) {
            good = plan && run_and_compare(plan, ports, want, n_out, v, old, changed);
            if (good || !plan) continue;
            char *graph = graph_dump(g), *text = plan_dump(plan);
            fprintf(stderr, "variant %d differs\n%s%s", variant, graph, text);
        }
        PlanInfo info = plan_info(plan);
        CHECK(info.scratch_bytes >= info.lower_bound);
        plan_free(plan);
        plan_set_poison(false);
    }
    release_all(g->count, value);
    free(value);
    release_all(2, flat);
    release_all(PORTS, ports);
    release_all(2, old);
    for (int k = 0; k < 2; k++) variable_release(v[k]);
    graph_free(g);
    tensor_release(&captured);
    tensor_release(&turned);
    return good;
}

static void random_graphs(void) {
    static const int threads[] = {1, 2, 5};
    plan_set_share_all(true);
    for (int k = 0; k < 3; k++) {
        pool_set_threads(threads[k]);
        for (int graph = 0; graph < (k == 0 ? GRAPHS : GRAPHS / 4); graph++) {
            bool good = planned_as_eager();
            CHECK(good);
            if (!good) return; /* one dump is enough to read */
        }
    }
    pool_stop();
    plan_release_scratch();
    tensor_trim();
    CHECK(tensor_alive() == 0);
}

TEST_MAIN(random_graphs)
