/* Convolutions. Each gradient is expressible by the other rows, so second order works:
 * y is linear in x and in w, and both gradients are linear in what they are given. */
#include "graph/ops/rules.h"

/* Places in attrs.i. */
enum { STRIDE = 0, PAD = 3, DILATION = 9, GROUPS = 12, ACTIVATION = 13, SIZES = 14 };
enum { LARGEST = 1 << 30 }; /* of a size, stride or padding */

/* ---- shapes ---- */

static bool within(int64_t value, int64_t low) {
    return value >= low && value <= LARGEST;
}

static bool axis_sound(const Attrs *attrs, int k, Err *err) {
    const int64_t *i = attrs->i;
    if (!within(i[STRIDE + k], 1) || !within(i[DILATION + k], 1))
        return err_set(err,
                       "strides and dilations must be from 1 to %d, got %lld and %lld",
                       LARGEST, (long long)i[STRIDE + k], (long long)i[DILATION + k]);
    if (i[STRIDE + k] > 1 && i[DILATION + k] > 1)
        return err_set(
            err, "a stride of %lld together with a dilation of %lld is not supported",
            (long long)i[STRIDE + k], (long long)i[DILATION + k]);
    if (!within(i[PAD + 2 * k], 0) || !within(i[PAD + 2 * k + 1], 0))
        return err_set(err, "padding must be from 0 to %d, got %lld and %lld", LARGEST,
                       (long long)i[PAD + 2 * k], (long long)i[PAD + 2 * k + 1]);
    return true;
}

/* The output's size along spatial axis k. */
static bool axis_out(const Attrs *attrs, int k, int64_t in, int64_t kernel, int64_t *out,
                     Err *err) {
    if (!axis_sound(attrs, k, err)) return false;
    int64_t before = attrs->i[PAD + 2 * k], after = attrs->i[PAD + 2 * k + 1];
    int64_t wide = (kernel - 1) * attrs->i[DILATION + k] + 1;
    if (in + before + after < wide)
        return err_set(err,
                       "the kernel covers %lld places of axis %d, but the input has %lld "
                       "(%lld with padding)",
                       (long long)wide, k + 2, (long long)in,
                       (long long)(in + before + after));
    *out = (in + before + after - wide) / attrs->i[STRIDE + k] + 1;
    return true;
}

/* The output's shape from the input's and the kernel's. */
static bool conv_shape(const Attrs *attrs, const Shape *x, const Shape *w, Shape *y,
                       Err *err) {
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    int64_t groups = attrs->i[GROUPS];
    if (x->ndim < 3 || x->ndim > 5 || w->ndim != x->ndim)
        return err_set(err,
                       "input of shape %s and kernel of shape %s, wanted {batch, sizes, "
                       "channels} and {sizes, channels, filters} with 1 to 3 sizes",
                       shape_text(x, first), shape_text(w, second));
    int axes = x->ndim - 2;
    int64_t in = x->dim[axes + 1], each = w->dim[axes], out = w->dim[axes + 1];
    if (groups < 1 || in < 1 || out < 1 || in % groups || out % groups)
        return err_set(err,
                       "%lld channels and %lld filters do not divide into %lld groups",
                       (long long)in, (long long)out, (long long)groups);
    if (each != in / groups)
        return err_set(err,
                       "input of shape %s and kernel of shape %s: the kernel is for %lld "
                       "channels, the input has %lld%s",
                       shape_text(x, first), shape_text(w, second), (long long)each,
                       (long long)(in / groups), groups > 1 ? " in each group" : "");
    Shape shape = *x;
    for (int k = 0; k < axes; k++) {
        if (!within(w->dim[k], 1))
            return err_set(err, "kernel of shape %s, wanted sizes from 1 to %d",
                           shape_text(w, first), LARGEST);
        if (!axis_out(attrs, k, x->dim[1 + k], w->dim[k], &shape.dim[1 + k], err))
            return false;
    }
    shape.dim[axes + 1] = out;
    if (!shape_check(&shape, sizeof(double), err)) return false;
    *y = shape;
    return true;
}

bool types_conv(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    Shape y;
    if (!conv_shape(attrs, &in[0].shape, &in[1].shape, &y, err)) return false;
    out[0] = (Type){in[0].dtype, y};
    return true;
}

bool types_conv_bias(const Attrs *attrs, int count, const Type in[], Type out[],
                     Err *err) {
    char first[SHAPE_TEXT];
    const Shape *bias = &in[2].shape;
    Shape y;
    if (!conv_shape(attrs, &in[0].shape, &in[1].shape, &y, err)) return false;
    if (bias->ndim != 1 || bias->dim[0] != y.dim[y.ndim - 1])
        return err_set(err, "bias of shape %s for %lld filters, wanted {%lld}",
                       shape_text(bias, first), (long long)y.dim[y.ndim - 1],
                       (long long)y.dim[y.ndim - 1]);
    if (attrs->i[ACTIVATION] < 0 || attrs->i[ACTIVATION] > 1)
        return err_set(err, "there is no activation number %lld",
                       (long long)attrs->i[ACTIVATION]);
    out[0] = (Type){in[0].dtype, y};
    return true;
}

static bool expect_shape(const Shape *got, const Shape *want, Err *err) {
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    if (shape_equal(got, want)) return true;
    return err_set(err, "output of shape %s, but the convolution gives %s",
                   shape_text(got, first), shape_text(want, second));
}

bool types_conv_grad_input(const Attrs *attrs, int count, const Type in[], Type out[],
                           Err *err) {
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    const Shape *dy = &in[0].shape, *w = &in[1].shape;
    Shape x = *dy, y;
    int axes = dy->ndim - 2;
    if (dy->ndim < 3 || dy->ndim > 5 || w->ndim != dy->ndim)
        return err_set(err,
                       "input of shape %s and kernel of shape %s, wanted {batch, sizes, "
                       "filters} and {sizes, channels, filters} with 1 to 3 sizes",
                       shape_text(dy, first), shape_text(w, second));
    if (attrs->i[GROUPS] < 1 || w->dim[axes] > LARGEST || attrs->i[GROUPS] > LARGEST)
        return err_set(err, "there cannot be %lld groups", (long long)attrs->i[GROUPS]);
    for (int k = 0; k < axes; k++) x.dim[1 + k] = attrs->i[SIZES + k];
    x.dim[axes + 1] = w->dim[axes] * attrs->i[GROUPS];
    if (!shape_check(&x, sizeof(double), err)) return false;
    if (!conv_shape(attrs, &x, w, &y, err) || !expect_shape(dy, &y, err)) return false;
    out[0] = (Type){in[0].dtype, x};
    return true;
}

bool types_conv_grad_kernel(const Attrs *attrs, int count, const Type in[], Type out[],
                            Err *err) {
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    const Shape *x = &in[0].shape, *dy = &in[1].shape;
    Shape w = {.ndim = x->ndim}, y;
    int axes = x->ndim - 2;
    int64_t groups = attrs->i[GROUPS];
    if (x->ndim < 3 || x->ndim > 5 || dy->ndim != x->ndim || groups < 1)
        return err_set(err,
                       "input of shape %s and output of shape %s, wanted {batch, sizes, "
                       "channels} and {batch, sizes, filters} with 1 to 3 sizes",
                       shape_text(x, first), shape_text(dy, second));
    for (int k = 0; k < axes; k++) w.dim[k] = attrs->i[SIZES + k];
    w.dim[axes] = x->dim[axes + 1] / groups;
    w.dim[axes + 1] = dy->dim[axes + 1];
    if (!shape_check(&w, sizeof(double), err)) return false;
    if (!conv_shape(attrs, x, &w, &y, err) || !expect_shape(dy, &y, err)) return false;
    out[0] = (Type){in[0].dtype, w};
    return true;
}

/* ---- gradients ---- */

/* The attributes with the sizes of a shape's spatial axes, which begin at axis `first`. */
static Attrs with_sizes(const Attrs *attrs, const Shape *shape, int first) {
    Attrs with = *attrs;
    with.i[ACTIVATION] = 0;
    for (int k = 0; k < 3; k++)
        with.i[SIZES + k] = k < shape->ndim - 2 ? shape->dim[first + k] : 0;
    return with;
}

static NodeId forward(Graph *g, const Attrs *attrs, NodeId x, NodeId w) {
    Attrs plain = with_sizes(attrs, &(Shape){0}, 0);
    return graph_op(g, OP_conv, &plain, 2, (NodeId[]){x, w});
}

static NodeId to_input(Graph *g, const Attrs *attrs, NodeId dy, NodeId w, NodeId x) {
    Attrs with = with_sizes(attrs, &graph_type(g, x)->shape, 1);
    return graph_op(g, OP_conv_grad_input, &with, 2, (NodeId[]){dy, w});
}

static NodeId to_kernel(Graph *g, const Attrs *attrs, NodeId x, NodeId dy, NodeId w) {
    Attrs with = with_sizes(attrs, &graph_type(g, w)->shape, 0);
    return graph_op(g, OP_conv_grad_kernel, &with, 2, (NodeId[]){x, dy});
}

void grad_conv(Graph *g, GradCall *call) {
    NodeId x = call->in[0], w = call->in[1], d = call->dout[0];
    if (call->need[0]) call->din[0] = to_input(g, call->attrs, d, w, x);
    if (call->need[1]) call->din[1] = to_kernel(g, call->attrs, x, d, w);
}

void grad_conv_bias(Graph *g, GradCall *call) {
    GradCall before = *call;
    NodeId d = call->dout[0];
    if (call->attrs->i[ACTIVATION] == 1) d = before_relu(g, d, call->out);
    before.dout = &d;
    grad_conv(g, &before);
    if (!call->need[2]) return;
    uint32_t last = (uint32_t)graph_type(g, call->out)->shape.ndim - 1;
    call->din[2] = graph_sum(g, d, (1u << last) - 1, false);
}

/* x = conv^T(dy, w): given the gradient of x, that of dy is a convolution of it, that of w
 * pairs it with dy. */
void grad_conv_grad_input(Graph *g, GradCall *call) {
    NodeId dy = call->in[0], w = call->in[1], d = call->dout[0];
    if (call->need[0]) call->din[0] = forward(g, call->attrs, d, w);
    if (call->need[1]) call->din[1] = to_kernel(g, call->attrs, d, dy, w);
}

void grad_conv_grad_kernel(Graph *g, GradCall *call) {
    NodeId x = call->in[0], dy = call->in[1], d = call->dout[0];
    if (call->need[0]) call->din[0] = to_input(g, call->attrs, dy, d, x);
    if (call->need[1]) call->din[1] = forward(g, call->attrs, x, d);
}
