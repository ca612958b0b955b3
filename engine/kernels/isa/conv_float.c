/* Convolutions of float32. */
#define CONV_ROUTINES conv_float
#include "kernels/isa/conv_routines.h"
