/* Pooling of float64. */
#define REAL_IS_DOUBLE 1
#define POOL_ROUTINES  pool_double
#include "kernels/isa/pool_routines.h"
