/* Building graphs: nodes, sticky errors, folding, the verifier and the dump; variables.
 */
#include "test.h"
#include "evaluate.h"

static Type type2(DType dtype, int64_t rows, int64_t columns) {
    return (Type){dtype, shape_of(2, rows, columns)};
}

static void builds_in_order(void) {
    Graph *g = graph_new();
    NodeId x = graph_input(g, 3, type2(DTYPE_FLOAT32, 4, 5));
    NodeId n = graph_number(g, DTYPE_FLOAT32, 2);
    NodeId y = graph_op2(g, OP_mul, x, n);
    CHECK(x == 0 && n == 1 && y == 2 && g->count == 3);
    CHECK(g->nodes[y].n_in == 2 && g->nodes[y].in[0] == x && g->nodes[y].in[1] == n);
    CHECK(g->nodes[x].attrs->i[0] == 3 && g->nodes[n].number);
    CHECK(graph_number(g, DTYPE_FLOAT32, 2) == n);
    CHECK(graph_number(g, DTYPE_FLOAT64, 2) != n);
    CHECK(graph_number(g, DTYPE_FLOAT32, 0) != graph_number(g, DTYPE_FLOAT32, -0.0));

    NodeId values = graph_op(g, OP_sort, &(Attrs){.i = {1}}, 1, &x);
    CHECK(g->nodes[values + 1].op == OP_OUTPUT && g->nodes[values + 1].in[0] == values);
    CHECK(graph_type(g, values + 1)->dtype == DTYPE_INT64 && g->count == values + 2);
    for (int k = 0; k < 1000; k++)
        y = graph_op2(g, OP_add, y, x); /* the node array grows */
    CHECK(y == values + 1001 && g->nodes[y].in[0] == y - 1);
    Err err = {0};
    CHECK(graph_verify(g, &err) && !g->err.set);
    graph_free(g);
}

static void casts_inputs(void) {
    Graph *g = graph_new();
    NodeId bytes = graph_input(g, 0, type2(DTYPE_UINT8, 2, 3));
    NodeId floats = graph_input(g, 1, type2(DTYPE_FLOAT32, 2, 3));
    NodeId sum = graph_op2(g, OP_add, bytes, floats);
    CHECK(graph_type(g, sum)->dtype == DTYPE_FLOAT32);
    CHECK(g->nodes[g->nodes[sum].in[0]].op == OP_cast && g->nodes[sum].in[1] == floats);
    NodeId taken = graph_op2(g, OP_gather, bytes, floats);
    const Node *cast = &g->nodes[g->nodes[taken].in[1]];
    CHECK(cast->op == OP_cast && cast->attrs->i[0] == DTYPE_INT64 &&
          cast->attrs->i[1] == 1);
    NodeId plain = graph_op2(g, OP_gather, floats, bytes);
    CHECK(g->nodes[g->nodes[plain].in[1]].attrs->i[1] == 0);
    graph_free(g);
}

static void folds(void) {
    Graph *g = graph_new();
    Type type = type2(DTYPE_FLOAT32, 2, 3);
    NodeId x = graph_input(g, 0, type);
    CHECK(graph_cast(g, x, DTYPE_FLOAT32) == x);
    CHECK(graph_reshape(g, x, &type.shape) == x && graph_expand(g, x, &type.shape) == x);
    CHECK(graph_permute(g, x, (int[]){0, 1}) == x && graph_sum(g, x, 0, false) == x);
    CHECK(graph_sum_to(g, x, &type.shape) == x && graph_scale(g, x, 1) == x);
    CHECK(graph_shift(g, x, 0) == x && g->count == 1);
    CHECK(graph_op1(g, OP_stop_gradient, x) != x);
    NodeId half = graph_number(g, DTYPE_FLOAT32, 2.5);
    NodeId cut = graph_cast(g, half, DTYPE_INT64);
    CHECK(g->nodes[cut].number && *(int64_t *)g->nodes[cut].constant.data == 2);
    NodeId wrapped = graph_number(g, DTYPE_UINT8, -1);
    CHECK(*(uint8_t *)g->nodes[wrapped].constant.data == 255);
    NodeId yes = graph_number(g, DTYPE_BOOL, 0.5);
    CHECK(*(uint8_t *)g->nodes[yes].constant.data == 1);
    NodeId checked = graph_op(g, OP_cast, &(Attrs){.i = {DTYPE_INT64, 1}}, 1, &half);
    CHECK(g->nodes[checked].op == OP_cast); /* faults when it runs */
    graph_free(g);
}

static void sums_to_shapes(void) {
    Graph *g = graph_new();
    NodeId x = graph_input(
        g, 0, (Type){DTYPE_FLOAT64, shape_of(3, INT64_C(2), INT64_C(3), INT64_C(2))});
    Shape column = shape_of(2, INT64_C(3), INT64_C(1)), scalar = shape_of(0);
    NodeId to_column = graph_sum_to(g, x, &column),
           to_scalar = graph_sum_to(g, x, &scalar);
    NodeId zeros = graph_zeros(g, (Type){DTYPE_INT32, column});
    double values[12];
    for (int k = 0; k < 12; k++) values[k] = k;
    Tensor port = tensor_of(graph_type(g, x)->shape, values), out;
    Err err = {0};
    CHECK(shape_equal(&graph_type(g, to_column)->shape, &column));
    CHECK(evaluate(g, &port, to_column, &out, &err));
    CHECK(element(&out, 0) == 0 + 1 + 6 + 7 && element(&out, 2) == 4 + 5 + 10 + 11);
    tensor_release(&out);
    CHECK(evaluate(g, &port, to_scalar, &out, &err) && element(&out, 0) == 66);
    tensor_release(&out);
    CHECK(evaluate(g, &port, zeros, &out, &err) && tensor_size(&out) == 3);
    CHECK(element(&out, 2) == 0 && out.dtype == DTYPE_INT32);
    tensor_release(&out);
    tensor_release(&port);
    graph_free(g);
}

static void errors_stick(void) {
    Graph *g = graph_new();
    graph_locate(g, "script.lua:12", "model/dense");
    NodeId x = graph_input(g, 0, type2(DTYPE_FLOAT32, 2, 3));
    NodeId y = graph_op2(g, OP_matmul, x, x);
    CHECK(y == NODE_NONE && g->err.set);
    CHECK_TEXT(g->err.where, "script.lua:12");
    CHECK_TEXT(g->err.text,
               "matmul: shapes {2, 3} and {2, 3}: the inner sizes 3 and 2 differ");
    CHECK_TEXT(g->err.text, "(in model/dense)");
    NodeId count = g->count;
    graph_locate(g, "script.lua:13", "");
    CHECK(graph_op1(g, OP_exp, y) == NODE_NONE && graph_op1(g, OP_exp, x) == NODE_NONE);
    CHECK(graph_number(g, DTYPE_FLOAT32, 1) == NODE_NONE);
    CHECK(graph_sum_to(g, y, &g->nodes[x].type.shape) == NODE_NONE);
    CHECK(graph_scale(g, y, 2) == NODE_NONE && graph_permute(g, y, NULL) == NODE_NONE);
    CHECK(g->count == count);
    CHECK_TEXT(g->err.where, "script.lua:12");
    graph_free(g);

    g = graph_new();
    x = graph_input(g, 0, type2(DTYPE_FLOAT32, 2, 3));
    NodeId many[OP_MAX_IN + 1];
    for (int k = 0; k <= OP_MAX_IN; k++) many[k] = x;
    CHECK(graph_op(g, OP_concat, NULL, OP_MAX_IN + 1, many) == NODE_NONE);
    CHECK_TEXT(g->err.text, "concat: takes 1 to 64 inputs, 65 given");
    graph_free(g);
}

static bool build_something(Graph *g) {
    graph_locate(g, "script.lua:1", "model");
    NodeId x = graph_input(g, 0, type2(DTYPE_FLOAT32, 8, 3));
    NodeId y = graph_op(g, OP_sort, &(Attrs){.i = {1}}, 1, &x), dx;
    for (int k = 0; k < 100; k++) y = graph_shift(g, graph_op1(g, OP_tanh, y), 0.5 + k);
    return graph_gradients(g, 1, &y, NULL, 1, &x, &dx);
}

/* Whichever allocation fails: an error on the graph, nothing broken, nothing lost. */
static void out_of_memory(void) {
    int failures = 0;
    for (int n = 1; n < 400; n += 3) {
        tensor_trim();
        Graph *g = graph_new();
        mem_fail_at(n);
        bool done = build_something(g);
        mem_fail_at(0);
        Err err = {0};
        CHECK(done != g->err.set);
        CHECK(graph_verify(g, &err));
        failures += !done;
        graph_free(g);
    }
    CHECK(failures > 10);
    mem_fail_at(1);
    CHECK(graph_new() == NULL);
    mem_fail_at(0);
    CHECK(tensor_alive() == 0);
}

/* ---- the verifier ---- */

typedef struct Broken {
    Graph *g;
    NodeId x, w, y, sorted;
} Broken;

static Broken broken_new(void) {
    Broken b = {.g = graph_new()};
    b.x = graph_input(b.g, 0, type2(DTYPE_FLOAT32, 2, 3));
    b.w = graph_input(b.g, 1, type2(DTYPE_FLOAT32, 3, 4));
    b.y = graph_op2(b.g, OP_matmul, b.x, b.w);
    b.sorted = graph_op1(b.g, OP_sort, b.x);
    Err err = {0};
    CHECK(graph_verify(b.g, &err));
    return b;
}

static void broken_check(Broken *b, const char *text) {
    Err err = {0};
    CHECK(!graph_verify(b->g, &err));
    CHECK_TEXT(err.text, text);
    graph_free(b->g);
    *b = broken_new();
}

static void verifier_finds(void) {
    Broken b = broken_new();
    Node *nodes = b.g->nodes;
    nodes[b.y].in = (NodeId[]){b.x, b.y};
    broken_check(&b, "uses %2, which is not before it");
    b.g->nodes[b.y].in = (NodeId[]){b.x, b.x};
    broken_check(&b, "%2 matmul: shapes");
    b.g->nodes[b.y].n_in = 1;
    broken_check(&b, "takes 2 inputs, 1 given");
    b.g->nodes[b.y].type.dtype = DTYPE_FLOAT64;
    broken_check(&b, "not of the type that its rule gives");
    b.g->nodes[b.x].type.dtype = DTYPE_INT32;
    broken_check(&b, "input 1 is int32, wanted float32");
    b.g->nodes[b.sorted + 1].attrs = &(Attrs){.i = {2}};
    broken_check(&b, "output 1 does not follow it");
    b.g->nodes[b.sorted + 1].type.dtype = DTYPE_INT32;
    broken_check(&b, "not of the type that %3 gives");
    b.g->count--;
    broken_check(&b, "output 1 does not follow it");
    b.g->nodes[b.y].op = OP_OUTPUT;
    broken_check(&b, "%2 is an output of nothing");
    b.g->nodes[b.y].attrs = NULL;
    broken_check(&b, "no attributes");
    b.g->nodes[b.x].op = OP_LEAF_CONSTANT;
    broken_check(&b, "%0 has no value");
    graph_free(b.g);
}

/* ---- variables and the dump ---- */

static void variables_live_on(void) {
    Err err = {0};
    Tensor start = tensor_of(shape_of(1, INT64_C(2)), (double[]){1, 2});
    Tensor wrong = tensor_of(shape_of(1, INT64_C(3)), (double[]){1, 2, 3}), later;
    Variable *a = variable_new("model/a", &start, true, &err);
    Variable *b = variable_new("model/b", &start, false, &err);
    CHECK(a && b && a->id != b->id && a->trainable && !b->trainable);
    CHECK(a->value.data != start.data && tensor_is_contiguous(&a->value));
    Graph *g = graph_new();
    NodeId node = graph_variable(g, a);
    CHECK(graph_variable(g, a) == node && graph_variable(g, b) != node);
    CHECK(a->references == 2);
    CHECK(variable_retain(a) == a && a->references == 3);
    variable_release(a);

    const char *address = a->value.data;
    CHECK(!variable_assign(a, &wrong, &err) && element(&a->value, 0) == 1);
    CHECK_TEXT(err.text,
               "variable 'model/a' has shape {2}, the value given has shape {3}");
    err = (Err){0};
    Tensor numbers = integers_of(shape_of(1, INT64_C(2)), (int64_t[]){7, 8});
    CHECK(variable_assign(a, &numbers, &err));
    CHECK(element(&a->value, 1) == 8 && a->value.data == address);
    CHECK(element(&b->value, 1) == 2 && element(&start, 1) == 2);
    CHECK(evaluate(g, NULL, node, &later, &err) && element(&later, 0) == 7);

    for (int n = 1; n < 4; n++) {
        tensor_trim();
        mem_fail_at(n);
        CHECK(!variable_new("model/c", &start, true, &err));
        err = (Err){0};
    }
    mem_fail_at(0);
    variable_release(a); /* the graph keeps it */
    CHECK(g->nodes[node].variable->references == 1);
    graph_free(g);
    variable_release(b);
    variable_release(NULL);
    tensor_release(&later);
    tensor_release(&numbers);
    tensor_release(&start);
    tensor_release(&wrong);
}

static void dumps(void) {
    Graph *g = graph_new();
    Err err = {0};
    Tensor value = tensor_of(shape_of(1, INT64_C(3)), (double[]){1, 2, 3});
    Variable *variable = variable_new("model/dense/bias", &value, true, &err);
    NodeId x = graph_input(g, 0, type2(DTYPE_FLOAT64, 2, 3));
    graph_locate(g, "train.lua:12", "model/dense");
    NodeId y = graph_op2(g, OP_add, x, graph_variable(g, variable));
    graph_op1(g, OP_sort, y);
    graph_locate(g, "train.lua:13", "");
    graph_op(g, OP_clip, &(Attrs){.f = {0, 0.5}}, 1, &y);
    graph_scale(g, graph_constant(g, &value), 0.25);
    char *text = graph_dump(g);
    CHECK_TEXT(text, "%0 float64{2, 3} = input 0\n");
    CHECK_TEXT(
        text, "%1 float64{3} = variable model/dense/bias  # model/dense  train.lua:12\n");
    CHECK_TEXT(text, "%2 float64{2, 3} = add(%0, %1)  # model/dense  train.lua:12\n");
    CHECK_TEXT(text, "%4 int64{2, 3} = output 1 of %3");
    CHECK_TEXT(text, "%5 float64{2, 3} = clip(%2; f 0, 0.5)  #  train.lua:13\n");
    CHECK_TEXT(text, "= constant  #  train.lua:13\n");
    CHECK_TEXT(text, " float64{} = 0.25  #");
    mem_free(text);
    mem_fail_at(1);
    CHECK(graph_dump(g) == NULL);
    mem_fail_at(0);
    graph_free(g);

    g = graph_new();
    text = graph_dump(g);
    CHECK(text && !*text);
    mem_free(text);
    graph_free(g);
    variable_release(variable);
    tensor_release(&value);
}

static void nothing_left(void) {
    CHECK(tensor_alive() == 0);
    tensor_trim();
    CHECK(mem_bytes() == 0);
}

TEST_MAIN(builds_in_order, casts_inputs, folds, sums_to_shapes, errors_stick,
          out_of_memory, verifier_finds, variables_live_on, dumps, nothing_left)
