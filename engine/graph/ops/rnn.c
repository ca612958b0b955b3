/* Recurrent layers over whole sequences. The gradient is a row of its own; the gradient of
 * that row goes through the layer computed step by step (rnn_unroll.c). */
#include "graph/ops/rnn.h"

/* ---- shapes ---- */

static bool expect(const char *what, const Shape *got, Shape want, Err *err) {
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    if (shape_equal(got, &want)) return true;
    return err_set(err, "%s of shape %s, wanted %s", what, shape_text(got, first),
                   shape_text(&want, second));
}

static Shape shape_2(int64_t rows, int64_t columns) {
    return (Shape){.ndim = 2, .dim = {rows, columns}};
}

static Shape shape_1(int64_t size) { return (Shape){.ndim = 1, .dim = {size}}; }

static bool attributes_sound(const Attrs *attrs, Err *err) {
    const int64_t *i = attrs->i;
    if (i[RNN_KIND] < RNN_SIMPLE || i[RNN_KIND] > RNN_LSTM)
        return err_set(err, "there is no kind number %lld", (long long)i[RNN_KIND]);
    if (i[RNN_ACTIVATION] < RNN_LINEAR || i[RNN_ACTIVATION] > RNN_SIGMOID)
        return err_set(err, "there is no activation number %lld",
                       (long long)i[RNN_ACTIVATION]);
    return true;
}

/* Checks x, weights, states and, when there is one, the mask: count inputs. */
static bool inputs_sound(const Attrs *attrs, int count, const Type in[], Err *err) {
    char first[SHAPE_TEXT], second[SHAPE_TEXT];
    if (!attributes_sound(attrs, err)) return false;
    int states = rnn_inputs(attrs), gates = rnn_gates(attrs);
    int factors = attrs->i[RNN_DROPS] ? 2 : 0, least = states + factors;
    if (count != least && count != least + 1)
        return err_set(err, "takes %d inputs and a mask, %d given", least, count);
    const Shape *x = &in[RNN_X].shape, *recurrent = &in[RNN_RECURRENT].shape;
    if (x->ndim != 3 || x->dim[2] < 1 || recurrent->ndim != 2 || recurrent->dim[0] < 1)
        return err_set(err,
                       "input of shape %s and recurrent kernel of shape %s, wanted "
                       "{batch, steps, features} and {units, %s}",
                       shape_text(x, first), shape_text(recurrent, second),
                       gates == 1   ? "units"
                       : gates == 3 ? "3 units"
                                    : "4 units");
    int64_t F = x->dim[2], U = recurrent->dim[0];
    Shape bias = attrs->i[RNN_KIND] == RNN_GRU ? shape_2(2, 3 * U) : shape_1(gates * U);
    Shape state = shape_2(x->dim[0], U);
    if (!expect("a kernel", &in[RNN_KERNEL].shape, shape_2(F, gates * U), err) ||
        !expect("a recurrent kernel", recurrent, shape_2(U, gates * U), err) ||
        !expect("a bias", &in[RNN_BIAS].shape, bias, err))
        return false;
    for (int k = RNN_H0; k < states; k++)
        if (!expect("an initial state", &in[k].shape, state, err)) return false;
    int next = states;
    if (count > least &&
        !expect("a mask", &in[next++].shape, shape_2(x->dim[0], x->dim[1]), err))
        return false;
    if (!factors) return true;
    Shape drop_x = {3, {gates, x->dim[0], F}}, drop_h = {3, {gates, x->dim[0], U}};
    return expect("factors of the input", &in[next].shape, drop_x, err) &&
           expect("factors of the state", &in[next + 1].shape, drop_h, err);
}

bool types_rnn(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    if (!inputs_sound(attrs, count, in, err)) return false;
    DType dtype = in[RNN_X].dtype;
    Shape y = in[RNN_X].shape, state = in[RNN_H0].shape;
    y.dim[2] = state.dim[1];
    bool lstm = attrs->i[RNN_KIND] == RNN_LSTM;
    out[0] = (Type){dtype, y};
    out[1] = (Type){dtype, state};
    out[2] = (Type){dtype, lstm ? state : shape_1(0)};
    return true;
}

/* Five numbers a unit and step for an LSTM, four for a GRU: kernels/isa/rnn.h. */
bool types_rnn_saving(const Attrs *attrs, int count, const Type in[], Type out[],
                      Err *err) {
    if (!types_rnn(attrs, count, in, out, err)) return false;
    int64_t kind = attrs->i[RNN_KIND];
    int64_t each = kind == RNN_LSTM ? 5 : kind == RNN_GRU ? 4 : 0;
    Shape numbers = out[0].shape;
    numbers.dim[2] *= each * (int64_t)dtype_size(out[0].dtype);
    if (!shape_check(&numbers, 1, err)) return false;
    out[3] = (Type){DTYPE_UINT8, shape_1(shape_size(&numbers))};
    return true;
}

bool types_rnn_grad(const Attrs *attrs, int count, const Type in[], Type out[],
                    Err *err) {
    Type made[4];
    int64_t given = attrs->i[RNN_GIVEN];
    int more = !!(given & RNN_DY) + !!(given & RNN_DH) + !!(given & RNN_DC);
    int first = count - 2 - more; /* y and saved */
    if (first < 1) return err_set(err, "there are only %d inputs", count);
    if (!inputs_sound(attrs, first, in, err) ||
        !types_rnn_saving(attrs, first, in, made, err) ||
        !expect("y", &in[first].shape, made[0].shape, err) ||
        !expect("saved bytes", &in[first + 1].shape, made[3].shape, err))
        return false;
    for (int k = 0, at = first + 2; k < 3; k++)
        if (given >> k & 1 && !expect("a gradient", &in[at++].shape, made[k].shape, err))
            return false;
    for (int k = 0; k < count; k++)
        if (in[k].dtype != (k == first + 1 ? DTYPE_UINT8 : in[RNN_X].dtype))
            return err_set(err, "input %d is of dtype %s", k + 1,
                           dtype_name(in[k].dtype));
    for (int k = 0; k < rnn_inputs(attrs); k++) out[k] = in[k];
    if (!attrs->i[RNN_WANT_DX]) out[RNN_X].shape = shape_1(0);
    if (attrs->i[RNN_KIND] != RNN_LSTM) out[RNN_C0] = made[2];
    return true;
}

/* ---- gradients ---- */

/* Forward again, with what the gradient reads, where the row did not save it. */
static NodeId saving(Graph *g, const GradCall *call) {
    if (call->op == OP_rnn_saving) return call->out;
    return graph_op(g, OP_rnn_saving, call->attrs, call->n_in, call->in);
}

void grad_rnn(Graph *g, GradCall *call) {
    NodeId in[OP_MAX_IN], out = saving(g, call);
    int n = call->n_in, count = rnn_inputs(call->attrs);
    if (out == NODE_NONE) return;
    Attrs attrs = *call->attrs;
    attrs.i[RNN_GIVEN] = 0;
    attrs.i[RNN_WANT_DX] = call->need[RNN_X];
    for (int k = 0; k < n; k++) in[k] = call->in[k];
    in[n++] = out;
    in[n++] = out + 3;
    for (int k = 0; k < 3; k++) {
        if (call->dout[k] == NODE_NONE) continue;
        if (k == 2 && attrs.i[RNN_KIND] != RNN_LSTM) continue;
        attrs.i[RNN_GIVEN] |= 1 << k;
        in[n++] = call->dout[k];
    }
    NodeId d = graph_op(g, OP_rnn_grad, &attrs, n, in);
    for (int k = 0; k < count && d != NODE_NONE; k++)
        if (call->need[k]) call->din[k] = d + k;
}

/* The gradient of the gradient: y and saved bytes repeat what the other inputs say, so
 * the layer is computed again from these, step by step, and differentiated twice. The
 * inputs stand behind stop_gradient: what one of them depends on is not walked here. */
void grad_rnn_grad(Graph *g, GradCall *call) {
    int count = rnn_inputs(call->attrs), given = (int)call->attrs->i[RNN_GIVEN];
    int more = !!(given & RNN_DY) + !!(given & RNN_DH) + !!(given & RNN_DC);
    int first = call->n_in - more, n = 0, n_y = 0;
    NodeId x[OP_MAX_IN], place[OP_MAX_IN], out[3], y[3], seeds[3], options[3] = {0};
    NodeId dx[OP_MAX_IN], slope[OP_MAX_OUT], slope_seeds[OP_MAX_OUT], ddx[OP_MAX_IN];
    for (int k = 0; k < call->n_in; k++) {
        if (k >= count && k < first) continue; /* mask, factors, y, saved */
        place[n] = k;
        x[n++] = graph_op1(g, OP_stop_gradient, call->in[k]);
    }
    bool masked = rnn_masked(first - 2 - count);
    options[0] = masked ? call->in[count] : NODE_NONE;
    for (int k = 0; call->attrs->i[RNN_DROPS] && k < 2; k++)
        options[1 + k] = call->in[count + masked + k];
    rnn_unroll(g, call->attrs, x, options, out);
    for (int k = 0, at = count; k < 3; k++)
        if (given >> k & 1) {
            y[n_y] = out[k];
            seeds[n_y++] = x[at++];
        }
    if (g->err.set || !graph_gradients(g, n_y, y, seeds, count, x, dx)) return;
    int n_slopes = 0;
    for (int k = 0; k < count; k++)
        if (call->dout[k] != NODE_NONE && dx[k] != NODE_NONE) {
            slope[n_slopes] = dx[k];
            slope_seeds[n_slopes++] = call->dout[k];
        }
    if (!graph_gradients(g, n_slopes, slope, slope_seeds, n, x, ddx)) return;
    for (int k = 0; k < n; k++)
        if (call->need[place[k]]) call->din[place[k]] = ddx[k];
}
