/* Convolutions (cross-correlations) of images in NHWC, kernels in HWIO, without im2col.
 *
 * A convolution over one, two or three spatial axes is one over three: axes that are not
 * there have size 1. Along each axis
 *
 *     y[o] += x[o stride - before + k dilation] w[k]     where that place is inside x
 *
 * and what lies outside is skipped, never read or multiplied. Every element of a result is
 * one chain of multiply-adds in the order of taps and channels (the gradient with respect
 * to the kernel: of images and pixels, in slices that the shapes alone decide). So the
 * bits do not depend on how the work is shared.
 *
 * Conv is a call in these words. The work itself is compiled for float32 and for float64;
 * ConvRoutines holds one of the two. */
#ifndef CDL_KERNELS_ISA_CONV_H
#define CDL_KERNELS_ISA_CONV_H
#include "kernels/call.h"

enum { CONV_AXES = 3 }; /* planes, rows, columns */

typedef struct ConvAxis {
    int64_t in, out, kernel, stride, dilation, before;
} ConvAxis;

typedef struct Conv {
    int64_t images, groups, in, out; /* channels of x and y, of all groups */
    ConvAxis axis[CONV_AXES];
    void *x, *w, *bias, *y; /* bias: NULL where there is none */
    bool relu;
    DType dtype;
    void *scratch;
} Conv;

/* The phases of a kernel. pack puts the weights into the order in which they are read. */
typedef struct ConvRoutines {
    size_t (*pack_bytes)(const Conv *c, bool to_input);
    int64_t (*pack_parts)(const Conv *c, bool to_input);
    void (*pack)(const Conv *c, bool to_input, int64_t part);
    void (*forward)(const Conv *c, int64_t part);
    void (*to_input)(const Conv *c, int64_t part);
    void (*to_kernel)(const Conv *c, int64_t part); /* slices; then sum_slices */
    void (*depthwise)(const Conv *c, int64_t part);
    void (*depthwise_to_input)(const Conv *c, int64_t part);
    void (*depthwise_to_kernel)(const Conv *c, int64_t part);
    void (*sum_slices)(const Conv *c, int64_t part);
} ConvRoutines;

#define conv_float  KERNEL_JOIN(conv_, float, ISA)
#define conv_double KERNEL_JOIN(conv_, double, ISA)
extern const ConvRoutines conv_float, conv_double;

static inline int64_t conv_taps(const Conv *c) {
    return c->axis[0].kernel * c->axis[1].kernel * c->axis[2].kernel;
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* Division by b > 0 that rounds up, and down. */
static inline int64_t div_up(int64_t a, int64_t b) {
    return a > 0 ? (a + b - 1) / b : -(-a / b);
}
static inline int64_t div_down(int64_t a, int64_t b) {
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

typedef struct Span {
    int64_t begin, end; /* end >= begin */
} Span;

static inline Span span_within(int64_t begin, int64_t end, int64_t size) {
    begin = least(most(begin, 0), size);
    return (Span){begin, most(begin, least(end, size))};
}

/* The taps that lie inside x for output o. */
static inline Span axis_taps(const ConvAxis *a, int64_t o) {
    int64_t start = o * a->stride - a->before;
    return span_within(div_up(-start, a->dilation),
                       div_down(a->in - 1 - start, a->dilation) + 1, a->kernel);
}

/* The outputs for which tap k lies inside x; those for which all taps do. */
static inline Span axis_outputs(const ConvAxis *a, int64_t k) {
    int64_t shift = a->before - k * a->dilation;
    return span_within(div_up(shift, a->stride),
                       div_down(a->in - 1 + shift, a->stride) + 1, a->out);
}
static inline Span axis_inner(const ConvAxis *a) {
    int64_t shift = a->before - (a->kernel - 1) * a->dilation;
    return span_within(div_up(a->before, a->stride),
                       div_down(a->in - 1 + shift, a->stride) + 1, a->out);
}

/* How forward and to_input are cut: blocks of images, and of rows where images are few; of
 * columns where images have one row. Small images are kept together, since their border
 * pixels are computed image by image in one tile. */
enum { CONV_PARTS = 32, CONV_SMALL = 16, CONV_TOGETHER = 8, CONV_COLUMNS = 32 };

typedef struct ConvCut {
    int64_t images, rows; /* blocks */
} ConvCut;

static inline bool conv_one_row(const Conv *c) {
    return c->axis[1].in == 1 && c->axis[1].out == 1;
}

static inline ConvCut conv_cut(const Conv *c) {
    int64_t together =
        conv_taps(c) > 1 && c->axis[2].out < CONV_SMALL ? CONV_TOGETHER : 1;
    ConvCut cut = {most(1, least(CONV_PARTS, c->images / together)), 1};
    int64_t wanted = CONV_PARTS / cut.images;
    int64_t rows = conv_one_row(c) ? c->axis[2].out / CONV_COLUMNS : c->axis[1].out;
    if (wanted > 1) cut.rows = most(1, least(rows, wanted));
    return cut;
}

/* How to_kernel is cut: slices of the images' rows, each with sums of its own, and blocks
 * of the kernel where it is too large for many slices or has too few pixels for them. */
enum {
    CONV_SLICE_BYTES = 4 << 20,
    CONV_SLICE_PIXELS = 256,
    CONV_SLICES = 16,
    CONV_BLOCKS = 16
};

typedef struct ConvSlices {
    int64_t slices, blocks;
} ConvSlices;

static inline int64_t conv_kernel_size(const Conv *c) {
    return c->groups ? conv_taps(c) * (c->in / c->groups) * c->out : 0;
}

static inline int64_t conv_pixels(const Conv *c) {
    return c->images * c->axis[0].out * c->axis[1].out * c->axis[2].out;
}

/* Rows of all images; of several planes the same row counts once. */
static inline int64_t conv_rows(const Conv *c) { return c->images * c->axis[1].out; }

static inline ConvSlices conv_slices(const Conv *c) {
    int64_t bytes = most(1, conv_kernel_size(c) * (int64_t)dtype_size(c->dtype));
    int64_t slices = least(CONV_SLICES, least(conv_rows(c), CONV_SLICE_BYTES / bytes));
    slices = most(1, least(slices, conv_pixels(c) / CONV_SLICE_PIXELS));
    return (ConvSlices){slices, CONV_BLOCKS / slices};
}

#endif
