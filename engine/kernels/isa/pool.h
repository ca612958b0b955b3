/* Pooling over one, two or three spatial axes of images in NHWC: the loops, which are
 * compiled for float32 and for float64. Places outside an image are not there. Of several
 * maxima the first in the window counts; nan counts as the largest. */
#ifndef CDL_KERNELS_ISA_POOL_H
#define CDL_KERNELS_ISA_POOL_H
#include "kernels/isa/conv.h"

typedef struct Pool {
    int64_t images, channels;
    int64_t pixel;            /* elements from one pixel to the next, of x and of y */
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

static inline const PoolRoutines *pool_routines(DType dtype) {
    return dtype == DTYPE_FLOAT32 ? &pool_float : &pool_double;
}

/* i: strides, paddings and windows, as the attributes of the row max_pool. */
static inline void pool_set(Pool *p, const int64_t i[12], const Shape *x,
                            const Shape *y) {
    const int axes = x->ndim - 2;
    p->images = x->dim[0];
    p->channels = p->pixel = x->dim[axes + 1];
    p->positive = false;
    for (int k = 0; k < CONV_AXES; k++) {
        const int own = k - (CONV_AXES - axes);
        ConvAxis *a = &p->axis[k];
        a->in = own < 0 ? 1 : x->dim[1 + own];
        a->out = own < 0 ? 1 : y->dim[1 + own];
        a->kernel = own < 0 ? 1 : i[9 + own];
        a->stride = own < 0 ? 1 : i[own];
        a->dilation = 1;
        a->before = own < 0 ? 0 : i[3 + 2 * own];
    }
}

static inline int64_t pool_places_in(const Pool *p) {
    return p->axis[0].in * p->axis[1].in * p->axis[2].in;
}
static inline int64_t pool_places_out(const Pool *p) {
    return p->axis[0].out * p->axis[1].out * p->axis[2].out;
}

/* The outermost axis with more than one place: where images are cut. */
static inline int pool_cut_axis(const Pool *p) {
    return p->axis[0].in > 1 ? 0 : p->axis[1].in > 1 ? 1 : 2;
}

#endif
