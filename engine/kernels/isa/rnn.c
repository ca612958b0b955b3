/* The rows of recurrent layers: which operand is which, phases and costs. Attributes: see
 * graph/ops.def. */
#include "kernels/isa/rnn.h"
#include "kernels/isa/gemm.h"

/* Places in attrs.i, and the bits of GIVEN. */
enum { KIND, REVERSE, ACTIVATION, GIVEN, WANT_DX, DROPS };
enum { GIVEN_DY = 1, GIVEN_DH = 2, GIVEN_DC = 4 };

static const RnnRoutines *routines(const Rnn *r) {
    return r->dtype == DTYPE_FLOAT32 ? &rnn_float : &rnn_double;
}

/* What both directions read: x, kernel, recurrent, bias, h0 and, for an LSTM, c0. The
 * operands behind them begin at *next. */
static Rnn common_of(const Call *call, int *next) {
    const Operand *in = call->in;
    Rnn r = {.kind = (RnnKind)call->attrs.i[KIND],
             .activation = (int)call->attrs.i[ACTIVATION],
             .reverse = call->attrs.i[REVERSE] != 0,
             .drops = call->attrs.i[DROPS] != 0,
             .batch = in[0].shape.dim[0],
             .steps = in[0].shape.dim[1],
             .features = in[0].shape.dim[2],
             .units = in[2].shape.dim[0],
             .x = in[0].data,
             .kernel = in[1].data,
             .recurrent = in[2].data,
             .bias = in[3].data,
             .h0 = in[4].data,
             .dtype = in[0].dtype,
             .scratch = call->scratch};
    *next = 5;
    if (r.kind == RNN_LSTM) r.c0 = in[(*next)++].data;
    return r;
}

/* The operands between the states and those of the gradient, of which there are `behind`:
 * a mask, factors of dropout. */
static void options_of(const Call *call, int behind, Rnn *r, int *next) {
    const Operand *in = call->in;
    int count = call->n_in - behind - *next;
    if (count % 2) r->mask = in[(*next)++].data;
    if (!r->drops) return;
    r->drop_x = in[(*next)++].data;
    r->drop_h = in[(*next)++].data;
}

static Rnn forward_of(const Call *call) {
    int next;
    Rnn r = common_of(call, &next);
    options_of(call, 0, &r, &next);
    r.y = call->out[0].data;
    r.h = call->out[1].data;
    if (r.kind == RNN_LSTM) r.c = call->out[2].data;
    if (call->n_out > 3 && r.kind != RNN_SIMPLE) r.saved = call->out[3].data;
    return r;
}

static Rnn backward_of(const Call *call) {
    int next;
    Rnn r = common_of(call, &next);
    int64_t given = call->attrs.i[GIVEN];
    int behind = 2 + !!(given & GIVEN_DY) + !!(given & GIVEN_DH) + !!(given & GIVEN_DC);
    options_of(call, behind, &r, &next);
    r.y = call->in[next++].data;
    r.saved = call->in[next++].data;
    if (given & GIVEN_DY) r.dy = call->in[next++].data;
    if (given & GIVEN_DH) r.dh = call->in[next++].data;
    if (given & GIVEN_DC) r.dc = call->in[next++].data;
    r.want_dx = call->attrs.i[WANT_DX] != 0;
    r.dx = call->out[0].data;
    r.dkernel = call->out[1].data;
    r.drecurrent = call->out[2].data;
    r.dbias = call->out[3].data;
    r.dh0 = call->out[4].data;
    if (r.kind == RNN_LSTM) r.dc0 = call->out[5].data;
    return r;
}

static double cost_of(const Rnn *r) {
    double rows = (double)r->batch * (double)r->steps;
    double each = r->dtype == DTYPE_FLOAT32 ? 2 : 40; /* activations of a unit */
    return rows *
               gemm_cost(8, rnn_gates(r) * r->units, r->features + r->units, r->dtype) /
               8 +
           rows * (double)r->units * each;
}

/* Of the forward pass; the backward pass has two products for each of these. */
static double flops_of(const Rnn *r) {
    double gates = (double)(rnn_gates(r) * r->units);
    return 2.0 * (double)r->batch * (double)r->steps * gates *
           (double)(r->features + r->units);
}

static int64_t slices_of(const Call *call) {
    int next;
    Rnn r = common_of(call, &next);
    return rnn_slices(&r);
}

/* ---- forward: phase 0 packs the weights, phase 1 runs the slices ---- */

static size_t forward_scratch(const Call *call) {
    Rnn r = forward_of(call);
    return routines(&r)->forward_scratch(&r);
}

static double forward_cost(const Call *call) {
    Rnn r = forward_of(call);
    return cost_of(&r);
}

static double forward_flops(const Call *call) {
    Rnn r = forward_of(call);
    return flops_of(&r);
}

static void forward_pack(const Call *call, int64_t part) {
    Rnn r = forward_of(call);
    routines(&r)->forward_pack(&r);
}

static void forward_run(const Call *call, int64_t part) {
    Rnn r = forward_of(call);
    routines(&r)->forward(&r, part);
}

/* ---- backward: phase 2 adds the slices' gradients of the weights ---- */

static size_t backward_scratch(const Call *call) {
    Rnn r = backward_of(call);
    return routines(&r)->backward_scratch(&r);
}

static double backward_cost(const Call *call) {
    Rnn r = backward_of(call);
    return 2 * cost_of(&r);
}

static double backward_flops(const Call *call) {
    Rnn r = backward_of(call);
    return 2 * flops_of(&r);
}

static void backward_pack(const Call *call, int64_t part) {
    Rnn r = backward_of(call);
    routines(&r)->backward_pack(&r);
}

static void backward_run(const Call *call, int64_t part) {
    Rnn r = backward_of(call);
    routines(&r)->backward(&r, part);
}

/* One part for each row of the kernels, and one for the biases. */
static int64_t sum_parts(const Call *call) {
    int next;
    Rnn r = common_of(call, &next);
    return r.features + r.units + 1;
}

static void sum_run(const Call *call, int64_t part) {
    Rnn r = backward_of(call);
    routines(&r)->sum(&r, part);
}

extern KERNEL(rnn);
extern KERNEL(rnn_saving);
extern KERNEL(rnn_grad);

#define FORWARD                                                                          \
    {                                                                                    \
        .scratch = forward_scratch, .cost = forward_cost, .flops = forward_flops,        \
        .phase = {                                                                       \
            {NULL, forward_pack},                                                        \
            {slices_of, forward_run}                                                     \
        }                                                                                \
    }
KERNEL(rnn) = FORWARD;
KERNEL(rnn_saving) = FORWARD;
KERNEL(rnn_grad) = {
    .scratch = backward_scratch,
    .cost = backward_cost,
    .flops = backward_flops,
    .phase = {{NULL, backward_pack}, {slices_of, backward_run}, {sum_parts, sum_run}}};
