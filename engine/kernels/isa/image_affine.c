/* affine_transform: a pixel of y is read at a transformed place of x; its gradient adds
 * the pixel of dy there. Attributes: see the rows in graph/ops.def. Places are computed in
 * double, whatever the images are. */
#include <math.h>
#include <string.h>
#include "kernels/isa/loops.h"

enum { CONSTANT, NEAREST, REFLECT, WRAP, MIRROR };
enum { TAPS = 4, OUTSIDE = -1 };

typedef struct Images {
    int64_t count, rows, columns, channels;
    bool bilinear;
    int64_t fill;
} Images;

/* Pixels of an image that are read, or OUTSIDE, and how much of each. */
typedef struct Reads {
    int count;
    int64_t pixel[TAPS];
    double weight[TAPS];
} Reads;

static Images images_of(const Call *call) {
    const int64_t *dim = call->in[0].shape.dim;
    return (Images){dim[0],          dim[1], dim[2], dim[3], call->attrs.i[0] == 1,
                    call->attrs.i[1]};
}

/* The eight numbers of an image; one row serves all. */
static void read_transform(const Call *call, int64_t image, double t[8]) {
    const Operand *o = &call->in[1];
    int64_t first = o->shape.dim[0] == 1 ? 0 : image * 8;
    for (int k = 0; k < 8; k++)
        t[k] = o->dtype == DTYPE_FLOAT32 ? ((const float *)o->data)[first + k]
                                         : ((const double *)o->data)[first + k];
}

static int64_t modulo(int64_t a, int64_t n) {
    int64_t rest = a % n;
    return rest < 0 ? rest + n : rest;
}

/* The place inside [0, n) that stands for i, or OUTSIDE. */
static inline int64_t inside(int64_t i, int64_t n, int64_t fill) {
    if (i >= 0 && i < n) return i;
    switch (fill) {
    case NEAREST:
        return i < 0 ? 0 : n - 1;
    case WRAP:
        return modulo(i, n);
    case REFLECT:
        i = modulo(i, 2 * n);
        return i < n ? i : 2 * n - 1 - i;
    case MIRROR:
        if (n == 1) return 0;
        i = modulo(i, 2 * n - 2);
        return i < n ? i : 2 * n - 2 - i;
    default:
        return OUTSIDE;
    }
}

static inline void add_read(const Images *im, Reads *reads, int64_t row, int64_t column,
                            double weight) {
    int64_t r = inside(row, im->rows, im->fill);
    int64_t c = inside(column, im->columns, im->fill);
    bool outside = r == OUTSIDE || c == OUTSIDE;
    reads->pixel[reads->count] = outside ? OUTSIDE : r * im->columns + c;
    reads->weight[reads->count++] = weight;
}

/* Places beyond this are as far outside as this one; larger ones (and nan) have no
 * integer. */
static double bounded(double place) {
    const double far = 1e9;
    return place > -far && place < far ? place : -far;
}

/* What the pixel at (row, column) reads. */
static inline void find_reads(const Images *im, const double t[8], int64_t row,
                              int64_t column, Reads *reads) {
    double x = (double)column, y = (double)row, k = t[6] * x + t[7] * y + 1;
    double to_x = bounded((t[0] * x + t[1] * y + t[2]) / k);
    double to_y = bounded((t[3] * x + t[4] * y + t[5]) / k);
    reads->count = 0;
    if (!im->bilinear) {
        add_read(im, reads, (int64_t)round(to_y), (int64_t)round(to_x), 1);
        return;
    }
    double left = floor(to_x), top = floor(to_y), right = to_x - left, low = to_y - top;
    int64_t r = (int64_t)top, c = (int64_t)left;
    add_read(im, reads, r, c, (1 - low) * (1 - right));
    add_read(im, reads, r, c + 1, (1 - low) * right);
    add_read(im, reads, r + 1, c, low * (1 - right));
    add_read(im, reads, r + 1, c + 1, low * right);
}

#define MOVE(type)                                                                       \
    static inline void collect_##type(const Images *im, const Reads *reads,              \
                                      const type *x, type fill, type *restrict y) {      \
        for (int64_t c = 0; c < im->channels; c++) {                                     \
            double sum = 0;                                                              \
            for (int k = 0; k < reads->count; k++) {                                     \
                int64_t at = reads->pixel[k];                                            \
                sum += reads->weight[k] *                                                \
                       (double)(at == OUTSIDE ? fill : x[at * im->channels + c]);        \
            }                                                                            \
            y[c] = (type)sum;                                                            \
        }                                                                                \
    }                                                                                    \
    static inline void spread_##type(const Images *im, const Reads *reads,               \
                                     const type *restrict dy, type *dx) {                \
        for (int k = 0; k < reads->count; k++) {                                         \
            if (reads->pixel[k] == OUTSIDE) continue;                                    \
            type *to = dx + reads->pixel[k] * im->channels;                              \
            for (int64_t c = 0; c < im->channels; c++)                                   \
                to[c] += (type)reads->weight[k] * dy[c];                                 \
        }                                                                                \
    }
MOVE(float)
MOVE(double)

/* ---- forward: parts are groups of rows of all images ---- */

static int64_t rows_group(const Call *call) {
    Images im = images_of(call);
    int64_t work = 4 * im.columns * im.channels;
    return work > 0 && work < KERNEL_CHUNK ? KERNEL_CHUNK / work : 1;
}

static int64_t rows_parts(const Call *call) {
    Images im = images_of(call);
    return chunks(im.count * im.rows, rows_group(call));
}

static void transform_run(const Call *call, int64_t part) {
    Images im = images_of(call);
    if (!call->out[0].size) return;
    int64_t first = part * rows_group(call), last = first + rows_group(call);
    int64_t width = loop_bytes[call->out[0].dtype] * im.channels;
    double t[8];
    Reads reads;
    for (int64_t r = first; r < last && r < im.count * im.rows; r++) {
        int64_t image = r / im.rows, row = r % im.rows;
        const char *x =
            (const char *)call->in[0].data + image * im.rows * im.columns * width;
        char *y = (char *)call->out[0].data + r * im.columns * width;
        read_transform(call, image, t);
        for (int64_t column = 0; column < im.columns; column++, y += width) {
            find_reads(&im, t, row, column, &reads);
            if (call->out[0].dtype == DTYPE_FLOAT32)
                collect_float(&im, &reads, (const float *)x, (float)call->attrs.f[0],
                              (float *)y);
            else
                collect_double(&im, &reads, (const double *)x, call->attrs.f[0],
                               (double *)y);
        }
    }
}

/* ---- gradient: a part is an image, since any pixel may add to any ---- */

static int64_t image_parts(const Call *call) {
    return call->out[0].size ? call->out[0].shape.dim[0] : 1;
}

static void transform_grad_run(const Call *call, int64_t image) {
    Images im = images_of(call);
    if (!call->out[0].size) return;
    int64_t width = loop_bytes[call->out[0].dtype] * im.channels;
    int64_t bytes = im.rows * im.columns * width;
    const char *dy = (const char *)call->in[0].data + image * bytes;
    char *dx = (char *)call->out[0].data + image * bytes;
    double t[8];
    Reads reads;
    memset(dx, 0, (size_t)bytes);
    read_transform(call, image, t);
    for (int64_t row = 0; row < im.rows; row++)
        for (int64_t column = 0; column < im.columns; column++, dy += width) {
            find_reads(&im, t, row, column, &reads);
            if (call->out[0].dtype == DTYPE_FLOAT32)
                spread_float(&im, &reads, (const float *)dy, (float *)dx);
            else
                spread_double(&im, &reads, (const double *)dy, (double *)dx);
        }
}

static double transform_cost(const Call *call) {
    Images im = images_of(call);
    double pixels = (double)im.count * (double)im.rows * (double)im.columns;
    return pixels * (10 + 3 * (double)im.channels);
}

KERNEL(affine_transform) = {.cost = transform_cost,
                            .phase = {{rows_parts, transform_run}}};
KERNEL(affine_transform_grad) = {.cost = transform_cost,
                                 .phase = {{image_parts, transform_grad_run}}};
