/* Elementwise ops of two inputs, which broadcast: a gradient is summed back to its
 * operand's shape. */
#include "graph/ops/rules.h"

bool types_binary(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    Shape shape;
    if (!shape_broadcast(&in[0].shape, &in[1].shape, &shape, err)) return false;
    out[0] = (Type){in[0].dtype, shape};
    return true;
}

bool types_compare(const Attrs *attrs, int count, const Type in[], Type out[], Err *err) {
    Shape shape;
    if (!shape_broadcast(&in[0].shape, &in[1].shape, &shape, err)) return false;
    out[0] = (Type){DTYPE_BOOL, shape};
    return true;
}

#define A (call->in[0])
#define B (call->in[1])
#define Y (call->out)
#define D (call->dout[0])

/* Hands a gradient of the output's shape to input k. */
static void give(Graph *g, GradCall *call, int k, NodeId gradient) {
    Shape shape = graph_type(g, call->in[k])->shape;
    call->din[k] = graph_sum_to(g, gradient, &shape);
}

void grad_add(Graph *g, GradCall *call) {
    if (call->need[0]) give(g, call, 0, D);
    if (call->need[1]) give(g, call, 1, D);
}

/* The sum first: a bias's gradient is negated after it has become small. */
void grad_sub(Graph *g, GradCall *call) {
    if (call->need[0]) give(g, call, 0, D);
    if (!call->need[1]) return;
    give(g, call, 1, D);
    call->din[1] = neg(g, call->din[1]);
}

void grad_mul(Graph *g, GradCall *call) {
    if (call->need[0]) give(g, call, 0, mul(g, D, B));
    if (call->need[1]) give(g, call, 1, mul(g, D, A));
}

/* y = a / b: da = d / b, db = -(d / b) y */
void grad_div(Graph *g, GradCall *call) {
    NodeId quotient = divide(g, D, B);
    if (call->need[0]) give(g, call, 0, quotient);
    if (call->need[1]) give(g, call, 1, neg(g, mul(g, quotient, Y)));
}

/* d b a^(b - 1). At a = 0, b = 0 the factor b is 0 but 0^-1 is not finite: a is replaced
 * by 1 there. */
static NodeId pow_base(Graph *g, GradCall *call) {
    double exponent;
    if (number_value(g, B, &exponent)) {
        if (exponent == 0) return NODE_NONE;
        if (exponent == 1) return D;
        NodeId power =
            exponent == 2 ? A : graph_op2(g, OP_pow, A, number_like(g, A, exponent - 1));
        return mul(g, D, graph_scale(g, power, exponent));
    }
    NodeId zero = number_like(g, A, 0);
    NodeId both =
        graph_op2(g, OP_and_, graph_op2(g, OP_eq, A, zero), graph_op2(g, OP_eq, B, zero));
    NodeId safe = graph_op3(g, OP_where, both, number_like(g, A, 1), A);
    NodeId power = graph_op2(g, OP_pow, safe, graph_shift(g, B, -1));
    return mul(g, D, mul(g, B, power));
}

/* d y log(a); 0 where a is not positive: the logarithm has no value there. */
static NodeId pow_exponent(Graph *g, GradCall *call) {
    NodeId positive = graph_op2(g, OP_gt, A, number_like(g, A, 0));
    NodeId safe = graph_op3(g, OP_where, positive, A, number_like(g, A, 1));
    return mul(g, D, mul(g, Y, graph_op1(g, OP_log, safe)));
}

void grad_pow(Graph *g, GradCall *call) {
    if (call->need[0]) {
        NodeId gradient = pow_base(g, call);
        if (gradient != NODE_NONE) give(g, call, 0, gradient);
    }
    if (call->need[1]) give(g, call, 1, pow_exponent(g, call));
}

/* The angle of the point (b, a). */
void grad_arctan2(Graph *g, GradCall *call) {
    NodeId square = add(g, mul(g, A, A), mul(g, B, B));
    NodeId share = graph_op2(g, OP_div, D, square);
    if (call->need[0]) give(g, call, 0, mul(g, share, B));
    if (call->need[1]) give(g, call, 1, neg(g, mul(g, share, A)));
}

/* y = a - floor(a / b) b */
void grad_mod(Graph *g, GradCall *call) {
    if (call->need[0]) give(g, call, 0, D);
    if (!call->need[1]) return;
    give(g, call, 1, neg(g, mul(g, D, graph_op2(g, OP_floordiv, A, B))));
}

/* Where y is above 0 does not change with y. */
void grad_relu_grad(Graph *g, GradCall *call) {
    if (call->need[0]) call->din[0] = graph_zeros(g, *graph_type(g, A));
    if (call->need[1]) give(g, call, 1, graph_op2(g, OP_relu_grad, A, D));
}

/* All of d where input k wins, half where both are equal. */
static void give_winner(Graph *g, GradCall *call, int k, OpId wins) {
    NodeId mine = call->in[k], other = call->in[1 - k];
    NodeId tie = keep_where(g, graph_op2(g, OP_eq, mine, other), graph_scale(g, D, 0.5));
    give(g, call, k, graph_op3(g, OP_where, graph_op2(g, wins, mine, other), D, tie));
}

void grad_maximum(Graph *g, GradCall *call) {
    for (int k = 0; k < 2; k++)
        if (call->need[k]) give_winner(g, call, k, OP_gt);
}

void grad_minimum(Graph *g, GradCall *call) {
    for (int k = 0; k < 2; k++)
        if (call->need[k]) give_winner(g, call, k, OP_lt);
}
