/* Where threads must meet, and where they need not. */
#include "base/mem.h"
#include "support.h"

static NodeId vector(Graph *g, int port, int64_t n) {
    return graph_input(g, port, type_of(DTYPE_FLOAT32, shape_of(1, n)));
}

static int barriers_of(Graph *g, int n_out, const NodeId out[]) {
    Plan *plan = plan_new(g, 2, n_out, out, 0, NULL, NULL);
    int barriers = plan_info(plan).barriers;
    plan_free(plan);
    graph_free(g);
    return barriers;
}

/* Elementwise steps over the same elements never wait, whatever they share. */
static void chains_do_not_wait(void) {
    Graph *g = graph_new();
    NodeId x = vector(g, 0, 40000), y = vector(g, 1, 40000), a = graph_op1(g, OP_neg, x);
    NodeId b = graph_op2(g, OP_mul, a, y), c = graph_op1(g, OP_tanh, b);
    NodeId out[2] = {graph_op2(g, OP_add, graph_op2(g, OP_sub, c, a), b), c};
    CHECK(barriers_of(g, 2, out) == 0);
}

/* Such steps run block by block: each of the four behind the one before it. Not those of
 * one part, nor a step of other elements or behind a barrier. The bits are those of one step
 * after the other. */
static void chains_run_block_by_block(void) {
    for (int64_t n = 40; n <= 40000; n += 39960) {
        Graph *g = graph_new();
        NodeId x = vector(g, 0, n), y = vector(g, 1, n), a = graph_op1(g, OP_neg, x);
        NodeId b = graph_op2(g, OP_mul, a, y), c = graph_op1(g, OP_tanh, b);
        NodeId last = graph_op2(g, OP_add, graph_op2(g, OP_sub, c, a), b);
        NodeId total = graph_sum(g, last, 1, false);
        NodeId out[2] = {graph_op2(g, OP_mul, last, total), graph_op1(g, OP_exp, total)};
        Tensor ports[2] = {random_tensor(DTYPE_FLOAT32, shape_of(1, n)),
                           random_tensor(DTYPE_FLOAT32, shape_of(1, n))};
        Plan *plan = plan_new(g, 2, 2, out, 0, NULL, NULL);
        char *text = plan_dump(plan);
        CHECK(plan_info(plan).chained == (n > 40 ? 4 : 0));
        CHECK((strstr(text, "  + 5 parts") != NULL) == (n > 40));
        mem_free(text);
        plan_free(plan);
        CHECK(plan_agrees(g, 2, ports, 2, out));
        release_all(2, ports);
        graph_free(g);
    }
}

/* Steps of one part are thread 0's, whatever they do. */
static void single_parts_do_not_wait(void) {
    Graph *g = graph_new();
    NodeId x = vector(g, 0, 40), y = x;
    for (int k = 0; k < 5; k++) y = graph_op1(g, k % 2 ? OP_softmax : OP_tanh, y);
    CHECK(barriers_of(g, 1, &y) == 0);
}

static void broadcasts_wait(void) {
    Graph *g = graph_new();
    NodeId rows = graph_input(g, 1, type_of(DTYPE_FLOAT32, shape_of(2, 3L, 20000L)));
    NodeId out = graph_op2(g, OP_add, graph_op1(g, OP_neg, vector(g, 0, 20000)), rows);
    CHECK(barriers_of(g, 1, &out) == 1);
}

/* All threads read what one has computed; and one what all have. */
static void single_and_shared_parts_wait(void) {
    Graph *g = graph_new();
    NodeId x = vector(g, 0, 40000), one = graph_op1(g, OP_tanh, vector(g, 1, 1));
    NodeId out = graph_op2(g, OP_mul, x, one);
    CHECK(barriers_of(g, 1, &out) == 1);
    g = graph_new();
    int64_t start = 39999;
    Attrs last = {.i = {start, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1}};
    x = graph_op1(g, OP_tanh, vector(g, 0, 40000));
    out = graph_op(g, OP_slice, &last, 1, &x);
    CHECK(barriers_of(g, 1, &out) == 1);
}

/* A convolution of few filters has weights that need no packing: that phase is left out,
 * and nobody waits for it. With more of them packing comes first. */
static void empty_phases_are_left_out(void) {
    const Attrs attrs = {.i = {1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1}};
    for (int64_t filters = 64; filters <= 80; filters += 16) {
        Graph *g = graph_new();
        NodeId in[2] = {
            graph_input(g, 0, type_of(DTYPE_FLOAT32, shape_of(4, 40L, 9L, 9L, 3L))),
            graph_input(g, 1, type_of(DTYPE_FLOAT32, shape_of(4, 3L, 3L, 3L, filters)))};
        NodeId out = graph_op(g, OP_conv, &attrs, 2, in);
        CHECK(barriers_of(g, 1, &out) == (filters > 64));
    }
}

/* The block of `a` is taken by `c` while other threads may still read it: with elements
 * of another size, or of another number, a thread would write what is not its own. */
static void reused_memory_waits(void) {
    Graph *g = graph_new();
    NodeId x = vector(g, 0, 40000), a = graph_op1(g, OP_neg, x), out[2];
    out[0] = graph_op1(g, OP_tanh, a);
    out[1] = graph_op1(g, OP_neg, graph_cast(g, x, DTYPE_FLOAT64));
    CHECK(barriers_of(g, 2, out) == 1);
    g = graph_new();
    out[0] = graph_op1(g, OP_tanh, graph_op1(g, OP_neg, vector(g, 0, 20000)));
    out[1] = graph_op1(g, OP_tanh, graph_op1(g, OP_neg, vector(g, 1, 40000)));
    CHECK(barriers_of(g, 2, out) == 1);
    /* Here the dying block is a row that all threads read. */
    g = graph_new();
    NodeId row = graph_op1(g, OP_softmax, vector(g, 0, 200));
    NodeId rows = graph_input(g, 1, type_of(DTYPE_FLOAT32, shape_of(2, 200L, 200L)));
    out[0] = graph_op2(g, OP_add, rows, row);
    out[1] = graph_op1(g, OP_tanh, graph_op1(g, OP_neg, rows));
    CHECK(barriers_of(g, 2, out) == 2);
    /* Of the same size it is element for element. */
    g = graph_new();
    out[0] = graph_op1(g, OP_tanh, graph_op1(g, OP_neg, vector(g, 0, 40000)));
    out[1] = graph_op1(g, OP_tanh, graph_op1(g, OP_neg, vector(g, 1, 40000)));
    CHECK(barriers_of(g, 2, out) == 0);
}

TEST_MAIN(chains_do_not_wait, chains_run_block_by_block, single_parts_do_not_wait,
          broadcasts_wait, single_and_shared_parts_wait, empty_phases_are_left_out,
          reused_memory_waits)
