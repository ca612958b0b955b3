/* What the tests of plans share: random tensors, and the graph run op by op, against
 * which plans are compared bit for bit. */
#ifndef CDL_TESTS_PLAN_SUPPORT_H
#define CDL_TESTS_PLAN_SUPPORT_H
#include <stdlib.h>
#include "base/philox.h"
#include "plan/plan.h"
#include "test.h"

static uint64_t draws;

/* A number from [0, n); the same sequence in every run. */
__attribute__((unused)) static int64_t draw(int64_t n) {
    Philox bits = philox(7, 0, draws++);
    return (int64_t)philox_below(bits.word[0], bits.word[1], (uint64_t)n);
}

/* Floats from [-2, 2), integers from 0..3. */
__attribute__((unused)) static Tensor random_tensor(DType dtype, Shape shape) {
    Tensor t = {0};
    if (!tensor_new(&t, dtype, shape, NULL)) abort();
    for (int64_t k = 0; k < tensor_size(&t); k++)
        dtype_store(dtype, t.data + (size_t)k * dtype_size(dtype),
                    dtype_is_float(dtype) ? (double)draw(1 << 20) / (1 << 18) - 2
                    : dtype == DTYPE_BOOL ? (double)draw(2)
                                          : (double)draw(4));
    return t;
}

__attribute__((unused)) static Type type_of(DType dtype, Shape shape) {
    return (Type){dtype, shape};
}

__attribute__((unused)) static Variable *random_variable(const char *path, DType dtype,
                                                         Shape shape) {
    Tensor value = random_tensor(dtype, shape);
    Variable *variable = variable_new(path, &value, true, NULL);
    if (!variable) abort();
    tensor_release(&value);
    return variable;
}

/* Runs every node with op_run; value[] has graph->count entries. False: an op failed. */
__attribute__((unused)) static bool eager_run(const Graph *g, const Tensor ports[],
                                              Tensor value[], Err *err) {
    bool good = true;
    memset(value, 0, (size_t)g->count * sizeof *value);
    for (NodeId id = 0; id < g->count && good; id++) {
        const Node *node = &g->nodes[id];
        Tensor in[OP_MAX_IN];
        if (node->op == OP_LEAF_INPUT)
            value[id] = tensor_retain(&ports[node->attrs->i[0]]);
        else if (node->op == OP_LEAF_VARIABLE)
            good = tensor_copy(&node->variable->value, &value[id], err);
        else if (node->op == OP_LEAF_CONSTANT)
            value[id] = tensor_retain(&node->constant);
        if (node->op >= OP_COUNT) continue;
        for (int k = 0; k < node->n_in; k++) in[k] = value[node->in[k]];
        good = op_run(node->op, node->attrs, node->n_in, in, &value[id], err);
    }
    return good;
}

__attribute__((unused)) static void release_all(int64_t n, Tensor value[]) {
    for (int64_t k = 0; k < n; k++)
        if (value[k].buffer) tensor_release(&value[k]);
}

/* Do an output and a tensor agree in type and in every bit? */
__attribute__((unused)) static bool same_bits(const Operand *output, const Tensor *want) {
    Tensor flat;
    if (output->dtype != want->dtype || !shape_equal(&output->shape, &want->shape))
        return false;
    if (!tensor_contiguous(want, &flat, NULL)) return false;
    bool same = memcmp(output->data, flat.data, tensor_bytes(want)) == 0;
    tensor_release(&flat);
    return same;
}

/* Makes a plan of these outputs, runs it with the ports, and compares with the eager run.
 */
__attribute__((unused)) static bool plan_agrees(const Graph *g, int n_ports,
                                                const Tensor ports[], int n_out,
                                                const NodeId out[]) {
    Err err = {0};
    Tensor *value = calloc((size_t)g->count + 1, sizeof *value);
    Plan *plan = plan_new(g, n_ports, n_out, out, 0, NULL, &err);
    bool good = plan != NULL;
    for (int p = 0; good && p < n_ports; p++) plan_bind(plan, p, ports[p].data);
    good = good && eager_run(g, ports, value, &err);
    for (int again = 0; good && again < 2; again++) {
        good = plan_run(plan, &err);
        for (int k = 0; good && k < n_out; k++) {
            good = same_bits(plan_output(plan, k), &value[out[k]]);
            if (!good)
                err_set(&err, "output %d, node %d (%s), differs", k, (int)out[k],
                        op_name(g->nodes[out[k]].op));
        }
    }
    if (!good) fprintf(stderr, "plan_agrees: %s\n", err.text);
    release_all(g->count, value);
    free(value);
    plan_free(plan);
    return good;
}

#endif
