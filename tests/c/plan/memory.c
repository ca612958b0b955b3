/* How much scratch plans take, what lies where, and that nothing is lost or allocated. */
#include "base/mem.h"
#include "support.h"

static Type wide(void) { return type_of(DTYPE_FLOAT32, shape_of(2, 100L, 1000L)); }
enum { WIDE_BYTES = 400000 };

/* A chain of elementwise ops runs in one block; one with two live values in two. */
static void chains_share_memory(void) {
    Graph *g = graph_new();
    NodeId x = graph_input(g, 0, wide()), y = x, sum;
    for (int k = 0; k < 10; k++) y = graph_op1(g, k % 2 ? OP_neg : OP_tanh, y);
    sum = graph_sum(g, y, 3, false);
    Plan *plan = plan_new(g, 1, 1, &sum, 0, NULL, NULL);
    PlanInfo info = plan_info(plan);
    CHECK(info.steps == 11);
    CHECK(info.scratch_bytes >= WIDE_BYTES && info.scratch_bytes < 2 * WIDE_BYTES);
    plan_free(plan);
    plan_set_optimize(false);
    plan = plan_new(g, 1, 1, &sum, 0, NULL, NULL);
    plan_set_optimize(true);
    CHECK(plan_info(plan).scratch_bytes >= 10 * WIDE_BYTES);
    plan_free(plan);
    graph_free(g);
}

/* Matrix products cannot write over their operands: two blocks alternate. */
static void products_alternate(void) {
    Graph *g = graph_new();
    NodeId x = graph_input(g, 0, type_of(DTYPE_FLOAT32, shape_of(2, 300L, 300L))), y = x;
    for (int k = 0; k < 8; k++) y = graph_op2(g, OP_matmul, y, y);
    y = graph_sum(g, y, 3, false);
    Plan *plan = plan_new(g, 1, 1, &y, 0, NULL, NULL);
    PlanInfo info = plan_info(plan);
    CHECK(info.lower_bound >= 2 * 360000);
    CHECK(info.scratch_bytes <= info.lower_bound + info.lower_bound / 10);
    plan_free(plan);
    graph_free(g);
}

/* What is dead, equal, or constant makes no steps; reshapes make none either. */
static void needless_steps_are_left_out(void) {
    Graph *g = graph_new();
    NodeId x = graph_input(g, 0, wide());
    Shape flat = shape_of(1, 100000L);
    graph_op1(g, OP_exp, x);                                           /* dead */
    NodeId a = graph_op1(g, OP_tanh, x), b = graph_op1(g, OP_tanh, x); /* equal */
    NodeId sum =
        graph_op2(g, OP_add, graph_reshape(g, a, &flat), graph_reshape(g, b, &flat));
    NodeId two = graph_op2(g, OP_add, graph_number(g, DTYPE_FLOAT32, 1),
                           graph_number(g, DTYPE_FLOAT32, 1)); /* computed once */
    NodeId out =
        graph_op2(g, OP_mul, sum, graph_expand(g, two, &flat)); /* broadcasts itself */
    Plan *plan = plan_new(g, 1, 1, &out, 0, NULL, NULL);
    CHECK(plan_info(plan).steps == 3);
    plan_free(plan);
    plan_set_optimize(false);
    plan = plan_new(g, 1, 1, &out, 0, NULL, NULL);
    plan_set_optimize(true);
    CHECK(plan_info(plan).steps == 9);
    plan_free(plan);
    graph_free(g);
}

/* Captured by reference: what the user changes later is seen, also through a view and
 * also where the tensor is small enough to be mistaken for a number of the script. */
static void captured_tensors_are_seen_changing(void) {
    Graph *g = graph_new();
    Tensor base = random_tensor(DTYPE_FLOAT32, shape_of(2, 3L, 5L)), turned;
    Tensor one = random_tensor(DTYPE_FLOAT32, shape_of(0));
    CHECK(tensor_permute(&base, (int[]){1, 0}, &turned, NULL));
    NodeId sum =
        graph_op2(g, OP_add, graph_constant(g, &turned), graph_constant(g, &one));
    NodeId out[] = {sum, graph_op1(g, OP_neg, graph_constant(g, &one)),
                    graph_constant(g, &turned)};
    Plan *plan = plan_new(g, 0, 3, out, 0, NULL, NULL);
    graph_free(g);
    for (int again = 0; again < 3; again++) {
        for (int k = 0; k < 15; k++) ((float *)base.data)[k] = (float)(k + again);
        *(float *)one.data = (float)(100 * again);
        CHECK(plan_run(plan, NULL));
        const float *got = plan_output(plan, 0)->data, *view = plan_output(plan, 2)->data;
        for (int row = 0; row < 5; row++)
            for (int column = 0; column < 3; column++) {
                float element = (float)(column * 5 + row + again);
                CHECK(got[row * 3 + column] == element + (float)(100 * again));
                CHECK(view[row * 3 + column] == element);
            }
        CHECK(*(float *)plan_output(plan, 1)->data == (float)(-100 * again));
    }
    plan_free(plan);
    Tensor all[] = {base, turned, one};
    release_all(3, all);
}

static Plan *small_plan(int64_t rows, int64_t columns) {
    Graph *g = graph_new();
    NodeId x = graph_input(g, 0, type_of(DTYPE_FLOAT32, shape_of(2, rows, columns)));
    NodeId y = graph_op1(g, OP_softmax, x);
    NodeId out = graph_sum(g, graph_op2(g, OP_mul, y, x), 2, false);
    Plan *plan = plan_new(g, 1, 1, &out, 0, NULL, NULL);
    graph_free(g);
    return plan;
}

/* Plans of different sizes take turns in one arena, which moves and is given back
 * between. */
static void plans_share_scratch(void) {
    enum { PLANS = 6 };
    Plan *plan[PLANS];
    Tensor x[PLANS];
    float want[PLANS];
    for (int k = 0; k < PLANS; k++) {
        int64_t rows = 3 + 40 * k;
        plan[k] = small_plan(rows, 50);
        x[k] = random_tensor(DTYPE_FLOAT32, shape_of(2, rows, 50L));
        plan_bind(plan[k], 0, x[k].data);
        CHECK(plan_run(plan[k], NULL));
        want[k] = *(float *)plan_output(plan[k], 0)->data;
    }
    for (int turn = 0; turn < 60; turn++) {
        int k = (int)draw(PLANS);
        if (turn % 20 == 19) plan_release_scratch();
        CHECK(plan_run(plan[k], NULL));
        CHECK(*(float *)plan_output(plan[k], 0)->data == want[k]);
    }
    for (int k = 0; k < PLANS; k++) plan_free(plan[k]);
    release_all(PLANS, x);
}

static void runs_allocate_nothing(void) {
    Plan *plan = small_plan(200, 300);
    Tensor x = random_tensor(DTYPE_FLOAT32, shape_of(2, 200L, 300L));
    int64_t rows[200];
    for (int k = 0; k < 200; k++) rows[k] = 199 - k;
    plan_bind(plan, 0, x.data);
    CHECK(plan_run(plan, NULL));
    plan_bind_rows(plan, 0, x.data, rows);
    CHECK(plan_run(plan, NULL));
    uint64_t before = mem_allocations();
    for (int k = 0; k < 20; k++) {
        if (k % 2)
            plan_bind(plan, 0, x.data);
        else
            plan_bind_rows(plan, 0, x.data, rows);
        CHECK(plan_run(plan, NULL));
    }
    CHECK(mem_allocations() == before);
    plan_free(plan);
    tensor_release(&x);
}

/* Each allocation in turn fails: an error, nothing lost, and the next attempt works. */
static void failing_allocations(void) {
    Graph *g = graph_new();
    Variable *w = random_variable("w", DTYPE_FLOAT32, shape_of(1, 50L));
    Tensor base = random_tensor(DTYPE_FLOAT32, shape_of(2, 50L, 3L)), turned;
    CHECK(tensor_permute(&base, (int[]){1, 0}, &turned, NULL));
    NodeId x = graph_input(g, 0, type_of(DTYPE_FLOAT32, shape_of(2, 3L, 50L)));
    NodeId y = graph_op2(g, OP_mul, x, graph_constant(g, &turned));
    NodeId two = graph_op2(g, OP_add, graph_number(g, DTYPE_FLOAT32, 1),
                           graph_number(g, DTYPE_FLOAT32, 1));
    NodeId z = graph_op2(g, OP_mul, graph_op1(g, OP_softmax, y), two);
    PlanStore store = {
        w, graph_op2(g, OP_sub, graph_variable(g, w), graph_sum(g, z, 1, false))};
    int64_t rows[3] = {2, 0, 1};
    plan_release_scratch();
    tensor_trim();
    size_t bytes = mem_bytes();
    int64_t alive = tensor_alive();
    bool failed = true;
    int failures = 0;
    for (int64_t n = 1; failed && n < 200; n++) {
        Err err = {0};
        mem_fail_at(n);
        Plan *plan = plan_new(g, 1, 1, &z, 1, &store, &err);
        failed = !plan;
        if (plan) {
            plan_bind_rows(plan, 0, base.data, rows);
            failed = !plan_run(plan, &err);
        }
        mem_fail_at(0);
        CHECK(failed == err.set);
        failures += failed;
        if (plan && failed) CHECK(plan_run(plan, NULL)); /* it can be tried again */
        plan_free(plan);
        plan_release_scratch();
        tensor_trim();
        CHECK(mem_bytes() == bytes && tensor_alive() == alive);
    }
    CHECK(!failed && failures >= 5);
    graph_free(g);
    variable_release(w);
    tensor_release(&base);
    tensor_release(&turned);
}

TEST_MAIN(chains_share_memory, products_alternate, needless_steps_are_left_out,
          captured_tensors_are_seen_changing, plans_share_scratch, runs_allocate_nothing,
          failing_allocations)
