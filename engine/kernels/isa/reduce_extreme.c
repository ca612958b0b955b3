/* max and min over axes, all and any. A nan anywhere gives nan: once in an accumulator it
 * stays, because nothing compares with it. */
#include <float.h>
#include <math.h>
#include "kernels/isa/reduce.h"
#include "kernels/isa/reduce_kernel.h"

#define FINISH(a) (a)

#define COMBINE(a, x) ((x) > (a) ? (x) : (a))
#define START         0
#define NAME(x)       max_uint8_##x
#define IN            uint8_t
#define ACCUMULATOR   uint8_t
#define TOTAL         uint8_t
#define OUT           uint8_t
#include "kernels/isa/reduce_loop.h"
#undef START

#define START       INT32_MIN
#define NAME(x)     max_int32_##x
#define IN          int32_t
#define ACCUMULATOR int32_t
#define TOTAL       int32_t
#define OUT         int32_t
#include "kernels/isa/reduce_loop.h"
#undef START

#define START       INT64_MIN
#define NAME(x)     max_int64_##x
#define IN          int64_t
#define ACCUMULATOR int64_t
#define TOTAL       int64_t
#define OUT         int64_t
#include "kernels/isa/reduce_loop.h"
#undef START
#undef COMBINE

#define COMBINE(a, x) (((x) > (a)) | ((x) != (x)) ? (x) : (a))
#define START         (-INFINITY)
#define NAME(x)       max_float_##x
#define IN            float
#define ACCUMULATOR   float
#define TOTAL         float
#define OUT           float
#include "kernels/isa/reduce_loop.h"

#define NAME(x)     max_double_##x
#define IN          double
#define ACCUMULATOR double
#define TOTAL       double
#define OUT         double
#include "kernels/isa/reduce_loop.h"
#undef START
#undef COMBINE

#define COMBINE(a, x) ((x) < (a) ? (x) : (a))
#define START         UINT8_MAX
#define NAME(x)       min_uint8_##x
#define IN            uint8_t
#define ACCUMULATOR   uint8_t
#define TOTAL         uint8_t
#define OUT           uint8_t
#include "kernels/isa/reduce_loop.h"
#undef START

#define START       INT32_MAX
#define NAME(x)     min_int32_##x
#define IN          int32_t
#define ACCUMULATOR int32_t
#define TOTAL       int32_t
#define OUT         int32_t
#include "kernels/isa/reduce_loop.h"
#undef START

#define START       INT64_MAX
#define NAME(x)     min_int64_##x
#define IN          int64_t
#define ACCUMULATOR int64_t
#define TOTAL       int64_t
#define OUT         int64_t
#include "kernels/isa/reduce_loop.h"
#undef START
#undef COMBINE

#define COMBINE(a, x) (((x) < (a)) | ((x) != (x)) ? (x) : (a))
#define START         INFINITY
#define NAME(x)       min_float_##x
#define IN            float
#define ACCUMULATOR   float
#define TOTAL         float
#define OUT           float
#include "kernels/isa/reduce_loop.h"

#define NAME(x)     min_double_##x
#define IN          double
#define ACCUMULATOR double
#define TOTAL       double
#define OUT         double
#include "kernels/isa/reduce_loop.h"
#undef START
#undef COMBINE

REDUCE_KERNEL(max, reduce_prepare, REDUCE_LOOPS(max_uint8), REDUCE_LOOPS(max_uint8),
              REDUCE_LOOPS(max_int32), REDUCE_LOOPS(max_int64), REDUCE_LOOPS(max_float),
              REDUCE_LOOPS(max_double))
REDUCE_KERNEL(min, reduce_prepare, REDUCE_LOOPS(min_uint8), REDUCE_LOOPS(min_uint8),
              REDUCE_LOOPS(min_int32), REDUCE_LOOPS(min_int64), REDUCE_LOOPS(min_float),
              REDUCE_LOOPS(min_double))

#define START         1
#define COMBINE(a, x) ((a) & ((x) != 0))
#define NAME(x)       all_bool_##x
#define IN            uint8_t
#define ACCUMULATOR   uint8_t
#define TOTAL         uint8_t
#define OUT           uint8_t
#include "kernels/isa/reduce_loop.h"
#undef START
#undef COMBINE

#define START         0
#define COMBINE(a, x) ((a) | ((x) != 0))
#define NAME(x)       any_bool_##x
#define IN            uint8_t
#define ACCUMULATOR   uint8_t
#define TOTAL         uint8_t
#define OUT           uint8_t
#include "kernels/isa/reduce_loop.h"

REDUCE_KERNEL(all, reduce_prepare, REDUCE_LOOPS(all_bool))
REDUCE_KERNEL(any, reduce_prepare, REDUCE_LOOPS(any_bool))
