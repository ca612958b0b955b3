/* Stores: in place and copied, all or nothing. */
#include "base/mem.h"
#include "support.h"

static Shape shape(void) { return shape_of(2, (int64_t)30, (int64_t)400); }

static NodeId input(Graph *g, int port) {
    return graph_input(g, port, type_of(DTYPE_FLOAT32, shape()));
}

static bool holds(const Variable *variable, const Tensor *want) {
    return memcmp(variable->value.data, want->data, tensor_bytes(want)) == 0;
}

static Tensor value_of(const Variable *variable) {
    Tensor copy;
    if (!tensor_copy(&variable->value, &copy, NULL)) abort();
    return copy;
}

static int count_text(const Plan *plan, const char *text) {
    int n = 0;
    char *dump = plan_dump(plan);
    for (const char *at = dump; at && (at = strstr(at, text)); at += strlen(text)) n++;
    mem_free(dump);
    return n;
}

/* w = w - x in place; and the value that is fetched with it is the new one. */
static void update_in_place(void) {
    Graph *g = graph_new();
    Variable *w = random_variable("w", DTYPE_FLOAT32, shape());
    Tensor x = random_tensor(DTYPE_FLOAT32, shape()), before = value_of(w), in[2], want;
    in[0] = before;
    in[1] = x;
    CHECK(op_run(OP_sub, NULL, 2, in, &want, NULL));
    NodeId updated = graph_op2(g, OP_sub, graph_variable(g, w), input(g, 0));
    NodeId later = graph_op1(g, OP_neg, updated);
    PlanStore store = {w, updated};
    Plan *plan = plan_new(g, 1, 1, &later, 1, &store, NULL);
    graph_free(g);
    CHECK(count_text(plan, "copy(") == 0);
    plan_bind(plan, 0, x.data);
    CHECK(plan_run(plan, NULL));
    CHECK(holds(w, &want));
    CHECK(((float *)plan_output(plan, 0)->data)[5] == -((float *)want.data)[5]);
    plan_free(plan);
    variable_release(w);
    Tensor all[] = {x, before, want};
    release_all(3, all);
}

/* Someone reads the old value after the new one is there: the store has to wait. */
static void old_value_read_later(void) {
    Graph *g = graph_new();
    Variable *w = random_variable("w", DTYPE_FLOAT32, shape());
    Tensor before = value_of(w), want;
    CHECK(op_run(OP_square, NULL, 1, &before, &want, NULL));
    NodeId old = graph_variable(g, w), updated = graph_op1(g, OP_square, old);
    NodeId sum = graph_op2(g, OP_add, graph_op1(g, OP_neg, updated), old);
    PlanStore store = {w, updated};
    Plan *plan = plan_new(g, 0, 1, &sum, 1, &store, NULL);
    graph_free(g);
    CHECK(count_text(plan, "copy(") == 1);
    CHECK(plan_run(plan, NULL));
    CHECK(holds(w, &want));
    float a = ((float *)before.data)[7], b = ((float *)want.data)[7];
    CHECK(((float *)plan_output(plan, 0)->data)[7] == -b + a);
    plan_free(plan);
    variable_release(w);
    tensor_release(&before);
    tensor_release(&want);
}

/* A matrix product of the variable may not be written over it, though it reads it last.
 */
static void not_over_a_matrix_operand(void) {
    Graph *g = graph_new();
    Variable *w = random_variable("w", DTYPE_FLOAT32, shape_of(2, 50L, 50L));
    Tensor in[2], want;
    in[0] = in[1] = value_of(w);
    CHECK(op_run(OP_matmul, NULL, 2, in, &want, NULL));
    NodeId old = graph_variable(g, w);
    PlanStore store = {w, graph_op2(g, OP_matmul, old, old)};
    Plan *plan = plan_new(g, 0, 0, NULL, 1, &store, NULL);
    graph_free(g);
    CHECK(plan_run(plan, NULL));
    CHECK(holds(w, &want));
    plan_free(plan);
    variable_release(w);
    tensor_release(&in[0]);
    tensor_release(&want);
}

static void swap_and_rotate(void) {
    Graph *g = graph_new();
    Variable *v[3];
    Tensor before[3];
    NodeId node[3];
    for (int k = 0; k < 3; k++) {
        v[k] = random_variable("v", DTYPE_FLOAT32, shape());
        before[k] = value_of(v[k]);
        node[k] = graph_variable(g, v[k]);
    }
    PlanStore swap[] = {{v[0], node[1]}, {v[1], node[0]}};
    PlanStore rotate[] = {{v[0], node[1]}, {v[1], node[2]}, {v[2], node[0]}};
    Plan *swapping = plan_new(g, 0, 1, &node[0], 2, swap, NULL);
    Plan *rotating = plan_new(g, 0, 0, NULL, 3, rotate, NULL);
    graph_free(g);
    CHECK(plan_run(swapping, NULL));
    CHECK(holds(v[0], &before[1]) && holds(v[1], &before[0]));
    CHECK(same_bits(plan_output(swapping, 0), &before[0])); /* the value before the run */
    CHECK(plan_run(swapping, NULL) && plan_run(rotating, NULL));
    CHECK(holds(v[0], &before[1]) && holds(v[1], &before[2]) && holds(v[2], &before[0]));
    plan_free(swapping);
    plan_free(rotating);
    for (int k = 0; k < 3; k++) variable_release(v[k]);
    release_all(3, before);
}

/* One value for two variables, a variable that keeps its value, and two stores to one. */
static void shared_same_and_double(void) {
    Graph *g = graph_new();
    Variable *a = random_variable("a", DTYPE_FLOAT32, shape());
    Variable *b = random_variable("b", DTYPE_FLOAT32, shape());
    Variable *c = random_variable("c", DTYPE_FLOAT32, shape());
    Tensor kept = value_of(c), x = random_tensor(DTYPE_FLOAT32, shape()), want;
    CHECK(op_run(OP_neg, NULL, 1, &x, &want, NULL));
    NodeId value = graph_op1(g, OP_neg, input(g, 0));
    NodeId wrong = graph_op1(g, OP_square, input(g, 0));
    PlanStore stores[] = {{a, wrong}, {a, value}, {b, value}, {c, graph_variable(g, c)}};
    Plan *plan = plan_new(g, 1, 0, NULL, 4, stores, NULL);
    graph_free(g);
    plan_bind(plan, 0, x.data);
    CHECK(plan_run(plan, NULL));
    CHECK(holds(a, &want) && holds(b, &want) && holds(c, &kept));
    plan_free(plan);
    variable_release(a);
    variable_release(b);
    variable_release(c);
    Tensor all[] = {kept, x, want};
    release_all(3, all);
}

/* Leaves as values: a port, a captured tensor, and a view of the variable's own memory.
 */
static void leaves_stored(void) {
    Graph *g = graph_new();
    Shape s = shape_of(1, 6L);
    Variable *a = random_variable("a", DTYPE_FLOAT32, s);
    Variable *b = random_variable("b", DTYPE_FLOAT32, s);
    Variable *c = random_variable("c", DTYPE_FLOAT32, s);
    Tensor x = random_tensor(DTYPE_FLOAT32, s),
           captured = random_tensor(DTYPE_FLOAT32, s);
    Tensor before = value_of(c), reversed, want;
    int64_t start = 5, count = 6, step = -1;
    CHECK(tensor_slice(&c->value, &start, &count, &step, &reversed, NULL));
    CHECK(tensor_slice(&before, &start, &count, &step, &want, NULL));
    PlanStore stores[] = {{a, graph_input(g, 0, type_of(DTYPE_FLOAT32, s))},
                          {b, graph_constant(g, &captured)},
                          {c, graph_constant(g, &reversed)}};
    Plan *plan = plan_new(g, 1, 0, NULL, 3, stores, NULL);
    graph_free(g);
    plan_bind(plan, 0, x.data);
    CHECK(plan_run(plan, NULL));
    CHECK(holds(a, &x) && holds(b, &captured));
    for (int k = 0; k < 6; k++)
        CHECK(((float *)c->value.data)[k] == ((float *)before.data)[5 - k]);
    plan_free(plan);
    variable_release(a);
    variable_release(b);
    variable_release(c);
    Tensor all[] = {x, captured, before, reversed, want};
    release_all(5, all);
}

/* A trial of the optimizer's row: its variables p, m and v, the row, and what the plan of it
 * is given. Freed by adam_agrees. */
typedef struct Adam {
    Graph *g;
    Variable *s[3];
    NodeId row, fetched; /* fetched: NODE_NONE or what else the plan gives */
    Tensor port[2];
    int n_ports;
} Adam;

static Adam adam_new(Shape size, int n_ports, Tensor first, Tensor second) {
    Adam t = {.g = graph_new(), .fetched = NODE_NONE, .n_ports = n_ports};
    t.port[0] = first;
    t.port[1] = second;
    for (int k = 0; k < 3; k++) t.s[k] = random_variable("s", DTYPE_FLOAT32, size);
    for (int64_t k = 0; k < tensor_size(&t.s[2]->value); k++)
        ((float *)t.s[2]->value.data)[k] = 0.5f;
    return t;
}

static NodeId port_of(const Adam *t, int k) {
    return graph_input(t->g, k, type_of(t->port[k].dtype, t->port[k].shape));
}

static void adam_update(Adam *t, NodeId gradient) {
    NodeId in[9] = {graph_variable(t->g, t->s[0]), graph_variable(t->g, t->s[1]),
                    graph_variable(t->g, t->s[2]), gradient};
    const double rates[4] = {0.01, 0.9, 0.999, 1e-7};
    for (int k = 0; k < 4; k++) in[4 + k] = graph_number(t->g, DTYPE_FLOAT32, rates[k]);
    in[8] = graph_number(t->g, DTYPE_INT64, 0);
    t->row = graph_op(t->g, OP_adam_update, NULL, 9, in);
}

/* A plan that stores result to[k] of the row in variable k has the bits of eager running.
 * Its dump has so many copies, and the words once (or not at all). */
static void adam_agrees(Adam *t, const int to[3], int copies, const char *words,
                        bool once) {
    PlanStore stores[3];
    for (int k = 0; k < 3; k++) stores[k] = (PlanStore){t->s[k], t->row + to[k]};
    Tensor *value = calloc((size_t)t->g->count, sizeof *value);
    CHECK(eager_run(t->g, t->port, value, NULL));
    int n_out = t->fetched != NODE_NONE;
    Plan *plan = plan_new(t->g, t->n_ports, n_out, &t->fetched, 3, stores, NULL);
    CHECK(count_text(plan, "copy(") == copies);
    CHECK(count_text(plan, words) == once);
    for (int p = 0; p < t->n_ports; p++) plan_bind(plan, p, t->port[p].data);
    CHECK(plan_run(plan, NULL));
    for (int k = 0; k < 3; k++) CHECK(holds(t->s[k], &value[stores[k].value]));
    release_all(t->g->count, value);
    free(value);
    release_all(t->n_ports, t->port);
    plan_free(plan);
    graph_free(t->g);
    for (int k = 0; k < 3; k++) variable_release(t->s[k]);
}

static const int in_order[3] = {0, 1, 2}, crossed[3] = {1, 0, 2};

/* The optimizer's row writes all three variables in place, before or after a gather. */
static void optimizer_in_place(void) {
    Adam t = adam_new(shape(), 2, random_tensor(DTYPE_FLOAT32, shape()),
                      random_tensor(DTYPE_INT64, shape_of(1, 4L)));
    NodeId gradient = port_of(&t, 0);
    adam_update(&t, gradient);
    t.fetched = graph_op2(t.g, OP_gather, gradient, port_of(&t, 1));
    adam_agrees(&t, in_order, 0, "= adam_update(", true);
}

/* Where nothing else reads a gradient that is a large product, the row computes it itself:
 * the bits are the same, and no step writes it. */
static void optimizer_with_product(void) {
    for (int fetched = 0; fetched < 2; fetched++) {
        Shape square = shape_of(2, 150L, 150L), tall = shape_of(2, 90L, 150L);
        Adam t = adam_new(square, 2, random_tensor(DTYPE_FLOAT32, tall),
                          random_tensor(DTYPE_FLOAT32, tall));
        NodeId factors[2] = {port_of(&t, 0), port_of(&t, 1)};
        NodeId product = graph_op(t.g, OP_matmul, &(Attrs){.i = {1, 0}}, 2, factors);
        adam_update(&t, product);
        if (fetched) t.fetched = product;
        adam_agrees(&t, in_order, 0, "= matmul_adam_update(", !fetched);
    }
}

/* What the row computes for one variable may not be written over another one that it
 * reads. */
static void optimizer_crossed(void) {
    Adam t = adam_new(shape(), 1, random_tensor(DTYPE_FLOAT32, shape()), (Tensor){0});
    adam_update(&t, port_of(&t, 0));
    adam_agrees(&t, crossed, 2, "= adam_update(", true);
}

/* A captured tensor that is the variable's own memory is read as it was before the run.
 */
static void captured_variable_memory(void) {
    Graph *g = graph_new();
    Variable *w = random_variable("w", DTYPE_FLOAT32, shape());
    Tensor before = value_of(w);
    NodeId updated = graph_op1(g, OP_neg, graph_variable(g, w));
    NodeId later = graph_op2(g, OP_add, updated, graph_constant(g, &w->value));
    PlanStore store = {w, updated};
    Plan *plan = plan_new(g, 0, 1, &later, 1, &store, NULL);
    graph_free(g);
    CHECK(plan_run(plan, NULL));
    CHECK(((float *)w->value.data)[9] == -((float *)before.data)[9]);
    CHECK(((float *)plan_output(plan, 0)->data)[9] == 0);
    plan_free(plan);
    variable_release(w);
    tensor_release(&before);
}

/* A gather out of range, before and after the updates in the script: nothing is stored,
 * the error names op, line and layer, and the plan is good for the next run. */
static void failed_step_stores_nothing(bool optimize) {
    plan_set_optimize(optimize);
    Graph *g = graph_new();
    Variable *w = random_variable("w", DTYPE_FLOAT32, shape());
    Variable *u = random_variable("u", DTYPE_FLOAT32, shape());
    Variable *n = random_variable("n", DTYPE_FLOAT32, shape_of(1, 4L));
    Tensor x = random_tensor(DTYPE_FLOAT32, shape()), before_w = value_of(w);
    Tensor before_u = value_of(u), before_n = value_of(n);
    NodeId updated = graph_op2(g, OP_sub, graph_variable(g, w), input(g, 0));
    graph_locate(g, "train.lua:12", "model/embed");
    NodeId index = graph_input(g, 1, type_of(DTYPE_INT64, shape_of(1, 4L)));
    NodeId rows =
        graph_op2(g, OP_gather, updated, index); /* needs the update: it stays */
    graph_locate(g, "train.lua:20", "");
    NodeId summed = graph_sum(g, rows, 2, false);
    NodeId second = graph_op2(g, OP_gather, graph_variable(g, u), index);
    NodeId later = graph_op2(g, OP_add, graph_variable(g, u), input(g, 0));
    PlanStore stores[] = {{w, updated}, {n, summed}, {u, later}};
    Plan *plan = plan_new(g, 2, 1, &second, 3, stores, NULL);
    graph_free(g);
    int64_t good[4] = {0, 3, 1, 2}, bad[4] = {0, 3, 99, -1};
    plan_bind(plan, 0, x.data);
    plan_bind(plan, 1, bad);
    for (int again = 0; again < 2; again++) {
        Err err = {0};
        CHECK(!plan_run(plan, &err));
        CHECK_TEXT(err.text, "gather: ");
        CHECK_TEXT(err.text, "99");
        CHECK_TEXT(err.text, "(in model/embed)");
        CHECK_TEXT(err.where, "train.lua:12");
        CHECK(holds(w, &before_w) && holds(u, &before_u) && holds(n, &before_n));
    }
    plan_bind(plan, 1, good);
    CHECK(plan_run(plan, NULL));
    CHECK(!holds(w, &before_w) && !holds(u, &before_u) && !holds(n, &before_n));
    plan_free(plan);
    variable_release(w);
    variable_release(u);
    variable_release(n);
    Tensor all[] = {x, before_w, before_u, before_n};
    release_all(4, all);
    plan_set_optimize(true);
}

static void failures(void) {
    failed_step_stores_nothing(true);
    failed_step_stores_nothing(false);
    plan_set_poison(true);
    failed_step_stores_nothing(true);
    plan_set_poison(false);
}

/* An update that precedes a gather in the script is moved behind it and stays in place.
 */
static void updates_move_behind_faults(void) {
    Graph *g = graph_new();
    Variable *w = random_variable("w", DTYPE_FLOAT32, shape());
    NodeId updated = graph_op2(g, OP_sub, graph_variable(g, w), input(g, 0));
    NodeId after = graph_op1(g, OP_neg, updated);
    NodeId index = graph_input(g, 1, type_of(DTYPE_INT64, shape_of(1, 4L)));
    NodeId out[] = {after, graph_op2(g, OP_gather, input(g, 0), index)};
    PlanStore store = {w, updated};
    Plan *plan = plan_new(g, 2, 2, out, 1, &store, NULL);
    CHECK(count_text(plan, "copy(") == 0);
    char *dump = plan_dump(plan);
    CHECK(strstr(dump, "gather(") < strstr(dump, "= sub("));
    mem_free(dump);
    plan_free(plan);
    graph_free(g);
    variable_release(w);
}

/* A port bound to the memory of the variable that is stored: read as it was before the
 * run. */
static void port_reads_the_variable(void) {
    Graph *g = graph_new();
    Variable *w = random_variable("w", DTYPE_FLOAT32, shape());
    Tensor before = value_of(w), other = random_tensor(DTYPE_FLOAT32, shape()), in[2],
           want;
    in[0] = in[1] = before;
    CHECK(op_run(OP_add, NULL, 2, in, &want, NULL));
    NodeId updated = graph_op2(g, OP_add, graph_variable(g, w), input(g, 0));
    NodeId out = graph_op1(g, OP_neg, input(g, 0));
    PlanStore store = {w, updated};
    Plan *plan = plan_new(g, 1, 1, &out, 1, &store, NULL);
    graph_free(g);
    CHECK(count_text(plan, "copy(") == 0);
    plan_bind(plan, 0, w->value.data);
    CHECK(plan_run(plan, NULL));
    CHECK(holds(w, &want));
    CHECK(((float *)plan_output(plan, 0)->data)[3] == -((float *)before.data)[3]);
    plan_bind(plan, 0, other.data);
    CHECK(plan_run(plan, NULL));
    CHECK(((float *)plan_output(plan, 0)->data)[3] == -((float *)other.data)[3]);
    plan_free(plan);
    variable_release(w);
    Tensor all[] = {before, other, want};
    release_all(3, all);
}

/* Running sums of a metric are cast, divided and added in place: such rows cannot fail.
 */
static void harmless_rows_do_not_count_as_failing(void) {
    Graph *g = graph_new();
    Variable *total = random_variable("total", DTYPE_FLOAT32, shape_of(0));
    NodeId sum =
        graph_op2(g, OP_add, graph_variable(g, total), graph_sum(g, input(g, 0), 3, 0));
    NodeId big = graph_cast(g, graph_op2(g, OP_gt, input(g, 0), sum), DTYPE_FLOAT32);
    NodeId out = graph_op2(g, OP_floordiv, graph_sum(g, big, 3, 0), sum);
    PlanStore store = {total, sum};
    Plan *plan = plan_new(g, 1, 1, &out, 1, &store, NULL);
    graph_free(g);
    CHECK(count_text(plan, "copy(") == 0);
    char *dump = plan_dump(plan);
    CHECK(strstr(dump, "'total' = add(") &&
          strstr(dump, "= add(") < strstr(dump, "= cast("));
    mem_free(dump);
    plan_free(plan);
    variable_release(total);
}

static void wrong_types_are_refused(void) {
    Graph *g = graph_new();
    Variable *w = random_variable("dense/kernel", DTYPE_FLOAT32, shape_of(1, 3L));
    PlanStore store = {w, input(g, 0)};
    Err err = {0};
    CHECK(!plan_new(g, 1, 0, NULL, 1, &store, &err));
    CHECK_TEXT(err.text, "variable 'dense/kernel' is float32{3}");
    CHECK_TEXT(err.text, "float32{30, 400}");
    CHECK(w->references == 1);
    graph_free(g);
    variable_release(w);
}

TEST_MAIN(update_in_place, old_value_read_later, not_over_a_matrix_operand,
          swap_and_rotate, shared_same_and_double, leaves_stored, optimizer_in_place,
          optimizer_with_product, optimizer_crossed, captured_variable_memory, failures,
          updates_move_behind_faults, port_reads_the_variable,
          harmless_rows_do_not_count_as_failing, wrong_types_are_refused)
