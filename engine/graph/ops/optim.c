/* Updates of the optimizers: state in, new state out. */
#include "graph/ops/rules.h"

/* p, the state, the gradient, then scalars; the outputs are p and the state. The rows
 * differ in how many tensors their state has: adam's last input, t, is an integer. */
static int count_state(int count, const Type in[]) {
    if (count == 3) return 1; /* sgd: p */
    if (count == 5) return 2; /* momentum: p, m; adagrad: p, a */
    return in[count - 1].dtype == DTYPE_INT64 ? 3 /* adam: p, m, v */ : 4 /* rmsprop */;
}

bool types_update(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    int state = count_state(count, in);
    const Shape *shape = &in[0].shape;
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    for (int k = 0; k < count; k++) {
        const Type *type = &in[k];
        bool counter = state == 3 && k == count - 1;
        if (type->dtype != DTYPE_FLOAT32 && !counter)
            return err_set(err, "input %d has dtype %s, wanted float32", k + 1,
                           dtype_name(type->dtype));
        bool scalar = type->shape.ndim == 0;
        bool like_p = shape_equal(&type->shape, shape);
        bool unused_state = state == 4 && (k == 2 || k == 3) && scalar;
        if (k <= state && !like_p && !unused_state)
            return err_set(err, "input %d has shape %s, wanted the parameter's shape %s",
                           k + 1, shape_text(&type->shape, first),
                           shape_text(shape, second));
        if (k > state && !scalar)
            return err_set(err, "input %d has shape %s, wanted a scalar", k + 1,
                           shape_text(&type->shape, first));
    }
    for (int k = 0; k < state; k++) out[k] = in[k];
    return true;
}

bool types_matmul_update(const Attrs *attrs, int count, const Type in[], Type out[],
                         Err *err) {
    const Attrs transposed = {.i = {attrs->i[2], attrs->i[3]}};
    Type update[OP_MAX_IN], factors[2];
    const int gradient = count_state(count - 1, in);
    for (int k = 0; k < count - 1; k++) update[k] = in[k];
    factors[0] = in[gradient];
    factors[1] = in[count - 1];
    return types_matmul(&transposed, 2, factors, &update[gradient], err) &&
           types_update(attrs, count - 1, update, out, err);
}

/* Where the gradient stands, there are slices of it: any axes, then those of a row of p.
 * The last input, {2, n}, orders these n slices. */
bool types_update_rows(const Attrs *attrs, int count, const Type in[], Type out[],
                       Err *err) {
    Type dense[OP_MAX_IN];
    for (int k = 0; k < count - 1; k++) dense[k] = in[k];
    int gradient = count_state(count - 1, in);
    const Shape *p = &in[0].shape, *slices = &in[gradient].shape;
    const Type *order = &in[count - 1];
    int before = slices->ndim - (p->ndim - 1);
    bool fits = p->ndim > 0 && before >= 0;
    int64_t n = 1;
    for (int k = 0; fits && k < before; k++) n *= slices->dim[k];
    for (int k = 1; fits && k < p->ndim; k++)
        fits = slices->dim[before + k - 1] == p->dim[k];
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    if (!fits)
        return err_set(err, "input %d has shape %s, wanted slices of the parameter's %s",
                       gradient + 1, shape_text(slices, first), shape_text(p, second));
    const Shape wanted = {2, {2, n}};
    if (order->dtype != DTYPE_INT64 || !shape_equal(&order->shape, &wanted))
        return err_set(err, "input %d is %s%s, wanted the order of %lld slices, int64",
                       count, dtype_name(order->dtype), shape_text(&order->shape, first),
                       (long long)n);
    dense[gradient].shape = *p;
    return types_update(attrs, count - 1, dense, out, err);
}
