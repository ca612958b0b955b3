/* Pooling of float32. */
#define POOL_ROUTINES pool_float
#include "kernels/isa/pool_routines.h"
