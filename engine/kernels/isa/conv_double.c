/* Convolutions of float64. */
#define REAL_IS_DOUBLE 1
#define CONV_ROUTINES  conv_double
#include "kernels/isa/conv_routines.h"
