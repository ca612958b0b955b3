/* Random numbers are functions of a key {seed, step} and a stream, so the backward pass
 * of dropout draws its mask again instead of keeping it. */
#include "graph/ops/rules.h"

static bool check_key(const Type *key, Err *err) {
    if (key->dtype == DTYPE_INT64 && key->shape.ndim == 1 && key->shape.dim[0] == 2)
        return true;
    char text[SHAPE_TEXT];
    return err_set(err, "a key of type %s%s, wanted int64{2}: seed and step",
                   dtype_name(key->dtype), shape_text(&key->shape, text));
}

bool types_random(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    Shape shape = {0};
    if (!check_key(&in[0], err)) return false;
    if (attrs->i[1] < 0 || attrs->i[1] >= DTYPE_COUNT)
        return err_set(err, "there is no dtype number %lld", (long long)attrs->i[1]);
    if (!rule_shape(attrs, 2, &shape, err)) return false;
    out[0] = (Type){(DType)attrs->i[1], shape};
    return true;
}

bool types_dropout(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    Shape mask = {0}, both;
    if (!dtype_is_float(in[0].dtype))
        return err_set(err, "input of dtype %s, wanted floats", dtype_name(in[0].dtype));
    if (!check_key(&in[1], err) || !rule_shape(attrs, 2, &mask, err)) return false;
    if (!shape_broadcast(&in[0].shape, &mask, &both, NULL) ||
        !shape_equal(&both, &in[0].shape)) {
        char first[SHAPE_TEXT], second[SHAPE_TEXT];
        return err_set(err,
                       "a mask of shape %s does not broadcast to the input's shape %s",
                       shape_text(&mask, first), shape_text(&in[0].shape, second));
    }
    if (!(attrs->f[0] >= 0 && attrs->f[0] <= 1))
        return err_set(err, "a rate of %g, wanted 0 to 1", attrs->f[0]);
    out[0] = in[0];
    return true;
}

void grad_dropout(Graph *g, GradCall *call) {
    NodeId inputs[] = {call->dout[0], call->in[1]};
    call->din[0] = graph_op(g, OP_dropout, call->attrs, 2, inputs);
}
