/* Ports, rows, threads, forked children. */
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/pool.h"
#include "plan/profile.h"
#include "support.h"

/* ThreadSanitizer refuses threads in a child of a process with threads unless told so. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "die_after_fork=0"; }

enum { ROWS = 64, COLUMNS = 700 };

/* logits = relu(x w1 + b1) w2, loss, gradients, one step of Adam's row for each: the
 * shape of a training step, with a port bound by rows and another of labels. */
typedef struct Step {
    Variable *w1, *b1, *w2;
    Graph *graph;
    NodeId loss;
    PlanStore stores[3];
} Step;

static Step step_new(void) {
    Step s = {.graph = graph_new()};
    draws = 5000; /* the same weights each time */
    s.w1 = random_variable("w1", DTYPE_FLOAT32, shape_of(2, (int64_t)COLUMNS, 120L));
    s.b1 = random_variable("b1", DTYPE_FLOAT32, shape_of(1, 120L));
    s.w2 = random_variable("w2", DTYPE_FLOAT32, shape_of(2, 120L, 10L));
    Graph *g = s.graph;
    Type pixels = type_of(DTYPE_UINT8, shape_of(2, (int64_t)ROWS, (int64_t)COLUMNS));
    NodeId w[3] = {graph_variable(g, s.w1), graph_variable(g, s.b1),
                   graph_variable(g, s.w2)};
    NodeId x =
        graph_scale(g, graph_cast(g, graph_input(g, 0, pixels), DTYPE_FLOAT32), 0.01);
    NodeId labels = graph_input(g, 1, type_of(DTYPE_INT64, shape_of(1, (int64_t)ROWS)));
    Attrs relu = {.i = {1}};
    NodeId hidden = graph_op(g, OP_dense, &relu, 3, (NodeId[]){x, w[0], w[1]});
    NodeId logits = graph_op2(g, OP_matmul, hidden, w[2]);
    NodeId losses = graph_op2(g, OP_sparse_softmax_crossentropy, logits, labels);
    s.loss = graph_scale(g, graph_sum(g, losses, 1, false), 1.0 / ROWS);
    NodeId dw[3], rate = graph_number(g, DTYPE_FLOAT32, 0.01);
    graph_gradients(g, 1, &s.loss, NULL, 3, w, dw);
    Variable *variables[3] = {s.w1, s.b1, s.w2};
    for (int k = 0; k < 3; k++)
        s.stores[k] =
            (PlanStore){variables[k], graph_op3(g, OP_sgd_update, w[k], dw[k], rate)};
    if (g->err.set) fprintf(stderr, "%s\n", g->err.text);
    CHECK(!g->err.set);
    return s;
}

static void step_free(Step *s) {
    graph_free(s->graph);
    variable_release(s->w1);
    variable_release(s->b1);
    variable_release(s->w2);
}

/* Ten steps on shuffled rows; the losses into loss[]. */
static void train(int threads, float loss[10], Tensor *weights) {
    pool_set_threads(threads);
    Step s = step_new();
    Tensor x = random_tensor(DTYPE_UINT8, shape_of(2, 300L, (int64_t)COLUMNS));
    Tensor y = random_tensor(DTYPE_INT64, shape_of(1, 300L));
    Err err = {0};
    Plan *plan = plan_new(s.graph, 2, 1, &s.loss, 3, s.stores, &err);
    CHECK(plan != NULL);
    int64_t rows[ROWS];
    for (int step = 0; plan && step < 10; step++) {
        for (int k = 0; k < ROWS; k++) rows[k] = (step * 53 + k * 7) % 300;
        plan_bind_rows(plan, 0, x.data, rows);
        plan_bind_rows(plan, 1, y.data, rows);
        CHECK(plan_run(plan, &err));
        loss[step] = *(float *)plan_output(plan, 0)->data;
    }
    CHECK(tensor_copy(&s.w1->value, weights, NULL));
    plan_free(plan);
    tensor_release(&x);
    tensor_release(&y);
    step_free(&s);
}

static void threads_give_the_same_bits(void) {
    static const int threads[] = {1, 2, 5};
    float loss[3][10];
    Tensor weights[3];
    plan_set_share_all(true);
    for (int k = 0; k < 3; k++) train(threads[k], loss[k], &weights[k]);
    plan_set_share_all(false);
    CHECK(loss[0][9] < loss[0][0]);
    for (int k = 1; k < 3; k++) {
        CHECK(memcmp(loss[k], loss[0], sizeof loss[0]) == 0);
        CHECK(memcmp(weights[k].data, weights[0].data, tensor_bytes(&weights[0])) == 0);
    }
    plan_set_optimize(false);
    float plain[10];
    Tensor plainly;
    train(2, plain, &plainly);
    plan_set_optimize(true);
    CHECK(memcmp(plain, loss[0], sizeof plain) == 0);
    CHECK(memcmp(plainly.data, weights[0].data, tensor_bytes(&weights[0])) == 0);
    release_all(3, weights);
    tensor_release(&plainly);
}

/* Children forked after the parent has trained train as it did, each with workers of its
 * own, and get the same bits. */
static void forked_children_train(void) {
    float want[10], got[10];
    Tensor weights;
    train(2, want, &weights);
    tensor_release(&weights);
    pid_t child[30];
    for (int k = 0; k < 30; k++) {
        fflush(NULL);
        child[k] = fork();
        if (child[k] == 0) {
            train(1 + k % 3, got, &weights);
            _exit(memcmp(got, want, sizeof want) ? 1 : 0);
        }
        CHECK(child[k] > 0);
    }
    for (int k = 0; k < 30; k++) {
        int status = -1;
        CHECK(waitpid(child[k], &status, 0) == child[k]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    train(2, got, &weights);
    CHECK(memcmp(got, want, sizeof want) == 0);
    tensor_release(&weights);
}

/* The optimizer's updates go into the variables without copies. */
static void a_training_step_copies_nothing(void) {
    Step s = step_new();
    Plan *plan = plan_new(s.graph, 2, 1, &s.loss, 3, s.stores, NULL);
    char *dump = plan_dump(plan);
    CHECK_TEXT(dump, "= sgd_update(");
    CHECK(dump && !strstr(dump, "copy("));
    PlanInfo info = plan_info(plan);
    CHECK(info.scratch_bytes <= info.lower_bound + info.lower_bound / 20 + 4096);
    mem_free(dump);
    plan_free(plan);
    step_free(&s);
}

/* A label out of range: no weight moves. */
static void a_wrong_label_changes_nothing(void) {
    for (int threads = 1; threads <= 5; threads += 2) {
        pool_set_threads(threads);
        Step s = step_new();
        Tensor before,
            x = random_tensor(DTYPE_UINT8, shape_of(2, (int64_t)ROWS, (int64_t)COLUMNS));
        Tensor y = random_tensor(DTYPE_INT64, shape_of(1, (int64_t)ROWS));
        ((int64_t *)y.data)[17] = 10;
        CHECK(tensor_copy(&s.w2->value, &before, NULL));
        Plan *plan = plan_new(s.graph, 2, 1, &s.loss, 3, s.stores, NULL);
        plan_bind(plan, 0, x.data);
        plan_bind(plan, 1, y.data);
        Err err = {0};
        CHECK(!plan_run(plan, &err));
        CHECK_TEXT(err.text, "sparse_softmax_crossentropy: ");
        CHECK(memcmp(before.data, s.w2->value.data, tensor_bytes(&before)) == 0);
        ((int64_t *)y.data)[17] = 9;
        CHECK(plan_run(plan, NULL));
        CHECK(memcmp(before.data, s.w2->value.data, tensor_bytes(&before)) != 0);
        plan_free(plan);
        Tensor all[] = {x, y, before};
        release_all(3, all);
        step_free(&s);
    }
}

/* Rows of 1, 4, 8 and many bytes; ports turn from rows to plain memory and back. */
static void rows_and_plain_memory(void) {
    static const DType dtypes[] = {DTYPE_UINT8, DTYPE_FLOAT32, DTYPE_INT64,
                                   DTYPE_FLOAT32};
    static const int64_t width[] = {1, 1, 1, 33};
    Graph *g = graph_new();
    NodeId out[5];
    for (int p = 0; p < 4; p++) {
        Shape shape = shape_of(2, 5L, width[p]);
        out[p] = graph_input(g, p, type_of(dtypes[p], shape));
    }
    out[4] = graph_op1(g, OP_neg, out[3]);
    Plan *plan = plan_new(g, 6, 5, out, 0, NULL, NULL);
    graph_free(g);
    CHECK(plan_port(plan, 4) == NULL && plan_port(plan, 3)->shape.dim[1] == 33);
    plan_bind(plan, 5, NULL); /* nothing reads it */
    Err err = {0};
    Tensor x[4];
    int64_t rows[5] = {8, 0, 8, 3, 1};
    for (int p = 0; p < 4; p++) {
        x[p] = random_tensor(dtypes[p], shape_of(2, 9L, width[p]));
        CHECK(!plan_run(plan, &err)); /* not all are bound yet */
        plan_bind_rows(plan, p, x[p].data, rows);
    }
    CHECK_TEXT(err.text, "input 0 of the plan is not bound");
    for (int turn = 0; turn < 6; turn++) {
        bool by_rows = turn % 3 != 1;
        for (int p = 0; p < 4 && turn; p++) {
            if (by_rows)
                plan_bind_rows(plan, p, x[p].data, rows);
            else
                plan_bind(plan, p, x[p].data);
        }
        if (turn == 3) plan_release_scratch();
        CHECK(plan_run(plan, NULL));
        for (int p = 0; p < 4; p++) {
            size_t bytes = (size_t)width[p] * dtype_size(dtypes[p]);
            const char *got = plan_output(plan, p)->data;
            for (int row = 0; row < 5; row++) {
                int64_t from = by_rows ? rows[row] : row;
                CHECK(memcmp(got + (size_t)row * bytes, x[p].data + (size_t)from * bytes,
                             bytes) == 0);
            }
        }
        CHECK(((float *)plan_output(plan, 4)->data)[40] ==
              -((float *)plan_output(plan, 3)->data)[40]);
    }
    plan_free(plan);
    release_all(4, x);
}

static void empty_and_scalar(void) {
    Graph *g = graph_new();
    NodeId none = graph_input(g, 0, type_of(DTYPE_FLOAT32, shape_of(2, 0L, 4L)));
    NodeId one = graph_input(g, 1, type_of(DTYPE_FLOAT32, shape_of(0)));
    NodeId out[] = {graph_op1(g, OP_neg, none), graph_sum(g, none, 3, false),
                    graph_op2(g, OP_add, one, one), none};
    Tensor ports[2] = {random_tensor(DTYPE_FLOAT32, shape_of(2, 0L, 4L)),
                       random_tensor(DTYPE_FLOAT32, shape_of(0))};
    CHECK(plan_agrees(g, 2, ports, 4, out));
    Plan *nothing = plan_new(g, 2, 0, NULL, 0, NULL, NULL);
    CHECK(plan_run(nothing, NULL) && plan_outputs(nothing) == 0);
    plan_free(nothing);
    release_all(2, ports);
    graph_free(g);
}

static void bad_arguments(void) {
    Graph *g = graph_new();
    Err err = {0};
    NodeId x = graph_input(g, 3, type_of(DTYPE_FLOAT32, shape_of(1, 4L))), beyond = 99;
    CHECK(!plan_new(g, 2, 1, &x, 0, NULL, &err));
    CHECK_TEXT(err.text, "the graph reads input 3, the plan has 2 inputs");
    err = (Err){0};
    CHECK(!plan_new(g, 4, 1, &beyond, 0, NULL, &err));
    CHECK_TEXT(err.text, "output 0 is not a node");
    err = (Err){0};
    graph_locate(g, "net.lua:3", "model/dense");
    NodeId y = graph_op2(g, OP_matmul, x, graph_number(g, DTYPE_FLOAT32, 1));
    CHECK(!plan_new(g, 4, 1, &y, 0, NULL, &err));
    CHECK_TEXT(err.text, "matmul: ");
    CHECK_TEXT(err.where, "net.lua:3");
    graph_free(g);
}

/* Runs are timed until told otherwise, give the same results, and the parts of the time
 * make no more than the whole. */
static void profiles(void) {
    Step s = step_new();
    Tensor x = random_tensor(DTYPE_UINT8, shape_of(2, (int64_t)ROWS, (int64_t)COLUMNS)),
           y = random_tensor(DTYPE_INT64, shape_of(1, (int64_t)ROWS));
    Plan *plan = plan_new(s.graph, 2, 1, &s.loss, 0, NULL, NULL);
    plan_bind(plan, 0, x.data);
    plan_bind(plan, 1, y.data);
    pool_set_threads(2);
    CHECK(plan_run(plan, NULL));
    float loss = *(const float *)plan_output(plan, 0)->data;
    CHECK(!plan_profile(plan) && plan_profile_start(plan, 2, NULL));
    for (int k = 0; k < 3; k++) {
        CHECK(plan_run(plan, NULL));
        CHECK(*(const float *)plan_output(plan, 0)->data == loss);
    }
    const PlanProfile *profile = plan_profile(plan);
    CHECK(profile->runs == 3 && profile->kept == 2 && profile->threads == 2);
    CHECK(profile->steps == plan_info(plan).steps);
    double sum = profile->copying, flops = 0;
    for (int k = 0; k < profile->steps; k++) {
        StepInfo info = plan_step_info(plan, k);
        CHECK(profile->step[k] >= 0 && info.bytes > 0 && info.parts >= 1);
        sum += profile->step[k];
        flops += info.flops;
    }
    CHECK(sum > 0 && sum <= profile->seconds);
    CHECK(flops == 2.0 * ROWS * 120 * (COLUMNS + 10));
    int last = 0; /* thread 0 has a part in every phase, one after the other */
    for (int p = 0; p < profile->phases; p++) {
        CHECK(profile->spans[p].begin > 0 &&
              profile->spans[p].end >= profile->spans[p].begin);
        CHECK(plan_phase_step(plan, p) >= last);
        last = plan_phase_step(plan, p);
    }
    mem_fail_at(1);
    CHECK(!plan_profile_start(plan, 2, NULL) && plan_profile(plan)->runs == 3);
    plan_profile_stop(plan);
    CHECK(!plan_profile(plan) && plan_run(plan, NULL));
    pool_set_threads(1);
    plan_free(plan);
    tensor_release(&x);
    tensor_release(&y);
    step_free(&s);
}

TEST_MAIN(profiles, threads_give_the_same_bits, forked_children_train,
          a_training_step_copies_nothing, a_wrong_label_changes_nothing,
          rows_and_plain_memory, empty_and_scalar, bad_arguments)
