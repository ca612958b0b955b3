/* resize: x (OUTER, SOURCE, INNER) -> y (OUTER, TARGET, INNER), where element j of y is
 * read at the place (j + 0.5) SOURCE / TARGET - 0.5 of x, as a sum of the elements around
 * it with the kernel's weights, which add up to 1. resize_grad goes the other way. Phase 0
 * lists what each j reads, phase 1 adds. */
#include <math.h>
#include <string.h>
#include "kernels/isa/loops.h"

enum { OUTER, SOURCE, TARGET, INNER, TAPS, BLOCK };
enum { COLUMNS = 512 }; /* of INNER, that a part of resize_grad goes through at a time */

/* What one element reads: `count` elements from `first` on, with these weights. */
typedef struct Reads {
    int64_t *first, *count;
    double *weight; /* [TARGET][TAPS] */
} Reads;

static Reads reads_of(const Call *call) {
    int64_t *first = call->scratch, n = call->note[TARGET];
    return (Reads){first, first + n, (double *)(first + 2 * n)};
}

static size_t resize_scratch(const Call *call) {
    return (size_t)(call->note[TARGET] * (call->note[TAPS] + 2)) * sizeof(double);
}

static double kernel_radius(int64_t kernel) { return (double[]){1, 2, 3, 5}[kernel]; }

static double lanczos(double x, double radius) {
    const double pi = 3.14159265358979323846;
    if (x > radius) return 0;
    if (x <= 1e-3) return 1;
    return radius * sin(pi * x) * sin(pi * x / radius) / (pi * pi * x * x);
}

/* Keys, Cubic convolution interpolation for digital image processing (1981), a = -0.5. */
static double cubic(double x) {
    if (x >= 2) return 0;
    if (x >= 1) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
    return (1.5 * x - 2.5) * x * x + 1;
}

static double kernel_value(int64_t kernel, double x) {
    if (kernel == 0) return x < 1 ? 1 - x : 0;
    if (kernel == 1) return cubic(x);
    return lanczos(x, kernel_radius(kernel));
}

/* How much wider than the kernel its weights lie. */
static double widening(const Call *call) {
    double ratio = (double)call->note[SOURCE] / (double)call->note[TARGET];
    return call->attrs.i[3] && ratio > 1 ? ratio : 1;
}

static void split(Call *call, const Shape *from, const Shape *to) {
    int64_t *note = call->note, axis = call->attrs.i[0];
    note[OUTER] = note[INNER] = 1;
    for (int k = 0; k < axis; k++) note[OUTER] *= from->dim[k];
    for (int k = (int)axis + 1; k < from->ndim; k++) note[INNER] *= from->dim[k];
    note[SOURCE] = from->dim[axis];
    note[TARGET] = to->dim[axis];
    int64_t reach = (int64_t)ceil(kernel_radius(call->attrs.i[2]) * widening(call));
    note[TAPS] = 2 * reach + 1 < note[SOURCE] ? 2 * reach + 1 : note[SOURCE];
    note[BLOCK] = note[INNER] < COLUMNS ? note[INNER] : COLUMNS;
}

static void resize_prepare(Call *call) {
    split(call, &call->in[0].shape, &call->out[0].shape);
}
static void resize_grad_prepare(Call *call) {
    split(call, &call->out[0].shape, &call->in[0].shape);
}

static void list_reads(const Call *call, int64_t part) {
    const int64_t *note = call->note;
    Reads reads = reads_of(call);
    double wide = widening(call), reach = kernel_radius(call->attrs.i[2]) * wide;
    for (int64_t j = 0; j < note[TARGET]; j++) {
        double place =
            ((double)j + 0.5) * (double)note[SOURCE] / (double)note[TARGET] - 0.5;
        double *weight = reads.weight + j * note[TAPS], sum = 0;
        int64_t first = (int64_t)fmax(0, ceil(place - reach));
        int64_t last = (int64_t)fmin((double)note[SOURCE] - 1, floor(place + reach));
        int64_t count = last - first + 1 < note[TAPS] ? last - first + 1 : note[TAPS];
        for (int64_t t = 0; t < count; t++) {
            weight[t] =
                kernel_value(call->attrs.i[2], fabs(place - (double)(first + t)) / wide);
            sum += weight[t];
        }
        for (int64_t t = 0; t < count; t++) weight[t] /= sum;
        reads.first[j] = first;
        reads.count[j] = count;
    }
}

/* ---- resize: parts are groups of results (outer, j), each INNER elements ---- */

static int64_t resize_group(const Call *call) {
    int64_t work = call->note[INNER] * call->note[TAPS];
    return work > 0 && work < KERNEL_CHUNK ? KERNEL_CHUNK / work : 1;
}

static int64_t resize_parts(const Call *call) {
    return chunks(call->note[OUTER] * call->note[TARGET], resize_group(call));
}

#define RESIZE(type)                                                                     \
    static void resize_##type(const Call *call, int64_t unit) {                          \
        const int64_t *note = call->note;                                                \
        Reads reads = reads_of(call);                                                    \
        int64_t inner = note[INNER], outer = unit / note[TARGET],                        \
                j = unit % note[TARGET];                                                 \
        const type *x = (const type *)call->in[0].data +                                 \
                        (outer * note[SOURCE] + reads.first[j]) * inner;                 \
        type *restrict y = (type *)call->out[0].data + unit * inner;                     \
        memset(y, 0, (size_t)inner * sizeof *y);                                         \
        for (int64_t t = 0; t < reads.count[j]; t++) {                                   \
            const type *restrict from = x + t * inner;                                   \
            type weight = (type)reads.weight[j * note[TAPS] + t];                        \
            SIMD_LOOP(c, inner) y[c] += weight * from[c];                                \
        }                                                                                \
    }
RESIZE(float)
RESIZE(double)

static void resize_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    int64_t first = part * resize_group(call), last = first + resize_group(call);
    int64_t units = call->note[OUTER] * call->note[TARGET];
    for (int64_t unit = first; unit < last && unit < units; unit++)
        if (call->out[0].dtype == DTYPE_FLOAT32)
            resize_float(call, unit);
        else
            resize_double(call, unit);
}

/* ---- resize_grad: parts are groups of (outer, block of columns) ---- */

static int64_t spread_group(const Call *call) {
    int64_t work = call->note[BLOCK] * (call->note[SOURCE] + call->note[TARGET]);
    return work > 0 && work < KERNEL_CHUNK ? KERNEL_CHUNK / work : 1;
}

static int64_t spread_units(const Call *call) {
    return call->note[OUTER] * chunks(call->note[INNER], call->note[BLOCK]);
}

static int64_t spread_parts(const Call *call) {
    return chunks(spread_units(call), spread_group(call));
}

#define SPREAD(type)                                                                     \
    static void spread_##type(const Call *call, int64_t unit) {                          \
        const int64_t *note = call->note;                                                \
        Reads reads = reads_of(call);                                                    \
        int64_t inner = note[INNER], blocks = chunks(inner, note[BLOCK]);                \
        int64_t outer = unit / blocks, begin = unit % blocks * note[BLOCK];              \
        int64_t left = inner - begin, n = left < note[BLOCK] ? left : note[BLOCK];       \
        const type *dy =                                                                 \
            (const type *)call->in[0].data + outer * note[TARGET] * inner + begin;       \
        type *dx = (type *)call->out[0].data + outer * note[SOURCE] * inner + begin;     \
        for (int64_t row = 0; row < note[SOURCE]; row++)                                 \
            memset(dx + row * inner, 0, (size_t)n * sizeof *dx);                         \
        for (int64_t j = 0; j < note[TARGET]; j++)                                       \
            for (int64_t t = 0; t < reads.count[j]; t++) {                               \
                const type *restrict from = dy + j * inner;                              \
                type *restrict to = dx + (reads.first[j] + t) * inner;                   \
                type weight = (type)reads.weight[j * note[TAPS] + t];                    \
                SIMD_LOOP(c, n) to[c] += weight * from[c];                               \
            }                                                                            \
    }
SPREAD(float)
SPREAD(double)

static void spread_run(const Call *call, int64_t part) {
    if (!call->out[0].size) return;
    int64_t first = part * spread_group(call), last = first + spread_group(call);
    for (int64_t unit = first; unit < last && unit < spread_units(call); unit++)
        if (call->out[0].dtype == DTYPE_FLOAT32)
            spread_float(call, unit);
        else
            spread_double(call, unit);
}

static double resize_cost(const Call *call) {
    const int64_t *note = call->note;
    return 0.5 * (double)(note[OUTER] * note[TARGET]) *
           (double)(note[TAPS] * (note[INNER] + 4));
}

KERNEL(resize) = {.prepare = resize_prepare,
                  .scratch = resize_scratch,
                  .cost = resize_cost,
                  .phase = {{NULL, list_reads}, {resize_parts, resize_run}}};
KERNEL(resize_grad) = {.prepare = resize_grad_prepare,
                       .scratch = resize_scratch,
                       .cost = resize_cost,
                       .phase = {{NULL, list_reads}, {spread_parts, spread_run}}};
