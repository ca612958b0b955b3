/* Elementwise ops of one input, casts, and where. In the rules x is the input, y the
 * output and d the output's gradient. */
#include <math.h>
#include "graph/ops/rules.h"

/* ---- shapes ---- */

bool types_unary(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    out[0] = in[0];
    return true;
}

bool types_test(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    out[0] = (Type){DTYPE_BOOL, in[0].shape};
    return true;
}

bool types_cast(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    if (attrs->i[0] < 0 || attrs->i[0] >= DTYPE_COUNT)
        return err_set(err, "there is no dtype number %lld", (long long)attrs->i[0]);
    out[0] = (Type){(DType)attrs->i[0], in[0].shape};
    return true;
}

bool types_where(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    Shape values, all;
    if (!shape_broadcast(&in[1].shape, &in[2].shape, &values, err)) return false;
    if (!shape_broadcast(&in[0].shape, &values, &all, err)) return false;
    out[0] = (Type){in[1].dtype, all};
    return true;
}

/* ---- gradients ---- */

/* Constant almost everywhere, or cut on purpose: nothing flows. */
void grad_zero(Graph *g, GradCall *call) {}

#define X (call->in[0])
#define Y (call->out)
#define D (call->dout[0])

void grad_neg(Graph *g, GradCall *call) { call->din[0] = neg(g, D); }

void grad_abs(Graph *g, GradCall *call) {
    call->din[0] = mul(g, D, graph_op1(g, OP_sign, X));
}

void grad_square(Graph *g, GradCall *call) {
    call->din[0] = mul(g, D, graph_scale(g, X, 2));
}

void grad_relu(Graph *g, GradCall *call) { call->din[0] = before_relu(g, D, Y); }

void grad_exp(Graph *g, GradCall *call) { call->din[0] = mul(g, D, Y); }

void grad_expm1(Graph *g, GradCall *call) {
    call->din[0] = mul(g, D, graph_shift(g, Y, 1));
}

void grad_log(Graph *g, GradCall *call) { call->din[0] = divide(g, D, X); }

void grad_log1p(Graph *g, GradCall *call) {
    call->din[0] = divide(g, D, graph_shift(g, X, 1));
}

void grad_sqrt(Graph *g, GradCall *call) {
    call->din[0] = divide(g, D, graph_scale(g, Y, 2));
}

/* y = x^(-1/2), y' = -1/2 x^(-3/2) = -1/2 y^3 */
void grad_rsqrt(Graph *g, GradCall *call) {
    NodeId cube = mul(g, graph_op1(g, OP_square, Y), Y);
    call->din[0] = mul(g, D, graph_scale(g, cube, -0.5));
}

void grad_reciprocal(Graph *g, GradCall *call) {
    call->din[0] = neg(g, mul(g, D, graph_op1(g, OP_square, Y)));
}

void grad_sin(Graph *g, GradCall *call) {
    call->din[0] = mul(g, D, graph_op1(g, OP_cos, X));
}

void grad_cos(Graph *g, GradCall *call) {
    call->din[0] = neg(g, mul(g, D, graph_op1(g, OP_sin, X)));
}

void grad_tanh(Graph *g, GradCall *call) { call->din[0] = before_tanh(g, D, Y); }

void grad_sigmoid(Graph *g, GradCall *call) { call->din[0] = before_sigmoid(g, D, Y); }

/* e^(factor * x^2) */
static NodeId gaussian(Graph *g, NodeId x, double factor) {
    return graph_op1(g, OP_exp, graph_scale(g, graph_op1(g, OP_square, x), factor));
}

void grad_erf(Graph *g, GradCall *call) {
    NodeId slope = graph_scale(g, gaussian(g, X, -1), M_2_SQRTPI);
    call->din[0] = mul(g, D, slope);
}

/* y = x Phi(x), y' = Phi(x) + x phi(x) */
void grad_gelu(Graph *g, GradCall *call) {
    NodeId erf_part = graph_op1(g, OP_erf, graph_scale(g, X, M_SQRT1_2));
    NodeId phi_cumulative = graph_scale(g, graph_shift(g, erf_part, 1), 0.5);
    NodeId phi = graph_scale(g, gaussian(g, X, -0.5), 0.5 * M_SQRT1_2 * M_2_SQRTPI);
    call->din[0] = mul(g, D, add(g, phi_cumulative, mul(g, X, phi)));
}

void grad_softplus(Graph *g, GradCall *call) {
    call->din[0] = mul(g, D, graph_op1(g, OP_sigmoid, X));
}

void grad_cast(Graph *g, GradCall *call) {
    call->din[0] = graph_cast(g, D, graph_type(g, X)->dtype);
}

void grad_clip(Graph *g, GradCall *call) {
    NodeId above = graph_op2(g, OP_ge, X, number_like(g, X, call->attrs->f[0]));
    NodeId below = graph_op2(g, OP_le, X, number_like(g, X, call->attrs->f[1]));
    call->din[0] = keep_where(g, graph_op2(g, OP_and_, above, below), D);
}

void grad_where(Graph *g, GradCall *call) {
    Shape a = graph_type(g, call->in[1])->shape, b = graph_type(g, call->in[2])->shape;
    NodeId condition = call->in[0];
    if (call->need[1]) call->din[1] = graph_sum_to(g, keep_where(g, condition, D), &a);
    if (!call->need[2]) return;
    NodeId other = graph_op3(g, OP_where, condition, number_like(g, D, 0), D);
    call->din[2] = graph_sum_to(g, other, &b);
}
