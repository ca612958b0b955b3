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
#include "kernels/isa/gemm.h"

enum { CONV_AXES = 3 }; /* planes, rows, columns */

typedef struct ConvAxis {
    int64_t in, out, kernel, stride, dilation, before;
} ConvAxis;

typedef struct Conv {
    int64_t images, groups, in, out; /* channels of x and y, of all groups */
    ConvAxis axis[CONV_AXES];
    void *x, *w, *bias, *y; /* bias: NULL where there is none */
    bool relu;
    bool direct; /* forward: the weights are read as they lie, not packed */
    DType dtype;
    void *scratch;
} Conv;

typedef struct Span {
    int64_t begin, end; /* end >= begin */
} Span;

/* The parts of forward and to_input: blocks of images, of rows (columns where images have
 * one row), and of each group's channels of the result. */
typedef struct ConvCut {
    int64_t images, channels, rows;
} ConvCut;

typedef struct ConvPart {
    Span images, channels;
    int64_t row, rows; /* which block of rows, of how many */
} ConvPart;

/* The phases of a kernel. pack puts the weights into the order in which they are read. */
typedef struct ConvRoutines {
    size_t (*pack_bytes)(const Conv *c, bool to_input);
    int64_t (*pack_parts)(const Conv *c, bool to_input);
    void (*pack)(const Conv *c, bool to_input, int64_t part);
    void (*forward)(const Conv *c, const ConvPart *part);
    void (*to_input)(const Conv *c, const ConvPart *part);
    void (*to_kernel)(const Conv *c, int64_t part); /* slices; then sum_slices */
    void (*depthwise)(const Conv *c, const ConvPart *part);
    void (*depthwise_to_input)(const Conv *c, const ConvPart *part);
    void (*depthwise_to_kernel)(const Conv *c, int64_t part);
    void (*sum_slices)(const Conv *c, int64_t part);
} ConvRoutines;

#define conv_float  KERNEL_JOIN(conv_, float, ISA)
#define conv_double KERNEL_JOIN(conv_, double, ISA)
extern const ConvRoutines conv_float, conv_double;

/* What a call convolves, written where it is wanted: a part is short, and copies of what has
 * just been written wait for it. */
static inline void conv_set(Conv *c, const Call *call, const Operand *x, const Operand *w,
                            const Operand *y) {
    const int64_t *i = call->attrs.i;
    const int axes = x->shape.ndim - 2;
    c->images = x->shape.dim[0];
    c->groups = i[12];
    c->in = x->shape.dim[axes + 1];
    c->out = y->shape.dim[axes + 1];
    c->x = x->data;
    c->w = w->data;
    c->y = y->data;
    c->bias = NULL;
    c->relu = c->direct = false;
    c->dtype = x->dtype;
    c->scratch = call->scratch;
    for (int k = 0; k < CONV_AXES; k++) {
        const int own = k - (CONV_AXES - axes);
        ConvAxis *a = &c->axis[k];
        a->in = own < 0 ? 1 : x->shape.dim[1 + own];
        a->out = own < 0 ? 1 : y->shape.dim[1 + own];
        a->kernel = own < 0 ? 1 : w->shape.dim[own];
        a->stride = own < 0 ? 1 : i[own];
        a->dilation = own < 0 ? 1 : i[9 + own];
        a->before = own < 0 ? 0 : i[3 + 2 * own];
    }
}

static inline const ConvRoutines *conv_routines(const Conv *c) {
    return c->dtype == DTYPE_FLOAT32 ? &conv_float : &conv_double;
}

static inline bool conv_is_depthwise(const Conv *c) {
    return c->groups > 1 && c->groups == c->in && c->in == c->out;
}

static inline int64_t conv_taps(const Conv *c) {
    return c->axis[0].kernel * c->axis[1].kernel * c->axis[2].kernel;
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* Division by b > 0 that rounds up, and down; mostly b is 1. */
static inline int64_t div_up(int64_t a, int64_t b) {
    if (b == 1) return a;
    return a > 0 ? (a + b - 1) / b : -(-a / b);
}
static inline int64_t div_down(int64_t a, int64_t b) {
    if (b == 1) return a;
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

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

static inline int64_t conv_kernel_size(const Conv *c) {
    return c->groups ? conv_taps(c) * (c->in / c->groups) * c->out : 0;
}

static inline bool conv_one_row(const Conv *c) {
    return c->axis[1].in == 1 && c->axis[1].out == 1;
}

/* Bytes of a cache line; lines of output channels for which HWIO is the packed order; and
 * images so few that packing the weights would cost more than it gains. */
enum { CONV_LINE = 64, CONV_PANEL_LINES = 4, CONV_FEW_IMAGES = 4 };

/* Cache lines of a group's channels of one pixel of y; 0: they are not whole lines. */
static inline int64_t conv_lines(const Conv *c) {
    int64_t bytes = c->out / most(1, c->groups) * (int64_t)dtype_size(c->dtype);
    return bytes % CONV_LINE ? 0 : bytes / CONV_LINE;
}

static inline bool conv_reads_directly(const Conv *c) {
    int64_t lines = conv_lines(c);
    if (!lines || c->groups != 1) return false;
    return lines <= (c->images <= CONV_FEW_IMAGES ? 2 : 1) * CONV_PANEL_LINES;
}

/* Rows are cut where images are few, and channels where the rows are so few that threads
 * would have unequal shares. Small images are kept together, since their border pixels are
 * computed image by image in one tile; and rows of three pixels, which share tiles. */
enum { CONV_PARTS = 32, CONV_SMALL = 16, CONV_TOGETHER = 8, CONV_COLUMNS = 32 };
enum { CONV_EVEN = 8, CONV_NARROW = 3 };

/* rows: as many as there can be blocks of. */
static inline ConvCut conv_cut(const Conv *c, int64_t rows) {
    const int64_t width = c->axis[2].out;
    int64_t together = conv_taps(c) > 1 && width < CONV_SMALL ? CONV_TOGETHER : 1;
    ConvCut cut = {most(1, least(CONV_PARTS, c->images / together)), 1, 1};
    int64_t wanted = CONV_PARTS / cut.images;
    cut.rows = most(1, least(rows, wanted));
    if (c->direct && c->images <= CONV_FEW_IMAGES && width >= CONV_NARROW &&
        cut.images * cut.rows < CONV_EVEN) {
        cut.channels = most(1, conv_lines(c) / 2);
        if (width == CONV_NARROW) cut.rows = 1;
    }
    return cut;
}

static inline int64_t conv_cut_rows(const Conv *c) {
    return conv_one_row(c) ? c->axis[2].out / CONV_COLUMNS : c->axis[1].out;
}

static inline int64_t conv_parts(const ConvCut *cut) {
    return cut->images * cut->channels * cut->rows;
}

/* Parts that follow each other share rows: a thread then finds most of them where it wrote
 * them in the step before. */
static inline ConvPart conv_part(const Conv *c, const ConvCut *cut, int64_t number) {
    int64_t k = number % cut->channels, row = number / cut->channels % cut->rows;
    int64_t i = number / cut->rows / cut->channels, out = c->out / most(1, c->groups);
    int64_t lines = cut->channels > 1 ? conv_lines(c) : 1, each = out / lines;
    return (ConvPart){
        .images = {c->images * i / cut->images, c->images * (i + 1) / cut->images},
        .channels = {lines * k / cut->channels * each,
                     lines * (k + 1) / cut->channels * each},
        .row = row,
        .rows = cut->rows};
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

static inline int64_t conv_pixels(const Conv *c) {
    return c->images * c->axis[0].out * c->axis[1].out * c->axis[2].out;
}

static inline double conv_cost(const Conv *c) {
    int64_t groups = most(1, c->groups);
    if (conv_is_depthwise(c))
        return (double)(conv_pixels(c) * c->in) * (0.1 + 0.05 * (double)conv_taps(c));
    return (double)groups * gemm_cost(conv_pixels(c), c->out / groups,
                                      conv_taps(c) * (c->in / groups), c->dtype);
}

static inline double conv_flops(const Conv *c) {
    return 2.0 * (double)(conv_pixels(c) * conv_taps(c)) * (double)c->out *
           (double)(c->in / most(1, c->groups));
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
