/* Ops that move elements and compute nothing. */
#include "graph/ops/rules.h"

enum { BOX_MAX = 6 }; /* axes of slice, unslice and pad */

/* ---- shapes ---- */

bool types_reshape(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    Shape shape = {0};
    if (!rule_shape(attrs, 0, &shape, err)) return false;
    if (shape_size(&shape) != shape_size(&in[0].shape)) {
        char from[SHAPE_TEXT], to[SHAPE_TEXT];
        return err_set(err, "shape %s has %lld elements, %s has %lld",
                       shape_text(&in[0].shape, from),
                       (long long)shape_size(&in[0].shape), shape_text(&shape, to),
                       (long long)shape_size(&shape));
    }
    out[0] = (Type){in[0].dtype, shape};
    return true;
}

bool types_permute(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    const Shape *shape = &in[0].shape;
    Type moved = in[0];
    uint32_t seen = 0;
    for (int k = 0; k < shape->ndim; k++) {
        int axis;
        if (!rule_axis(attrs, k, shape, &axis, err)) return false;
        if (seen >> axis & 1) return err_set(err, "axis %d is named twice", axis + 1);
        seen |= 1u << axis;
        moved.shape.dim[k] = shape->dim[axis];
    }
    out[0] = moved;
    return true;
}

bool types_broadcast(const Attrs *attrs, int count, const Type in[], Type out[],
                     Err *err) {
    Shape wanted = {0}, both;
    if (!rule_shape(attrs, 0, &wanted, err)) return false;
    if (!shape_broadcast(&in[0].shape, &wanted, &both, NULL) ||
        !shape_equal(&both, &wanted)) {
        char from[SHAPE_TEXT], to[SHAPE_TEXT];
        return err_set(err, "shape %s does not broadcast to %s",
                       shape_text(&in[0].shape, from), shape_text(&wanted, to));
    }
    out[0] = (Type){in[0].dtype, wanted};
    return true;
}

static bool box_axes(const Shape *shape, Err *err) {
    if (shape->ndim <= BOX_MAX) return true;
    char text[SHAPE_TEXT];
    return err_set(err, "at most %d axes, shape %s has %d", BOX_MAX,
                   shape_text(shape, text), shape->ndim);
}

/* Indices start, start + step, ... (count of them) of axis k lie inside the shape. */
static bool box_inside(int k, int64_t start, int64_t count, int64_t step,
                       const Shape *shape, Err *err) {
    char text[SHAPE_TEXT];
    if (step == 0) return err_set(err, "axis %d: the step is 0", k + 1);
    if (count < 0)
        return err_set(err, "axis %d: a range of %lld", k + 1, (long long)count);
    if (count == 0) return true;
    int64_t size = shape->dim[k], last;
    if (!__builtin_mul_overflow(count - 1, step, &last) &&
        !__builtin_add_overflow(last, start, &last) && start >= 0 && start < size &&
        last >= 0 && last < size)
        return true;
    return err_set(
        err, "axis %d: %lld elements from %lld in steps of %lld leave shape %s", k + 1,
        (long long)count, (long long)start + 1, (long long)step, shape_text(shape, text));
}

bool types_slice(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    const Shape *shape = &in[0].shape;
    if (!box_axes(shape, err)) return false;
    Type box = in[0];
    for (int k = 0; k < shape->ndim; k++) {
        box.shape.dim[k] = attrs->i[6 + k];
        if (!box_inside(k, attrs->i[k], box.shape.dim[k], attrs->i[12 + k], shape, err))
            return false;
    }
    out[0] = box;
    return true;
}

bool types_unslice(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    const Shape *shape = &in[0].shape;
    if (!box_axes(shape, err)) return false;
    Type whole = in[0];
    for (int k = 0; k < shape->ndim; k++) whole.shape.dim[k] = attrs->i[6 + k];
    for (int k = 0; k < shape->ndim; k++)
        if (!box_inside(k, attrs->i[k], shape->dim[k], attrs->i[12 + k], &whole.shape,
                        err))
            return false;
    out[0] = whole;
    return true;
}

bool types_pad(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    if (!box_axes(&in[0].shape, err)) return false;
    Type padded = in[0];
    for (int k = 0; k < padded.shape.ndim; k++) {
        int64_t before = attrs->i[2 * k], after = attrs->i[2 * k + 1];
        int64_t *dim = &padded.shape.dim[k];
        if (before < 0 || after < 0)
            return err_set(err, "axis %d: padding of %lld and %lld, wanted 0 or more",
                           k + 1, (long long)before, (long long)after);
        if (__builtin_add_overflow(*dim, before, dim) ||
            __builtin_add_overflow(*dim, after, dim))
            return err_set(err, "axis %d: padding of %lld and %lld is too large", k + 1,
                           (long long)before, (long long)after);
    }
    out[0] = padded;
    return true;
}

bool types_concat(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    int axis;
    if (!rule_axis(attrs, 0, &in[0].shape, &axis, err)) return false;
    Type joined = in[0];
    for (int k = 1; k < count; k++) {
        Shape same = in[k].shape;
        if (same.ndim == in[0].shape.ndim) same.dim[axis] = in[0].shape.dim[axis];
        if (!shape_equal(&same, &in[0].shape)) {
            char first[SHAPE_TEXT], other[SHAPE_TEXT];
            return err_set(err,
                           "shapes %s and %s do not join along axis %d: the other axes "
                           "must be equal",
                           shape_text(&in[0].shape, first),
                           shape_text(&in[k].shape, other), axis + 1);
        }
        int64_t *dim = &joined.shape.dim[axis];
        if (__builtin_add_overflow(*dim, in[k].shape.dim[axis], dim))
            return err_set(err, "the joined axis %d is too large", axis + 1);
    }
    out[0] = joined;
    return true;
}

/* ---- gradients ---- */

#define X (call->in[0])
#define D (call->dout[0])

void grad_reshape(Graph *g, GradCall *call) {
    Shape shape = graph_type(g, X)->shape;
    call->din[0] = graph_reshape(g, D, &shape);
}

void grad_permute(Graph *g, GradCall *call) {
    int back[SHAPE_MAX] = {0}, ndim = graph_type(g, X)->shape.ndim;
    for (int k = 0; k < ndim; k++) back[call->attrs->i[k]] = k;
    call->din[0] = graph_permute(g, D, back);
}

void grad_broadcast(Graph *g, GradCall *call) {
    Shape shape = graph_type(g, X)->shape;
    call->din[0] = graph_sum_to(g, D, &shape);
}

/* The same box, i[6 + k] being the sizes of x: what unslice makes and what slice takes.
 */
static NodeId same_box(Graph *g, GradCall *call, OpId op) {
    Attrs attrs = *call->attrs;
    Shape shape = graph_type(g, X)->shape;
    for (int k = 0; k < shape.ndim; k++) attrs.i[6 + k] = shape.dim[k];
    return graph_op(g, op, &attrs, 1, &D);
}

void grad_slice(Graph *g, GradCall *call) {
    call->din[0] = same_box(g, call, OP_unslice);
}

void grad_unslice(Graph *g, GradCall *call) {
    call->din[0] = same_box(g, call, OP_slice);
}

void grad_pad(Graph *g, GradCall *call) {
    Shape shape = graph_type(g, X)->shape;
    Attrs box = {{0}, {0}};
    for (int k = 0; k < shape.ndim; k++) {
        box.i[k] = call->attrs->i[2 * k];
        box.i[6 + k] = shape.dim[k];
        box.i[12 + k] = 1;
    }
    call->din[0] = graph_op(g, OP_slice, &box, 1, &D);
}

/* Slices of d, seen as (before, axis, after) so that any number of axes will do. */
void grad_concat(Graph *g, GradCall *call) {
    int axis = (int)call->attrs->i[0];
    Shape whole = graph_type(g, call->out)->shape;
    int64_t before = 1, after = 1, start = 0;
    for (int k = 0; k < whole.ndim; k++) {
        if (k < axis) before *= whole.dim[k];
        if (k > axis) after *= whole.dim[k];
    }
    Shape flat = shape_of(3, before, whole.dim[axis], after);
    NodeId d = graph_reshape(g, D, &flat);
    for (int k = 0; k < call->n_in; k++) {
        Shape shape = graph_type(g, call->in[k])->shape;
        int64_t size = shape.dim[axis];
        Attrs box = {.i = {0, start, 0, 0, 0, 0, before, size, after, 0, 0, 0, 1, 1, 1}};
        if (call->need[k])
            call->din[k] = graph_reshape(g, graph_op(g, OP_slice, &box, 1, &d), &shape);
        start += size;
    }
}
