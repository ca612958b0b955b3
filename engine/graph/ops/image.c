/* Images. Each op is linear in the images, so its gradient is its transpose, and the
 * gradient of that the op itself. */
#include "graph/ops/rules.h"

/* Places in attrs.i. */
enum { AXIS, SIZE, KERNEL_OF, ANTIALIAS };
enum { INTERPOLATION, FILL };

static bool expect_choice(const char *what, int64_t given, int64_t count, Err *err) {
    if (given >= 0 && given < count) return true;
    return err_set(err, "%s %lld, wanted one from 0 to %lld", what, (long long)given,
                   (long long)count - 1);
}

bool types_resize(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    int axis;
    if (!rule_axis(attrs, AXIS, &in[0].shape, &axis, err)) return false;
    if (!expect_choice("kernel", attrs->i[KERNEL_OF], 4, err)) return false;
    Shape y = in[0].shape;
    y.dim[axis] = attrs->i[SIZE];
    if (y.dim[axis] < 1 || in[0].shape.dim[axis] < 1)
        return err_set(err, "axis %d has size %lld, which cannot become %lld", axis + 1,
                       (long long)in[0].shape.dim[axis], (long long)y.dim[axis]);
    if (!shape_check(&y, sizeof(double), err)) return false;
    out[0] = (Type){in[0].dtype, y};
    return true;
}

bool types_affine_transform(const Attrs *attrs, int count, const Type in[], Type out[],
                            Err *err) {
    char images[SHAPE_TEXT], numbers[SHAPE_TEXT];
    const Shape *x = &in[0].shape, *t = &in[1].shape;
    if (x->ndim != 4)
        return err_set(err, "images of shape %s, wanted {batch, rows, columns, channels}",
                       shape_text(x, images));
    if (t->ndim != 2 || t->dim[1] != 8 || (t->dim[0] != 1 && t->dim[0] != x->dim[0]))
        return err_set(err, "transforms of shape %s for images %s, wanted {%lld, 8}",
                       shape_text(t, numbers), shape_text(x, images),
                       (long long)x->dim[0]);
    if (!expect_choice("interpolation", attrs->i[INTERPOLATION], 2, err)) return false;
    if (!expect_choice("fill mode", attrs->i[FILL], 5, err)) return false;
    out[0] = in[0];
    return true;
}

/* ---- gradients ---- */

static void transposed_resize(Graph *g, GradCall *call, OpId op) {
    Attrs back = *call->attrs;
    back.i[SIZE] = graph_type(g, call->in[0])->shape.dim[back.i[AXIS]];
    call->din[0] = graph_op(g, op, &back, 1, call->dout);
}

void grad_resize(Graph *g, GradCall *call) { transposed_resize(g, call, OP_resize_grad); }
void grad_resize_grad(Graph *g, GradCall *call) { transposed_resize(g, call, OP_resize); }

static void transposed_affine(Graph *g, GradCall *call, OpId op) {
    if (call->need[1]) {
        err_set_at(&g->err, g->where,
                   "affine_transform has no gradient with respect to its transforms");
        return;
    }
    Attrs back = {.i = {call->attrs->i[INTERPOLATION], call->attrs->i[FILL]}};
    call->din[0] = graph_op(g, op, &back, 2, (NodeId[]){call->dout[0], call->in[1]});
}

void grad_affine_transform(Graph *g, GradCall *call) {
    transposed_affine(g, call, OP_affine_transform_grad);
}
void grad_affine_transform_grad(Graph *g, GradCall *call) {
    transposed_affine(g, call, OP_affine_transform);
}
