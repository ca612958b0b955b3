/* Pooling. The gradient of max_pool sends each output's gradient to the first maximum of
 * its window; its own gradient picks from those places, which is the way back. */
#include <string.h>
#include "graph/ops/rules.h"

/* Places in attrs.i. */
enum { STRIDE = 0, PAD = 3, WINDOW = 9, SIZES = 12 };
/* Where the pooling's attributes lie in conv_pool's, and how many they are. */
enum { CONV_POOL = 14, CONV_POOL_INTS = 12 };
enum { LARGEST = 1 << 30 };

static bool axis_out(const Attrs *attrs, int k, int64_t in, int64_t *out, Err *err) {
    int64_t stride = attrs->i[STRIDE + k], window = attrs->i[WINDOW + k];
    int64_t before = attrs->i[PAD + 2 * k], after = attrs->i[PAD + 2 * k + 1];
    if (stride < 1 || stride > LARGEST || window < 1 || window > LARGEST)
        return err_set(err, "windows and strides must be from 1 to %d, got %lld and %lld",
                       LARGEST, (long long)window, (long long)stride);
    if (before < 0 || after < 0 || before >= window || after >= window)
        return err_set(
            err,
            "padding must be from 0 to less than the window, got %lld and %lld "
            "for a window of %lld",
            (long long)before, (long long)after, (long long)window);
    if (in < 1 || in + before + after < window)
        return err_set(err,
                       "the window covers %lld places of axis %d, but the input has %lld "
                       "(%lld with padding)",
                       (long long)window, k + 2, (long long)in,
                       (long long)(in + before + after));
    *out = (in + before + after - window) / stride + 1;
    return true;
}

static bool pooled(const Attrs *attrs, const Shape *x, Shape *y, Err *err) {
    char text[SHAPE_TEXT];
    if (x->ndim < 3 || x->ndim > 5)
        return err_set(err,
                       "input of shape %s, wanted {batch, sizes, channels} with 1 to 3 "
                       "sizes",
                       shape_text(x, text));
    Shape shape = *x;
    for (int k = 0; k < x->ndim - 2; k++)
        if (!axis_out(attrs, k, x->dim[1 + k], &shape.dim[1 + k], err)) return false;
    *y = shape;
    return true;
}

static bool expect_pooled(const Attrs *attrs, const Shape *x, const Shape *dy, Err *err) {
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    Shape y;
    if (!pooled(attrs, x, &y, err)) return false;
    if (shape_equal(dy, &y)) return true;
    return err_set(err, "output of shape %s, but pooling gives %s", shape_text(dy, first),
                   shape_text(&y, second));
}

bool types_pool(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    Shape y;
    if (!pooled(attrs, &in[0].shape, &y, err)) return false;
    out[0] = (Type){in[0].dtype, y};
    return true;
}

bool types_conv_pool(const Attrs *attrs, int count, const Type in[], Type out[],
                     Err *err) {
    Type y;
    Attrs pool = {0};
    memcpy(pool.i, attrs->i + CONV_POOL, sizeof *pool.i * CONV_POOL_INTS);
    if (attrs->i[CONV_POOL + CONV_POOL_INTS] < 0 ||
        attrs->i[CONV_POOL + CONV_POOL_INTS] > 1)
        return err_set(err, "there is no pooling number %lld",
                       (long long)attrs->i[CONV_POOL + CONV_POOL_INTS]);
    return types_conv_bias(attrs, count, in, &y, err) &&
           types_pool(&pool, 1, &y, out, err);
}

bool types_max_pool_grad(const Attrs *attrs, int count, const Type in[], Type out[],
                         Err *err) {
    if (!expect_pooled(attrs, &in[0].shape, &in[1].shape, err)) return false;
    out[0] = in[0];
    return true;
}

bool types_max_pool_pick(const Attrs *attrs, int count, const Type in[], Type out[],
                         Err *err) {
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    if (!shape_equal(&in[0].shape, &in[1].shape))
        return err_set(err, "shapes %s and %s, wanted the same",
                       shape_text(&in[0].shape, first), shape_text(&in[1].shape, second));
    return types_pool(attrs, count, in, out, err);
}

bool types_average_pool_grad(const Attrs *attrs, int count, const Type in[], Type out[],
                             Err *err) {
    Shape x = in[0].shape;
    for (int k = 0; k < x.ndim - 2 && k < 3; k++) x.dim[1 + k] = attrs->i[SIZES + k];
    if (!shape_check(&x, sizeof(double), err)) return false;
    if (!expect_pooled(attrs, &x, &in[0].shape, err)) return false;
    out[0] = (Type){in[0].dtype, x};
    return true;
}

/* ---- gradients ---- */

void grad_max_pool(Graph *g, GradCall *call) {
    call->din[0] = graph_op(g, OP_max_pool_grad, call->attrs, 2,
                            (NodeId[]){call->in[0], call->dout[0]});
}

/* Where the maxima are does not change with x, so x has a gradient of 0. */
void grad_max_pool_grad(Graph *g, GradCall *call) {
    NodeId x = call->in[0];
    if (call->need[0]) call->din[0] = graph_zeros(g, *graph_type(g, x));
    if (call->need[1])
        call->din[1] =
            graph_op(g, OP_max_pool_pick, call->attrs, 2, (NodeId[]){x, call->dout[0]});
}

void grad_max_pool_pick(Graph *g, GradCall *call) {
    NodeId x = call->in[0];
    if (call->need[0]) call->din[0] = graph_zeros(g, *graph_type(g, x));
    if (call->need[1])
        call->din[1] =
            graph_op(g, OP_max_pool_grad, call->attrs, 2, (NodeId[]){x, call->dout[0]});
}

void grad_average_pool(Graph *g, GradCall *call) {
    Shape x = graph_type(g, call->in[0])->shape;
    Attrs with = *call->attrs;
    for (int k = 0; k < x.ndim - 2; k++) with.i[SIZES + k] = x.dim[1 + k];
    call->din[0] = graph_op(g, OP_average_pool_grad, &with, 1, call->dout);
}

void grad_average_pool_grad(Graph *g, GradCall *call) {
    Attrs plain = *call->attrs;
    for (int k = 0; k < 3; k++) plain.i[SIZES + k] = 0;
    call->din[0] = graph_op(g, OP_average_pool, &plain, 1, call->dout);
}
