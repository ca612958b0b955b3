/* Pooling over one, two or three spatial axes of images in NHWC: the loops, which are
 * compiled for float32 and for float64. Places outside an image are not there. Of several
 * maxima the first in the window counts; nan counts as the largest. */
#ifndef CDL_KERNELS_ISA_POOL_H
#define CDL_KERNELS_ISA_POOL_H
#include "kernels/isa/conv.h"

typedef struct Pool {
    int64_t images, channels;
    bool positive;            /* gradients of maxima: only of those above 0 */
    ConvAxis axis[CONV_AXES]; /* kernel: the window */
} Pool;

/* Outputs [begin, end) of one image. x and dx, y and dy are that image's. */
typedef struct PoolRoutines {
    /* y = g where x has its maxima; g may be x. */
    void (*max)(const Pool *p, const void *x, const void *g, void *y, Span outputs);
    void (*max_back)(const Pool *p, const void *x, const void *dy, void *dx,
                     Span outputs);
    void (*mean)(const Pool *p, const void *x, void *y, Span outputs);
    void (*mean_back)(const Pool *p, const void *dy, void *dx, Span outputs);
} PoolRoutines;

#define pool_float  KERNEL_JOIN(pool_, float, ISA)
#define pool_double KERNEL_JOIN(pool_, double, ISA)
extern const PoolRoutines pool_float, pool_double;

#endif
