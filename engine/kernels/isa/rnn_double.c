/* Recurrent layers of float64. */
#define REAL_IS_DOUBLE 1
#define RNN_ROUTINES   rnn_double
#include "kernels/isa/rnn_backward.h"
#include "kernels/isa/rnn_forward.h"
