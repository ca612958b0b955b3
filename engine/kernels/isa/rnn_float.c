/* Recurrent layers of float32. */
#define RNN_ROUTINES rnn_float
#include "kernels/isa/rnn_backward.h"
#include "kernels/isa/rnn_forward.h"
