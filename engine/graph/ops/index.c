/* Ops with a tensor of indices, and sort. */
#include "graph/ops/rules.h"

/* ---- shapes ---- */

/* base with axis replaced by the axes of `by`. */
static bool replace_axis(const Shape *base, int axis, const Shape *by, Shape *out,
                         Err *err) {
    if (base->ndim - 1 + by->ndim > SHAPE_MAX) {
        char first[SHAPE_TEXT], second[SHAPE_TEXT];
        return err_set(err, "shapes %s and %s give more than %d axes",
                       shape_text(base, first), shape_text(by, second), SHAPE_MAX);
    }
    Shape made = {0};
    for (int k = 0; k < axis; k++) made.dim[made.ndim++] = base->dim[k];
    for (int k = 0; k < by->ndim; k++) made.dim[made.ndim++] = by->dim[k];
    for (int k = axis + 1; k < base->ndim; k++) made.dim[made.ndim++] = base->dim[k];
    *out = made;
    return true;
}

bool types_gather(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    int axis;
    Shape shape;
    if (!rule_axis(attrs, 0, &in[0].shape, &axis, err)) return false;
    if (!replace_axis(&in[0].shape, axis, &in[1].shape, &shape, err)) return false;
    out[0] = (Type){in[0].dtype, shape};
    return true;
}

bool types_scatter(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    const Shape *values = &in[0].shape, *indices = &in[1].shape;
    int64_t axis = attrs->i[0], size = attrs->i[1];
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    if (size < 0) return err_set(err, "an axis of size %lld", (long long)size);
    bool fits = axis >= 0 && axis + indices->ndim <= values->ndim &&
                values->ndim - indices->ndim + 1 <= SHAPE_MAX;
    for (int k = 0; fits && k < indices->ndim; k++)
        fits = values->dim[axis + k] == indices->dim[k];
    if (!fits)
        return err_set(
            err,
            "values of shape %s, wanted the axes of the indices' shape %s from "
            "axis %lld on",
            shape_text(values, first), shape_text(indices, second), (long long)axis + 1);
    Shape made = {0};
    for (int k = 0; k < axis; k++) made.dim[made.ndim++] = values->dim[k];
    made.dim[made.ndim++] = size;
    for (int k = (int)axis + indices->ndim; k < values->ndim; k++)
        made.dim[made.ndim++] = values->dim[k];
    out[0] = (Type){in[0].dtype, made};
    return true;
}

bool types_index_order(const Attrs *attrs, int count, const Type in[], Type out[],
                       Err *err) {
    if (attrs->i[0] < 0)
        return err_set(err, "an axis of size %lld", (long long)attrs->i[0]);
    out[0] = (Type){DTYPE_INT64, {2, {2, shape_size(&in[0].shape)}}};
    return true;
}

/* Shapes that are equal but for one axis. */
static bool equal_beside(const Shape *a, const Shape *b, int axis, Err *err) {
    Shape same = *b;
    if (a->ndim == b->ndim) same.dim[axis] = a->dim[axis];
    if (shape_equal(a, &same)) return true;
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    return err_set(err, "shape %s and indices of shape %s must be equal but for axis %d",
                   shape_text(a, first), shape_text(b, second), axis + 1);
}

bool types_take(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    int axis;
    if (!rule_axis(attrs, 0, &in[0].shape, &axis, err)) return false;
    if (!equal_beside(&in[0].shape, &in[1].shape, axis, err)) return false;
    out[0] = (Type){in[0].dtype, in[1].shape};
    return true;
}

bool types_put(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    int axis;
    if (!rule_axis(attrs, 0, &in[0].shape, &axis, err)) return false;
    if (!shape_equal(&in[0].shape, &in[1].shape)) {
        char first[SHAPE_TEXT], second[SHAPE_TEXT];
        return err_set(err,
                       "values of shape %s and indices of shape %s must have one shape",
                       shape_text(&in[0].shape, first), shape_text(&in[1].shape, second));
    }
    if (attrs->i[1] < 0)
        return err_set(err, "an axis of size %lld", (long long)attrs->i[1]);
    out[0] = in[0];
    out[0].shape.dim[axis] = attrs->i[1];
    return true;
}

bool types_one_hot(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    Shape shape = in[0].shape;
    if (attrs->i[0] < 1)
        return err_set(err, "%lld classes, wanted 1 or more", (long long)attrs->i[0]);
    if (shape.ndim == SHAPE_MAX)
        return err_set(err, "the indices have %d axes already, the most there can be",
                       SHAPE_MAX);
    shape.dim[shape.ndim++] = attrs->i[0];
    out[0] = (Type){DTYPE_FLOAT32, shape};
    return true;
}

bool types_sort(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    int axis;
    if (!rule_axis(attrs, 0, &in[0].shape, &axis, err)) return false;
    out[0] = in[0];
    out[1] = (Type){DTYPE_INT64, in[0].shape};
    return true;
}

/* ---- gradients: to take is to give back at the same places, and the reverse ---- */

#define INDICES (call->in[1])
#define D       (call->dout[0])

static NodeId give_back(Graph *g, GradCall *call, OpId op, NodeId indices) {
    int64_t axis = call->attrs->i[0];
    Attrs attrs = {.i = {axis, graph_type(g, call->in[0])->shape.dim[axis]}};
    return graph_op(g, op, &attrs, 2, (NodeId[]){D, indices});
}

static NodeId take_again(Graph *g, GradCall *call, OpId op) {
    Attrs attrs = {.i = {call->attrs->i[0]}};
    return graph_op(g, op, &attrs, 2, (NodeId[]){D, INDICES});
}

void grad_gather(Graph *g, GradCall *call) {
    call->din[0] = give_back(g, call, OP_scatter, INDICES);
}

void grad_scatter(Graph *g, GradCall *call) {
    call->din[0] = take_again(g, call, OP_gather);
}

void grad_take(Graph *g, GradCall *call) {
    call->din[0] = give_back(g, call, OP_put_along, INDICES);
}

void grad_put(Graph *g, GradCall *call) {
    call->din[0] = take_again(g, call, OP_take_along);
}

/* The second output says where each sorted element came from. */
void grad_sort(Graph *g, GradCall *call) {
    call->din[0] = give_back(g, call, OP_put_along, call->out + 1);
}
