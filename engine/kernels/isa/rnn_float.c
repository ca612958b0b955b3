/* Recurrent layers of float32. */
#include "kernels/isa/rnn_forward.h"
#include "kernels/isa/rnn_sum.h"

const RnnRoutines rnn_float = {forward_scratch, forward_pack, forward, backward_scratch,
                               backward_pack,   backward,     sum};
