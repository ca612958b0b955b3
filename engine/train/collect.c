#include "train/collect.h"
#include <string.h>
#include "base/mem.h"

static bool check_outputs(const Plan *plan, int64_t rows, Err *err) {
    char text[SHAPE_TEXT];
    for (int k = 0; k < plan_outputs(plan); k++) {
        const Shape *shape = &plan_output(plan, k)->shape;
        if (shape->ndim < 1 || shape->dim[0] != rows)
            return err_set(
                err,
                "output %d has shape %s for a batch of %lld; its first axis must be "
                "the batch",
                k + 1, shape_text(shape, text), (long long)rows);
    }
    return true;
}

/* Rows [0, count) of a tensor: a view. */
static bool first_rows(const Tensor *t, int64_t first, int64_t count, Tensor *view,
                       Err *err) {
    int64_t start[SHAPE_MAX] = {first}, size[SHAPE_MAX], step[SHAPE_MAX];
    for (int i = 0; i < t->shape.ndim; i++) size[i] = t->shape.dim[i], step[i] = 1;
    size[0] = count;
    return tensor_slice(t, start, size, step, view, err);
}

/* Moves every output to a tensor with room for `room` rows. */
static bool resize(Collect *collect, int64_t room, Err *err) {
    for (int k = 0; k < collect->n; k++) {
        Tensor *old = &collect->output[k], made;
        if (old->shape.dim[0] == room) continue;
        Shape shape = old->shape;
        shape.dim[0] = room;
        if (!tensor_new(&made, old->dtype, shape, err)) return false;
        size_t bytes = tensor_bytes(old) < tensor_bytes(&made) ? tensor_bytes(old)
                                                               : tensor_bytes(&made);
        memcpy(made.data, old->data, bytes);
        tensor_release(old);
        *old = made;
    }
    collect->room = room;
    return true;
}

static bool begin(Collect *collect, const Plan *plan, int64_t room, Err *err) {
    int n = plan_outputs(plan);
    collect->output = mem_zalloc((size_t)n * sizeof *collect->output);
    if (!collect->output) return err_set(err, "out of memory for %d outputs", n);
    for (int k = 0; k < n; k++) {
        const Operand *from = plan_output(plan, k);
        Shape shape = from->shape;
        shape.dim[0] = room;
        if (!tensor_new(&collect->output[k], from->dtype, shape, err)) return false;
        collect->n = k + 1;
    }
    collect->room = room;
    return true;
}

/* Batches of another size may give other sizes in the further axes (padded sequences). */
static bool check_same(const Collect *collect, const Plan *plan, Err *err) {
    char first[SHAPE_TEXT], now[SHAPE_TEXT];
    for (int k = 0; k < collect->n; k++) {
        const Operand *from = plan_output(plan, k);
        Shape shape = from->shape;
        shape.dim[0] = collect->room;
        if (from->dtype != collect->output[k].dtype ||
            !shape_equal(&shape, &collect->output[k].shape))
            return err_set(
                err,
                "output %d changes its shape between batches and cannot be joined: "
                "rows of %s, then of %s",
                k + 1, shape_text(&collect->output[k].shape, first),
                shape_text(&shape, now));
    }
    return true;
}

bool collect_add(Collect *collect, const Plan *plan, int64_t rows, int64_t expected,
                 Err *err) {
    if (!check_outputs(plan, rows, err)) return false;
    if (!collect->output && !begin(collect, plan, expected > rows ? expected : rows, err))
        return false;
    if (!check_same(collect, plan, err)) return false;
    int64_t needed = collect->rows + rows;
    if (needed > collect->room &&
        !resize(collect, needed > 2 * collect->room ? needed : 2 * collect->room, err))
        return false;
    for (int k = 0; k < collect->n; k++) {
        const Operand *from = plan_output(plan, k);
        Tensor *to = &collect->output[k];
        size_t row = tensor_bytes(to) / (size_t)collect->room;
        memcpy(to->data + (size_t)collect->rows * row, from->data, (size_t)rows * row);
    }
    collect->rows = needed;
    return true;
}

bool collect_finish(Collect *collect, Err *err) {
    return !collect->output || resize(collect, collect->rows, err);
}

bool collect_tail(const Collect *collect, int k, int64_t rows, Tensor *view, Err *err) {
    return first_rows(&collect->output[k], collect->rows - rows, rows, view, err);
}

void collect_release(Collect *collect) {
    for (int k = 0; k < collect->n; k++) tensor_release(&collect->output[k]);
    mem_free(collect->output);
    *collect = (Collect){0};
}
