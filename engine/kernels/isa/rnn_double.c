/* Recurrent layers of float64. */
#define REAL_IS_DOUBLE 1
#include "kernels/isa/rnn_forward.h"
#include "kernels/isa/rnn_sum.h"

const RnnRoutines rnn_double = {forward_scratch, forward_pack, forward, backward_scratch,
                                backward_pack,   backward,     sum};
