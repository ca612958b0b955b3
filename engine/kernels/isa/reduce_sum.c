/* sum, mean and prod. Small integers and bool add up in int64, which wraps. */
#include <math.h>
#include "kernels/isa/reduce.h"
#include "kernels/isa/reduce_kernel.h"

#define START         0
#define COMBINE(a, x) ((a) + (x))
#define FINISH(a)     (a)

#define NAME(x)     sum_uint8_##x
#define IN          uint8_t
#define ACCUMULATOR uint64_t
#define TOTAL       uint64_t
#define OUT         int64_t
#include "kernels/isa/reduce_loop.h"

#define NAME(x)     sum_int32_##x
#define IN          int32_t
#define ACCUMULATOR uint64_t
#define TOTAL       uint64_t
#define OUT         int64_t
#include "kernels/isa/reduce_loop.h"

#define NAME(x)     sum_int64_##x
#define IN          uint64_t
#define ACCUMULATOR uint64_t
#define TOTAL       uint64_t
#define OUT         int64_t
#include "kernels/isa/reduce_loop.h"

#define NAME(x)     sum_float_##x
#define IN          float
#define ACCUMULATOR float
#define TOTAL       double
#define OUT         float
#include "kernels/isa/reduce_loop.h"

#define NAME(x)     sum_double_##x
#define IN          double
#define ACCUMULATOR double
#define TOTAL       double
#define OUT         double
#include "kernels/isa/reduce_loop.h"

REDUCE_KERNEL(sum, reduce_prepare, REDUCE_LOOPS(sum_uint8), REDUCE_LOOPS(sum_uint8),
              REDUCE_LOOPS(sum_int32), REDUCE_LOOPS(sum_int64), REDUCE_LOOPS(sum_float),
              REDUCE_LOOPS(sum_double))

#undef FINISH
#define FINISH(a) ((a) / (double)call->note[REDUCE_COUNT])

#define NAME(x)     mean_float_##x
#define IN          float
#define ACCUMULATOR float
#define TOTAL       double
#define OUT         float
#include "kernels/isa/reduce_loop.h"

#define NAME(x)     mean_double_##x
#define IN          double
#define ACCUMULATOR double
#define TOTAL       double
#define OUT         double
#include "kernels/isa/reduce_loop.h"

REDUCE_KERNEL(mean, reduce_prepare, {NULL, NULL}, {NULL, NULL}, {NULL, NULL},
              {NULL, NULL}, REDUCE_LOOPS(mean_float), REDUCE_LOOPS(mean_double))

#undef START
#undef COMBINE
#undef FINISH
#define START         1
#define COMBINE(a, x) ((a) * (x))
#define FINISH(a)     (a)

#define NAME(x)     prod_uint8_##x
#define IN          uint8_t
#define ACCUMULATOR uint64_t
#define TOTAL       uint64_t
#define OUT         int64_t
#include "kernels/isa/reduce_loop.h"

#define NAME(x)     prod_int32_##x
#define IN          int32_t
#define ACCUMULATOR uint64_t
#define TOTAL       uint64_t
#define OUT         int64_t
#include "kernels/isa/reduce_loop.h"

#define NAME(x)     prod_int64_##x
#define IN          uint64_t
#define ACCUMULATOR uint64_t
#define TOTAL       uint64_t
#define OUT         int64_t
#include "kernels/isa/reduce_loop.h"

/* Lanes of doubles: the products of some lanes may leave float's range when all do
 * not. */
#define NAME(x)     prod_float_##x
#define IN          float
#define ACCUMULATOR double
#define TOTAL       double
#define OUT         float
#include "kernels/isa/reduce_loop.h"

#define NAME(x)     prod_double_##x
#define IN          double
#define ACCUMULATOR double
#define TOTAL       double
#define OUT         double
#include "kernels/isa/reduce_loop.h"

REDUCE_KERNEL(prod, reduce_prepare, REDUCE_LOOPS(prod_uint8), REDUCE_LOOPS(prod_uint8),
              REDUCE_LOOPS(prod_int32), REDUCE_LOOPS(prod_int64),
              REDUCE_LOOPS(prod_float), REDUCE_LOOPS(prod_double))
